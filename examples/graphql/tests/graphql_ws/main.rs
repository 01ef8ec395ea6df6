//! The client against the reference implementation of the protocol: the npm package
//! `graphql-ws`, with a proxy between them that cuts.
//!
//! Needs node and the packages of `package-lock.json`; without them each test says that it is
//! skipped.

mod server;

use std::time::Duration;

use redial_example_graphql::{Answer, Client, GraphqlTransport, Operation, SUBPROTOCOL, verdicts};
use redial_faults::{Mode, Proxy};
use redial_tokio::redial::backoff::{Backoff, Jitter, Schedule};
use redial_tokio::redial::config::Builder;
use redial_tokio::redial::heartbeat::Pulse;
use redial_tokio::redial::session::Settings;
use redial_tokio::redial::{Cause, Config, Phase, Status};
use redial_tokio::websocket;
use serde_json::{Value, json};

use self::server::Server;

/// Longer than anything here should take, by far.
const LONG: Duration = Duration::from_secs(60);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn config() -> Builder {
    let schedule = Schedule::Stratified {
        first: ms(20),
        cap: ms(100),
        contended_floor: ms(20),
        contended_cap: ms(200),
    };
    Config::builder()
        .backoff(Backoff::new(schedule, Jitter::Full, ms(5)).unwrap())
        .verdicts(verdicts().unwrap())
        .session(Some(Settings::default()))
}

fn client(url: &str, config: Builder, protocol: GraphqlTransport) -> Client {
    let link = websocket(url)
        .unwrap()
        .header("Sec-WebSocket-Protocol", SUBPROTOCOL)
        .unwrap()
        .config(config.build().unwrap())
        .seed(1);
    Client::spawn(link, protocol)
}

fn plain() -> GraphqlTransport {
    GraphqlTransport::new(|_| None)
}

async fn until(client: &Client, what: &str, condition: impl FnMut(&Status) -> bool) -> Status {
    let mut watch = client.link().watch();
    match tokio::time::timeout(LONG, watch.wait_for(condition)).await {
        Ok(Ok(status)) => *status,
        _ => panic!(
            "never {what}: {:?} {:?}",
            client.link().status(),
            client.link().last_error()
        ),
    }
}

async fn answer(operation: &mut Operation) -> Option<Answer> {
    let answer = tokio::time::timeout(LONG, operation.next()).await;
    answer.unwrap_or_else(|_| panic!("no answer to {operation:?}"))
}

/// The data of the next answer, which is a result.
async fn data(operation: &mut Operation) -> Value {
    match answer(operation).await {
        Some(Answer::Next(result)) => {
            let mut result: Value = serde_json::from_str(result.get()).unwrap();
            result["data"].take()
        }
        other => panic!("{operation:?}: {other:?}"),
    }
}

/// The next number of a counting subscription.
async fn count(operation: &mut Operation) -> i64 {
    data(operation).await["count"].as_i64().unwrap()
}

/// Takes what a subscription still counts from before, until it begins anew at `from`.
async fn begun_again(operation: &mut Operation, from: i64) {
    let mut last = None;
    loop {
        let next = count(operation).await;
        if next == from {
            return;
        }
        assert!(last.is_none_or(|last| next == last + 1), "{operation:?}");
        last = Some(next);
    }
}

/// The operations that the server was given on a connection, in order.
fn given(server: &Server, connection: u64, count: usize) -> Vec<String> {
    let events = server.wait(count, |event| {
        event["event"] == "subscribe" && event["connection"] == connection
    });
    let id = |event: &Value| event["id"].as_str().unwrap().to_owned();
    events.iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_end_by_themselves() {
    if !server::is_there() {
        return;
    }
    let server = Server::start();
    let url = format!("ws://{}/", server.address());
    let client = client(&url, config(), plain());
    // Before there is a connection, and in order.
    let mut hello = client.begin("{ hello }").unwrap();
    let mut wrong = client.begin("{ nobody }").unwrap();
    let mut three = client.begin("subscription { count(to: 3) }").unwrap();
    assert_eq!(data(&mut hello).await, json!({ "hello": "hello world" }));
    assert!(matches!(answer(&mut hello).await, Some(Answer::Complete)));
    assert!(answer(&mut hello).await.is_none());
    let Some(Answer::Errors(Some(errors))) = answer(&mut wrong).await else {
        panic!("there is no such field");
    };
    assert!(errors.get().contains("nobody"), "{errors}");
    assert!(answer(&mut wrong).await.is_none());
    for number in 0..3 {
        assert_eq!(count(&mut three).await, number);
    }
    assert!(matches!(answer(&mut three).await, Some(Answer::Complete)));
    assert_eq!(given(&server, 1, 3), ["1", "2", "3"]);
    // What is over is not begun again.
    let never = client.begin("{ never }").unwrap();
    assert_eq!(given(&server, 1, 4), ["1", "2", "3", "4"]);
    client.link().reconnect();
    assert_eq!(given(&server, 2, 1), ["4"]);
    let mut last = client.begin("{ hello(name: \"again\") }").unwrap();
    assert_eq!(data(&mut last).await, json!({ "hello": "hello again" }));
    assert_eq!(given(&server, 2, 2), ["4", "5"]);
    // One that is dropped is completed at the server, and not begun again.
    drop(never);
    let complete = r#"{"id":"4","type":"complete"}"#;
    server.wait(1, |event| event["text"] == complete);
    client.link().disconnect().await;
    assert!(
        answer(&mut last)
            .await
            .is_none_or(|a| matches!(a, Answer::Complete))
    );
}

/// Where each subscription begins to count.
const FROM: [i64; 5] = [0, 100_000, 200_000, 300_000, 400_000];

async fn read_on(mut operation: Operation, from: i64, is_first: bool) -> Operation {
    if is_first {
        assert_eq!(count(&mut operation).await, from);
    } else {
        begun_again(&mut operation, from).await;
    }
    assert_eq!(count(&mut operation).await, from + 1);
    operation
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_go_on_in_order_after_every_kind_of_cut() {
    if !server::is_there() {
        return;
    }
    let mut server = Server::start();
    let proxy = Proxy::start(server.address()).unwrap();
    let client = client(&proxy.url(), config(), plain());
    let begin = |from: i64| {
        let query = format!("subscription {{ count(from: {from}) }}");
        client.begin(query.as_str()).unwrap()
    };
    let mut counts: Vec<_> = FROM.map(begin).into();
    for cut in 0..9 {
        let connection = cut + 1;
        assert_eq!(given(&server, connection, 5).len(), 5);
        // At once, as one that is not read holds up the others.
        let reading: Vec<_> = counts
            .drain(..)
            .zip(FROM)
            .map(|(operation, from)| tokio::spawn(read_on(operation, from, cut == 0)))
            .collect();
        for operation in reading {
            counts.push(operation.await.unwrap());
        }
        match cut % 4 {
            0 => proxy.reset_all(),
            1 => proxy.close_all(),
            2 => server.command("terminate"),
            _ => server.command("close 4499"),
        }
    }
    let again = given(&server, 10, 5);
    assert_eq!(again, ["1", "2", "3", "4", "5"]);
    // One that is dropped is completed at the server, and not begun again.
    drop(counts.remove(1));
    server.wait(1, |event| {
        event["event"] == "complete" && event["connection"] == 10 && event["id"] == "2"
    });
    proxy.reset_all();
    assert_eq!(given(&server, 11, 4), ["1", "3", "4", "5"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_go_on_at_a_restarted_server() {
    if !server::is_there() {
        return;
    }
    let server = Server::start();
    let proxy = Proxy::start(server.address()).unwrap();
    let client = client(&proxy.url(), config(), plain());
    let mut first = client.begin("subscription { count }").unwrap();
    let mut second = client
        .begin("subscription { count(from: 100000) }")
        .unwrap();
    assert_eq!(
        (count(&mut first).await, count(&mut second).await),
        (0, 100_000)
    );
    drop(server);
    until(&client, "lost", |status| status.phase != Phase::Connected).await;
    // Begun while there is no server, dropped while there is none.
    let mut third = client
        .begin("subscription { count(from: 200000) }")
        .unwrap();
    drop(
        client
            .begin("subscription { count(from: 300000) }")
            .unwrap(),
    );
    let server = Server::start();
    proxy.set_upstream(server.address());
    assert_eq!(given(&server, 1, 3), ["1", "2", "3"]);
    begun_again(&mut first, 0).await;
    begun_again(&mut second, 100_000).await;
    assert_eq!(count(&mut third).await, 200_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_ends_ping_and_a_silent_connection_is_left() {
    if !server::is_there() {
        return;
    }
    let mut server = Server::start();
    let proxy = Proxy::start(server.address()).unwrap();
    let pulse = Pulse {
        interval: Some(ms(50)),
        pong_deadline: ms(1000),
        ..Pulse::default()
    };
    let client = client(&proxy.url(), config().heartbeat(pulse), plain());
    let ours = server.wait(3, |event| event["event"] == "ping");
    assert!(ours[0]["payload"]["nonce"].is_string(), "{ours:?}");
    assert_eq!(ours[2]["connection"], 1);
    // The third ping follows the pong to the second.
    assert!(client.link().status().round_trip.is_some());
    server.command(r#"say {"type":"ping","payload":{"x":[1]}}"#);
    let answers = server.wait(1, |event| event["event"] == "pong");
    assert_eq!(answers[0]["payload"], json!({ "x": [1] }));
    // The kernel keeps the connection up, and nobody answers any more.
    proxy.set(Mode::BlackHole);
    let lost = until(&client, "left", |status| {
        status.last_cause == Some(Cause::PongTimeout)
    });
    lost.await;
    proxy.set(Mode::Pass);
    server.wait(1, |event| {
        event["event"] == "ping" && event["connection"] != 1
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_credentials_are_refreshed_and_wrong_ones_are_final() {
    if !server::is_there() {
        return;
    }
    let server = Server::with(Some("fresh"));
    let url = format!("ws://{}/", server.address());
    let tokens = GraphqlTransport::new(|opening| {
        let token = if opening.refresh { "fresh" } else { "stale" };
        Some(json!({ "token": token }))
    });
    let able = client(&url, config(), tokens);
    let mut hello = able.begin("{ hello }").unwrap();
    assert_eq!(data(&mut hello).await, json!({ "hello": "hello world" }));
    let inits = server.events(|event| event["event"] == "init");
    let tokens: Vec<_> = inits
        .iter()
        .map(|event| &event["payload"]["token"])
        .collect();
    assert_eq!(tokens, ["stale", "fresh"]);
    let wrong = GraphqlTransport::new(|_| Some(json!({ "token": "wrong" })));
    let unable = client(&url, config().auth_limit(3), wrong);
    let mut never = unable.begin("{ hello }").unwrap();
    let failed = until(&unable, "failed", |status| status.phase == Phase::Failed).await;
    assert_eq!(failed.last_cause, Some(Cause::Close(4401)));
    // Who waits for an answer is told that there will be none.
    assert!(answer(&mut never).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_has_asked_for_is_ended() {
    if !server::is_there() {
        return;
    }
    let mut server = Server::start();
    let url = format!("ws://{}/", server.address());
    let client = client(&url, config(), plain());
    let mut counting = client.begin("subscription { count }").unwrap();
    assert_eq!(count(&mut counting).await, 0);
    // An operation that nobody waits for is completed at the server.
    server.command(r#"say {"id":"99","type":"next","payload":{}}"#);
    let complete = r#"{"id":"99","type":"complete"}"#;
    server.wait(1, |event| event["text"] == complete);
    // What is not of the protocol ends the connection, and no more.
    server.command(r#"say {"type":"nonsense"}"#);
    assert_eq!(given(&server, 2, 1), ["1"]);
    begun_again(&mut counting, 0).await;
}
