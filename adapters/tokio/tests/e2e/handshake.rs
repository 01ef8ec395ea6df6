//! What is said between opened and ready: ahead of the queue, and unseen by the application.

use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use redial::config::Quick;
use redial::{Cause, Phase};
use redial_faults::{Behaviour, Frame, FramedServer, Server};
use redial_tokio::tcp::tcp;
use redial_tokio::{
    Attempt, Failure, Greeting, Handshake, Message, Opening, redial, websocket, websocket_with,
};

use super::{LONG, caused, ms, next, quick, reach, until};

/// Says two things and wants both echoed; then a third, whose echo is the application's.
#[derive(Default)]
struct Hello {
    heard: u32,
}

impl<M: From<&'static str> + Send + AsText> Handshake<M> for Hello {
    fn begin(&mut self, _: Opening) -> Greeting<M> {
        self.heard = 0;
        Greeting::More(vec!["hello".into()])
    }

    fn receive(&mut self, message: M) -> Greeting<M> {
        self.heard += 1;
        match (self.heard, message.text()) {
            (1, b"hello") => Greeting::More(vec!["again".into()]),
            (2, b"again") => Greeting::Ready(vec!["done".into()]),
            (_, text) => panic!("{:?}", String::from_utf8_lossy(text)),
        }
    }
}

/// What both protocols carry.
trait AsText {
    fn text(&self) -> &[u8];
}

impl AsText for Message {
    fn text(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsText for bytes::Bytes {
    fn text(&self) -> &[u8] {
        self
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hello_goes_ahead_of_the_queue() {
    let server = Server::start(Behaviour::Echo).unwrap();
    server.keep_received(true);
    let (handle, mut incoming) = websocket(server.url())
        .unwrap()
        .config(quick().build().unwrap())
        .handshake(Hello::default())
        .seed(1)
        .spawn();
    for queued in ["1", "2"] {
        handle.try_send(queued.into()).unwrap();
    }
    for echo in ["done", "1", "2"] {
        assert_eq!(next(&mut incoming).await.as_text(), Some(echo));
    }
    let received = server.received();
    assert_eq!(received, [&b"hello"[..], b"again", b"done", b"1", b"2"]);
    // What the handshake hears is not counted as received; nothing went astray.
    let stats = handle.stats();
    assert_eq!((stats.received, stats.stale), (3, 0), "{stats:?}");
    // And the same on the next connection.
    server.drop_all();
    caused(&handle, Cause::Lost).await;
    handle.try_send("3".into()).unwrap();
    for echo in ["done", "3"] {
        assert_eq!(next(&mut incoming).await.as_text(), Some(echo));
    }
    assert_eq!(
        server.received_after(5),
        [&b"hello"[..], b"again", b"done", b"3"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_and_framed_tcp_say_hello_too() {
    let server = FramedServer::start(Behaviour::Echo).unwrap();
    let config = quick().build().unwrap();
    let mut link = tcp("127.0.0.1", server.addr().port())
        .config(config)
        .handshake(Hello::default())
        .into_stream();
    let all = async {
        link.send("1".into()).await.unwrap();
        for echo in ["done", "1"] {
            assert_eq!(link.next().await.unwrap().unwrap(), echo.as_bytes());
        }
    };
    tokio::time::timeout(LONG, all).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_an_answer_is_left_at_the_deadline() {
    for (silent, config) in [
        (Behaviour::Ignore, quick().ready_deadline(Some(ms(100)))),
        // The connect deadline stands for one that was not given.
        (Behaviour::Sink, quick()),
    ] {
        let server = Server::start(silent).unwrap();
        let (handle, mut incoming) = websocket(server.url())
            .unwrap()
            .config(config.build().unwrap())
            .handshake(Hello::default())
            .seed(1)
            .spawn();
        handle.try_send("1".into()).unwrap();
        caused(&handle, Cause::ReadyTimeout).await;
        until(&handle, "retried", |status| status.attempt > 1).await;
        assert!(server.wait_handshakes(2, LONG));
        assert_eq!((handle.stats().connected, handle.status().queued), (0, 1));
        server.set(Behaviour::Echo);
        handle.reconnect();
        assert_eq!(next(&mut incoming).await.as_text(), Some("done"));
        assert_eq!(next(&mut incoming).await.as_text(), Some("1"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_asks_for_fresh_credentials() {
    let server = Server::start(says(&["stale", "news"])).unwrap();
    let url = server.url();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let provider = move |attempt: Attempt| {
        log.lock().unwrap().push(attempt.refresh);
        std::future::ready(Ok(url.clone()))
    };
    let login = Login::default();
    let (handle, mut incoming) = websocket_with(provider)
        .config(quick().build().unwrap())
        .handshake(login.clone())
        .seed(1)
        .spawn();
    // What comes right behind the last word of the handshake is the application's.
    assert_eq!(next(&mut incoming).await.as_text(), Some("news"));
    assert_eq!(*asked.lock().unwrap(), [false, true]);
    assert_eq!(*login.openings.lock().unwrap(), [(1, false), (1, true)]);
    assert_eq!(handle.status().last_cause, Some(Cause::Close(4401)));
    assert_eq!(handle.last_error().as_deref(), Some("stale"));
    // Only one of the two was ever connected.
    let stats = handle.stats();
    assert_eq!((stats.connected, stats.disconnected), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_inbox_does_not_hold_up_a_handshake() {
    let server = Server::start(says(&["welcome", "a", "b", "c", "d", "e"])).unwrap();
    let (handle, mut incoming) = websocket(server.url())
        .unwrap()
        .config(quick().build().unwrap())
        .handshake(Login::default())
        .inbox(1, 1 << 20)
        .seed(1)
        .spawn();
    for connected in 1..=3 {
        until(&handle, "connected", |_| {
            handle.stats().connected == connected
        })
        .await;
        handle.reconnect();
    }
    // Nobody has read so far, and nobody sees what the handshake heard.
    assert_eq!(next(&mut incoming).await.as_text(), Some("a"));
    assert_ne!(next(&mut incoming).await.as_text(), Some("welcome"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closes_and_pings_during_a_handshake() {
    let close = Behaviour::CloseWith {
        code: 1012,
        reason: String::new(),
        after: ms(20),
    };
    let server = Server::start(close).unwrap();
    let config = quick().ready_deadline(Some(LONG)).build().unwrap();
    let (handle, _incoming) = websocket(server.url())
        .unwrap()
        .config(config.clone())
        .handshake(Login::default())
        .seed(1)
        .spawn();
    caused(&handle, Cause::Close(1012)).await;

    let server = FramedServer::start(Behaviour::Sink).unwrap();
    let (handle, _incoming) = tcp("127.0.0.1", server.addr().port())
        .config(config)
        .handshake(Hello::default())
        .seed(1)
        .spawn();
    assert!(server.wait_received(1, LONG));
    server.ping_all();
    assert!(server.wait_pongs(1, LONG));
    assert_eq!(handle.status().phase, Phase::Connecting);
    let back = tokio::time::timeout(LONG, handle.disconnect()).await;
    assert!(back.unwrap().is_empty());
    assert!(server.wait_closes(1, LONG));
    reach(&handle, Phase::Closed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_long_to_be_said_fails_the_attempt() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (handle, _incoming) = websocket(server.url())
        .unwrap()
        .max_message_size(4)
        .config(quick().build().unwrap())
        .handshake(Hello::default())
        .seed(1)
        .spawn();
    caused(&handle, Cause::Credentials).await;
    assert!(handle.last_error().unwrap().contains("handshake"));
    until(&handle, "retried", |status| status.attempt > 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_greets_and_drops_earns_no_quick_retries() {
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
    let (handle, _incoming) = websocket(server.url())
        .unwrap()
        .config(quick().quick(Some(quick_retries)).build().unwrap())
        .handshake(Login::default())
        .seed(1)
        .spawn();
    // What the handshake hears is no use of the connection, so each dial counts.
    let status = until(&handle, "counted", |status| status.attempt >= 4).await;
    assert_eq!(status.last_cause, Some(Cause::Lost));
    assert!(handle.stats().dials <= 4, "{:?}", handle.stats());
}
