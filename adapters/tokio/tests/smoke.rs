//! A link from end to end.

use std::time::Duration;

use redial_faults::{Behaviour, Server};
use redial_tokio::{Message, websocket};

#[tokio::test]
async fn echoes() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (handle, mut incoming) = websocket(server.url()).unwrap().seed(1).spawn();
    for i in 0..100 {
        handle
            .send(Message::text(format!("{i} hello")))
            .await
            .unwrap();
    }
    for i in 0..100 {
        let message = tokio::time::timeout(Duration::from_secs(5), incoming.recv())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(message.as_text(), Some(format!("{i} hello").as_str()));
    }
    drop(handle);
    assert!(
        tokio::task::spawn_blocking(move || {
            let closed = server.wait_closes(1, Duration::from_secs(5));
            assert_eq!(server.closes(), [Some(1000)]);
            closed
        })
        .await
        .unwrap()
    );
}
