//! A link with a protocol of somebody's own, which has no sessions.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{SinkExt, StreamExt};
use redial::heartbeat::Pulse;
use redial::outbox::Outgoing;
use redial::session::Fresh;
use redial::{Ack, Cause, Hello, Outcome, Phase, Resumption};
use redial_tokio::{
    Failure, Greeting, Heard, Message, Opening, Protocol, Received, redial, websocket,
};

use super::peer::{Server, config, link};
use super::{LONG, caused, ms, next, until};

/// A protocol without sessions: "ok N" acknowledges message N, "ask" is answered at length, "hi"
/// begins, "no" refuses.
struct Plain {
    asked: Arc<AtomicUsize>,
    ids: VecDeque<redial::MessageId>,
    ready: bool,
}

impl Plain {
    fn new(ready: bool) -> Self {
        Self {
            asked: Arc::default(),
            ids: VecDeque::new(),
            ready,
        }
    }
}

impl Protocol<Message> for Plain {
    fn begin(&mut self, opening: Opening, hello: Hello) -> Greeting<Message> {
        assert!(opening.number > 0);
        assert_eq!(hello.session, None);
        if self.ready {
            Greeting::Ready(vec!["hello".into()])
        } else {
            Greeting::More(vec!["hello".into()])
        }
    }

    fn receive(&mut self, message: Message, heard: &mut Vec<Heard<Message>>) {
        match message.as_text() {
            Some("hi") => heard.push(Heard::Ready),
            Some("no") => {
                let failure = Failure::new(Cause::Close(4401), "no");
                heard.push(Heard::Refused(failure));
            }
            Some("ok") => heard.extend(self.ids.pop_front().map(|id| Heard::Acked(Ack::One(id)))),
            Some("ask") => {
                self.asked.fetch_add(1, Ordering::Relaxed);
                heard.push(Heard::Say("answer".repeat(10_000).into()));
            }
            _ => heard.push(Heard::Message(None, message)),
        }
    }

    fn send(&mut self, outgoing: &Outgoing<'_, Message>) -> Message {
        self.ids.push_back(outgoing.id);
        outgoing.payload.clone()
    }

    fn batch(&mut self, _: Vec<Message>) -> Message {
        panic!("batching is off");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_protocol_of_its_own_acknowledges_one_by_one() {
    for ready in [true, false] {
        let server = Server::start().await;
        let (handle, mut incoming) = link(&server, config(), Plain::new(ready));
        let mut fates = handle.fates();
        handle.try_send("1".into()).unwrap();
        let mut peer = server.accept().await;
        assert_eq!(peer.hear().await, b"hello");
        if !ready {
            peer.send("too early".into()).await;
            peer.send("hi".into()).await;
        }
        assert_eq!(peer.hear().await, b"1");
        peer.send("ok".into()).await;
        peer.send("news".into()).await;
        let fate = tokio::time::timeout(LONG, fates.recv()).await.unwrap();
        assert_eq!(fate.unwrap().outcome, Outcome::Acked);
        let told = incoming.recv_told().await.unwrap();
        let Received::Session(Resumption::Fresh {
            reason,
            server: None,
            ..
        }) = told
        else {
            panic!("{told:?}");
        };
        assert_eq!(reason, Fresh::Sessionless);
        assert_eq!(next(&mut incoming).await.as_text(), Some("news"));
        // Each connection is a session of its own, so what was under way is reported.
        handle.try_send("2".into()).unwrap();
        assert_eq!(peer.hear().await, b"2");
        peer.send("no".into()).await;
        caused(&handle, Cause::Close(4401)).await;
        let mut peer = server.accept().await;
        assert_eq!(peer.hear().await, b"hello");
        peer.send("hi".into()).await;
        let fate = tokio::time::timeout(LONG, fates.recv()).await.unwrap();
        assert_eq!(fate.unwrap().outcome, Outcome::Unknown);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_do_not_pile_up_for_a_peer_that_reads_nothing() {
    let pulse = Pulse {
        interval: Some(ms(200)),
        pong_deadline: ms(200),
        ..Pulse::default()
    };
    let server = Server::start().await;
    let plain = Plain::new(true);
    let asked = Arc::clone(&plain.asked);
    let (handle, _incoming) = link(&server, config().heartbeat(pulse), plain);
    let peer = server.accept().await;
    until(&handle, "connected", |status| {
        status.phase == Phase::Connected
    })
    .await;
    let (mut sink, _unread) = peer.socket.split();
    let flood = async {
        for _ in 0..100_000 {
            if sink.send("ask".into()).await.is_err() {
                return;
            }
        }
    };
    // It is heard no further, and by and by it is taken for dead.
    let ended = async {
        tokio::join!(flood, caused(&handle, Cause::PongTimeout));
    };
    tokio::time::timeout(LONG, ended).await.unwrap();
    let asked = asked.load(Ordering::Relaxed);
    assert!((64..2_000).contains(&asked), "{asked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_long_to_be_said_ends_the_connection() {
    let server = Server::start().await;
    let (handle, _incoming) = websocket(server.url())
        .unwrap()
        .max_message_size(1_000)
        .config(config().build().unwrap())
        .protocol(Plain::new(true))
        .seed(1)
        .spawn();
    let mut peer = server.accept().await;
    peer.send("ask".into()).await;
    caused(&handle, Cause::Credentials).await;
    assert!(handle.last_error().unwrap().contains("the protocol"));
}
