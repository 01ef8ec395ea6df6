//! JSON heartbeats and batches on real sockets.

use std::time::Duration;

use redial_blocking::json::{JsonHeartbeat, Style};
use redial_blocking::redial::Config;
use redial_blocking::redial::heartbeat::Pulse;
use redial_blocking::redial::outbox::{Batch, Limits};
use redial_blocking::redial::rng::Seed;
use redial_blocking::{Message, websocket};
use redial_faults::{Behaviour, Server};

/// Longer than anything here should take, by far.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn heartbeats_are_measured_and_answered() {
    // An echo makes our ping a ping of the server, and our answer to it the pong to ours.
    let server = Server::start(Behaviour::Echo).unwrap();
    server.keep_received(true);
    let pulse = Pulse {
        interval: Some(Duration::from_millis(50)),
        ..Pulse::default()
    };
    let (handle, incoming) = websocket(&server.url())
        .unwrap()
        .config(Config::builder().heartbeat(pulse).build().unwrap())
        .protocol(JsonHeartbeat::new(Style::Timestamp))
        .seed(Seed::from_number(1))
        .spawn()
        .unwrap();
    let chat = Message::from(r#"{"type":"chat","text":"ping"}"#);
    handle.send(chat.clone()).unwrap();
    assert_eq!(incoming.recv_timeout(LONG), Ok(chat));
    // The message, a ping, its answer, and the ping after that: the first is measured by then.
    assert!(server.wait_received(4, LONG));
    assert!(handle.status().round_trip.is_some());
    assert_eq!(server.pings(), 0, "no other pings were sent");
    // Pings of the transport stay the transport's to answer.
    server.ping_all();
    assert!(server.wait_pongs(1, LONG));
    handle.disconnect();
    assert!(incoming.try_recv().is_err(), "no heartbeat is a message");
    let said = server.received();
    let kinds = ["chat", "ping", "pong", "ping"].map(|kind| format!(r#"{{"type":"{kind}""#));
    for (text, kind) in said.iter().zip(kinds) {
        assert!(text.starts_with(kind.as_bytes()), "{said:?}");
    }
}

#[test]
fn batches_go_out_as_json_and_come_in_as_messages() {
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
    let (handle, incoming) = websocket(&server.url())
        .unwrap()
        .config(Config::builder().outbox(limits).build().unwrap())
        .protocol(protocol.clock(|| Some(Duration::from_millis(5))))
        .seed(Seed::from_number(1))
        .spawn()
        .unwrap();
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
        assert_eq!(incoming.recv_timeout(LONG), Ok(expected));
    }
    let batch = |messages| format!(r#"{{"type":"batch","messages":[{messages}],"timestamp":5}}"#);
    let (first, last) = (batch("1,[2]"), batch("6,7"));
    let wire = [&first, "three", "{\"4\":4.0}", "{}", &last];
    assert_eq!(server.received(), wire.map(|text| text.as_bytes().to_vec()));
}
