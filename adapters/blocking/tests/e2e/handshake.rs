//! What is said between opened and ready: ahead of the queue, and unseen by the application.

use std::sync::{Arc, Mutex};

use redial_blocking::redial::config::Quick;
use redial_blocking::redial::{Cause, Phase};
use redial_blocking::{Attempt, Failure, Greeting, Handshake, Message, Opening, Request, tcp};
use redial_faults::{Behaviour, Frame, FramedServer, Server};

use crate::common::{SOON, builder, ended_by, ms, quick, wait};

/// Says two things and wants both echoed; then a third, whose echo is the application's.
#[derive(Default)]
struct Hello {
    heard: u32,
}

impl Hello {
    fn hear<M: From<&'static str>>(&mut self, text: &[u8]) -> Greeting<M> {
        self.heard += 1;
        match (self.heard, text) {
            (1, b"hello") => Greeting::More(vec!["again".into()]),
            (2, b"again") => Greeting::Ready(vec!["done".into()]),
            _ => panic!("{:?}", String::from_utf8_lossy(text)),
        }
    }
}

impl Handshake<Message> for Hello {
    fn begin(&mut self, _: Opening) -> Greeting<Message> {
        self.heard = 0;
        Greeting::More(vec!["hello".into()])
    }

    fn receive(&mut self, message: Message) -> Greeting<Message> {
        self.hear(message.as_bytes())
    }
}

impl Handshake<Vec<u8>> for Hello {
    fn begin(&mut self, _: Opening) -> Greeting<Vec<u8>> {
        self.heard = 0;
        Greeting::More(vec!["hello".into()])
    }

    fn receive(&mut self, message: Vec<u8>) -> Greeting<Vec<u8>> {
        self.hear(&message)
    }
}

/// Says nothing, takes "welcome" or "hello" for a yes, and "stale" for a no unless the credentials are fresh.
#[derive(Clone, Default)]
struct Login {
    openings: Arc<Mutex<Vec<(u32, bool)>>>,
}

impl Handshake<Message> for Login {
    fn begin(&mut self, opening: Opening) -> Greeting<Message> {
        let mut openings = self.openings.lock().unwrap();
        openings.push((opening.number, opening.refresh));
        Greeting::More(Vec::new())
    }

    fn receive(&mut self, message: Message) -> Greeting<Message> {
        let fresh = self.openings.lock().unwrap().last().unwrap().1;
        match message.as_text() {
            Some("stale") if !fresh => Greeting::Refused(Failure::new(Cause::Close(4401), "stale")),
            Some("welcome" | "hello" | "stale") => Greeting::Ready(Vec::new()),
            other => Greeting::Refused(Failure::new(Cause::NotWebSocket, format!("{other:?}"))),
        }
    }
}

fn says(texts: &[&str]) -> Behaviour {
    let text = |text: &&str| Frame::Text((*text).to_owned());
    Behaviour::SendFirst(texts.iter().map(text).collect())
}

#[test]
fn a_hello_goes_ahead_of_the_queue() {
    let server = Server::start(Behaviour::Echo).unwrap();
    server.keep_received(true);
    let (handle, incoming) = builder(&server.url(), quick())
        .handshake(Hello::default())
        .spawn()
        .unwrap();
    for queued in ["1", "2"] {
        handle.try_send(queued).unwrap();
    }
    for echo in ["done", "1", "2"] {
        let message = incoming.recv_timeout(SOON).unwrap();
        assert_eq!(message.as_text(), Some(echo));
    }
    let received = server.received();
    assert_eq!(received, [&b"hello"[..], b"again", b"done", b"1", b"2"]);
    // What the handshake hears is not counted as received; nothing went astray.
    let stats = handle.stats();
    assert_eq!((stats.received, stats.stale), (3, 0), "{stats:?}");
    // And the same on the next connection.
    server.drop_all();
    ended_by(&handle, Cause::Lost);
    handle.try_send("3").unwrap();
    for echo in ["done", "3"] {
        let message = incoming.recv_timeout(SOON).unwrap();
        assert_eq!(message.as_text(), Some(echo));
    }
    assert_eq!(
        server.received_after(5),
        [&b"hello"[..], b"again", b"done", b"3"]
    );
}

#[test]
fn framed_tcp_says_hello_too() {
    let server = FramedServer::start(Behaviour::Echo).unwrap();
    let (handle, incoming) = tcp(&server.addr().to_string())
        .unwrap()
        .config(quick().build().unwrap())
        .handshake(Hello::default())
        .spawn()
        .unwrap();
    handle.try_send("1").unwrap();
    for echo in ["done", "1"] {
        assert_eq!(incoming.recv_timeout(SOON).unwrap(), echo.as_bytes());
    }
}

#[test]
fn a_server_without_an_answer_is_left_at_the_deadline() {
    for (silent, config) in [
        (Behaviour::Ignore, quick().ready_deadline(Some(ms(100)))),
        // The connect deadline stands for one that was not given.
        (Behaviour::Sink, quick()),
    ] {
        let server = Server::start(silent).unwrap();
        let (handle, incoming) = builder(&server.url(), config)
            .handshake(Hello::default())
            .spawn()
            .unwrap();
        handle.try_send("1").unwrap();
        ended_by(&handle, Cause::ReadyTimeout);
        wait(&handle, |status| status.attempt > 1);
        assert!(server.wait_handshakes(2, SOON));
        assert_eq!((handle.stats().connected, handle.status().queued), (0, 1));
        server.set(Behaviour::Echo);
        handle.reconnect();
        for echo in ["done", "1"] {
            let message = incoming.recv_timeout(SOON).unwrap();
            assert_eq!(message.as_text(), Some(echo));
        }
    }
}

#[test]
fn a_refusal_asks_for_fresh_credentials() {
    let server = Server::start(says(&["stale", "news"])).unwrap();
    let url = server.url();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let provider = move |attempt: Attempt| {
        log.lock().unwrap().push(attempt.refresh);
        Ok(Request::websocket(&url).unwrap())
    };
    let login = Login::default();
    let (handle, incoming) = builder(&server.url(), quick())
        .provider(provider)
        .handshake(login.clone())
        .spawn()
        .unwrap();
    // What comes right behind the last word of the handshake is the application's.
    let message = incoming.recv_timeout(SOON).unwrap();
    assert_eq!(message.as_text(), Some("news"));
    assert_eq!(*asked.lock().unwrap(), [false, true]);
    assert_eq!(*login.openings.lock().unwrap(), [(1, false), (1, true)]);
    assert_eq!(handle.status().last_cause, Some(Cause::Close(4401)));
    assert_eq!(handle.last_error().as_deref(), Some("stale"));
    // Only one of the two was ever connected.
    let stats = handle.stats();
    assert_eq!((stats.connected, stats.disconnected), (1, 0));
}

#[test]
fn a_full_inbox_does_not_hold_up_a_handshake() {
    let server = Server::start(says(&["welcome", "a", "b", "c", "d", "e"])).unwrap();
    let (handle, incoming) = builder(&server.url(), quick())
        .handshake(Login::default())
        .incoming_limit(1, 1 << 20)
        .spawn()
        .unwrap();
    for times in 1..=3 {
        crate::common::until("connected", || handle.stats().connected == times);
        handle.reconnect();
    }
    // Nobody has read so far, and nobody sees what the handshake heard.
    let message = incoming.recv_timeout(SOON).unwrap();
    assert_eq!(message.as_text(), Some("a"));
}

#[test]
fn closes_and_pings_during_a_handshake() {
    let close = Behaviour::CloseWith {
        code: 1012,
        reason: String::new(),
        after: ms(20),
    };
    let server = Server::start(close).unwrap();
    let config = quick().ready_deadline(Some(SOON));
    let (handle, _incoming) = builder(&server.url(), config.clone())
        .handshake(Login::default())
        .spawn()
        .unwrap();
    ended_by(&handle, Cause::Close(1012));

    let server = FramedServer::start(Behaviour::Sink).unwrap();
    let (handle, _incoming) = tcp(&server.addr().to_string())
        .unwrap()
        .config(config.build().unwrap())
        .handshake(Hello::default())
        .spawn()
        .unwrap();
    assert!(server.wait_received(1, SOON));
    server.ping_all();
    assert!(server.wait_pongs(1, SOON));
    assert_eq!(handle.status().phase, Phase::Connecting);
    handle.disconnect();
    assert!(server.wait_closes(1, SOON));
    wait(&handle, |status| status.phase == Phase::Closed);
}

#[test]
fn what_is_too_long_to_be_said_fails_the_attempt() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (handle, _incoming) = builder(&server.url(), quick())
        .max_outgoing(4)
        .handshake(Hello::default())
        .spawn()
        .unwrap();
    ended_by(&handle, Cause::Credentials);
    assert!(handle.last_error().unwrap().contains("handshake"));
    wait(&handle, |status| status.attempt > 1);
}

#[test]
fn a_server_that_greets_and_drops_earns_no_quick_retries() {
    let server = Server::start(Behaviour::DropAfter {
        after: ms(50),
        greet: true,
    })
    .unwrap();
    let quick_retries = Quick {
        cost: ms(10),
        burst: 1000,
        ..Quick::default()
    };
    let (handle, _incoming) = builder(&server.url(), quick().quick(Some(quick_retries)))
        .handshake(Login::default())
        .spawn()
        .unwrap();
    // What the handshake hears is no use of the connection, so each dial counts.
    let status = wait(&handle, |status| status.attempt >= 4);
    assert_eq!(status.last_cause, Some(Cause::Lost));
    assert!(handle.stats().dials <= 4, "{:?}", handle.stats());
}
