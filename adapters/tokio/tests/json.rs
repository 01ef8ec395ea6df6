//! JSON heartbeats on real sockets.

use std::time::Duration;

use redial::heartbeat::Pulse;
use redial::outbox::{Batch, Limits};
use redial::{Cause, Config};
use redial_faults::{Behaviour, Server};
use redial_tokio::json::{JsonHeartbeat, Style};
use redial_tokio::{Handle, Incoming, Message, redial, websocket};

/// Longer than anything here should take, by far.
const LONG: Duration = Duration::from_secs(60);

fn link(server: &Server, style: Style) -> (Handle<Message>, Incoming<Message>) {
    let pulse = Pulse {
        interval: Some(Duration::from_millis(50)),
        pong_deadline: Duration::from_millis(300),
        ..Pulse::default()
    };
    websocket(server.url())
        .unwrap()
        .config(Config::builder().heartbeat(pulse).build().unwrap())
        .protocol(JsonHeartbeat::new(style))
        .seed(1)
        .spawn()
}

fn received(server: &Server, kind: &str) -> usize {
    let start = format!(r#"{{"type":"{kind}""#);
    let all = server.received();
    all.iter()
        .filter(|text| text.starts_with(start.as_bytes()))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_ends_beat_and_the_application_hears_nothing_of_it() {
    // An echo makes our ping a ping of the server, and our answer to it the pong to ours.
    let server = Server::start(Behaviour::Echo).unwrap();
    server.keep_received(true);
    for style in [Style::Bare, Style::Timestamp, Style::ConnectionId] {
        let before = (received(&server, "ping"), received(&server, "pong"));
        let all = server.received_count();
        let (handle, mut incoming) = link(&server, style);
        let chat = Message::from(r#"{"type":"chat","text":"ping"}"#);
        handle.try_send(chat.clone()).unwrap();
        let first = tokio::time::timeout(LONG, incoming.recv()).await.unwrap();
        assert_eq!(first, Some(chat));
        // The message, a ping, its answer, and the ping after that: the first is measured by then.
        assert!(server.wait_received(all + 4, LONG));
        assert!(handle.status().round_trip.is_some());
        // Pings of the transport stay the transport's to answer.
        let pongs = server.pongs();
        server.ping_all();
        assert!(server.wait_pongs(pongs + 1, LONG));
        assert_eq!(handle.stats().connected, 1);
        handle.disconnect().await;
        assert_eq!(incoming.recv().await, None, "{style:?}");
        assert!(received(&server, "ping") >= before.0 + 2);
        let answers = received(&server, "pong") - before.1;
        let asked = received(&server, "ping") - before.0;
        assert!((1..=asked).contains(&answers), "{answers} of {asked}");
    }
    assert_eq!(server.pings(), 0, "no other pings were sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_answers_no_json_ping_is_left() {
    let server = Server::start(Behaviour::Sink).unwrap();
    server.keep_received(true);
    let (handle, _incoming) = link(&server, Style::Timestamp);
    let mut watch = handle.watch();
    let left = watch.wait_for(|status| status.last_cause == Some(Cause::PongTimeout));
    tokio::time::timeout(LONG, left).await.unwrap().unwrap();
    assert!(received(&server, "ping") >= 1);
    assert_eq!(server.pings(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_go_out_as_json_and_come_in_as_messages() {
    let server = Server::start(Behaviour::Echo).unwrap();
    server.keep_received(true);
    let limits = Limits {
        batch: Some(Batch {
            messages: 7,
            delay: Duration::from_millis(10),
        }),
        ..Limits::default()
    };
    let protocol = JsonHeartbeat::new(Style::Bare).open_batches(7);
    let (handle, mut incoming) = websocket(server.url())
        .unwrap()
        .config(Config::builder().outbox(limits).build().unwrap())
        .protocol(protocol.clock(|| Some(Duration::from_millis(5))))
        .seed(1)
        .spawn();
    // Neither bytes nor what is no JSON can stand in a batch, and nothing overtakes them.
    let bytes = Message::binary(b"{}".to_vec());
    let sent = [
        Message::from("1"),
        "[2]".into(),
        "three".into(),
        "{\"4\":4.0}".into(),
        bytes,
        "6".into(),
        "7".into(),
    ];
    for message in &sent {
        handle.try_send(message.clone()).unwrap();
    }
    for expected in sent {
        let echo = tokio::time::timeout(LONG, incoming.recv()).await.unwrap();
        assert_eq!(echo, Some(expected));
    }
    let received = server.received();
    let batch = |messages| format!(r#"{{"type":"batch","messages":[{messages}],"timestamp":5}}"#);
    let (first, last) = (batch("1,[2]"), batch("6,7"));
    let wire = [&first, "three", "{\"4\":4.0}", "{}", &last];
    assert_eq!(received, wire.map(|text| text.as_bytes().to_vec()));
}
