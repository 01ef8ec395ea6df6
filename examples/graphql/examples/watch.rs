//! Prints the answers to one operation, for as long as there are any:
//! `cargo run --example watch -- ws://localhost:4000/graphql 'subscription { news }'`.

use redial_example_graphql::{Answer, Client, GraphqlTransport, SUBPROTOCOL, verdicts};
use redial_tokio::redial::Config;
use redial_tokio::redial::session::Settings;
use redial_tokio::websocket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [url, query] = arguments.as_slice() else {
        eprintln!("usage: watch URL QUERY");
        return Ok(());
    };
    let config = Config::builder()
        .verdicts(verdicts()?)
        .session(Some(Settings::default()));
    let link = websocket(url)?
        .header("Sec-WebSocket-Protocol", SUBPROTOCOL)?
        .config(config.build()?);
    let client = Client::spawn(link, GraphqlTransport::new(|_| None));
    let mut operation = client.begin(query.as_str())?;
    while let Some(answer) = operation.next().await {
        match answer {
            Answer::Next(result) => println!("{result}"),
            Answer::Errors(errors) => eprintln!("{errors:?}"),
            Answer::Complete => break,
        }
    }
    if let Some(error) = client.link().last_error() {
        eprintln!("{error}");
    }
    Ok(())
}
