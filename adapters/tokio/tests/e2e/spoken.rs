//! What a link says in its protocol, frame by frame, to a peer that says what the test wants.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{SinkExt, StreamExt};
use redial::cause::ProtocolError;
use redial::heartbeat::Pulse;
use redial::outbox::{Batch, DropReason, Limits, Outgoing};
use redial::session::{Cadence, Fresh, ServerId, SessionId, Settings};
use redial::wire::{Body, Detail, Frame, Refusal};
use redial::{Ack, Cause, Delivery, Gap, Hello, Outcome, Phase, Resumption, Welcome};
use redial_tokio::wire::Wire;
use redial_tokio::{
    Failure, Greeting, Handle, Handshake, Heard, Incoming, Message, Opening, Protocol, Received,
    redial, websocket,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;

use super::{LONG, caused, ms, next, quick, reach, until, windows};

/// A server of one client at a time, in the hands of a test.
struct Server {
    listener: TcpListener,
}

struct Peer {
    socket: WebSocketStream<TcpStream>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener }
    }

    fn url(&self) -> String {
        format!("ws://{}/", self.listener.local_addr().unwrap())
    }

    async fn accept(&self) -> Peer {
        let accept = async {
            let (stream, _) = self.listener.accept().await.unwrap();
            tokio_tungstenite::accept_async(stream).await.unwrap()
        };
        let socket = tokio::time::timeout(LONG, accept).await.expect("a dial");
        Peer { socket }
    }

    /// A connection whose hello was answered by a welcome to a new session.
    async fn welcome(&self) -> Peer {
        let mut peer = self.accept().await;
        assert_eq!(peer.hello().await.session, None);
        peer.say(Frame::Welcome(fresh())).await;
        peer
    }
}

impl Peer {
    async fn say(&mut self, frame: Frame<'_>) {
        self.send(tungstenite::Message::binary(frame.to_vec()))
            .await;
    }

    async fn send(&mut self, message: tungstenite::Message) {
        self.socket.send(message).await.unwrap();
    }

    async fn hear_any(&mut self) -> tungstenite::Message {
        let heard = tokio::time::timeout(LONG, self.socket.next()).await;
        heard
            .expect("something in time")
            .expect("an open line")
            .unwrap()
    }

    /// The next message, pings aside.
    async fn hear(&mut self) -> Vec<u8> {
        loop {
            match self.hear_any().await {
                tungstenite::Message::Ping(_) | tungstenite::Message::Pong(_) => {}
                other => return other.into_data().to_vec(),
            }
        }
    }

    async fn hello(&mut self) -> Hello {
        match Frame::parse(&self.hear().await).unwrap() {
            Frame::Hello(hello) => hello,
            other => panic!("{other:?}"),
        }
    }

    /// Sequence or number, and text, of the messages that one of the transport carries.
    async fn data(&mut self) -> Vec<String> {
        let heard = self.hear().await;
        let one = |frame: Frame<'_>| match frame {
            Frame::Data { sequence, body, .. } => format!("{sequence}:{}", words(&body)),
            Frame::Intent { number, body } => format!("#{number}:{}", words(&body)),
            other => panic!("{other:?}"),
        };
        match Frame::parse(&heard).unwrap() {
            Frame::Batch(batch) => batch.frames().map(one).collect(),
            other => vec![one(other)],
        }
    }

    async fn acknowledged(&mut self) -> u64 {
        match Frame::parse(&self.hear().await).unwrap() {
            Frame::Ack { sequence, .. } => sequence,
            other => panic!("{other:?}"),
        }
    }
}

fn words(body: &Body<'_>) -> String {
    String::from_utf8_lossy(body.bytes()).into_owned()
}

const fn data(sequence: u64, text: &str) -> Frame<'_> {
    Frame::Data {
        sequence,
        resent: false,
        body: Body::Text(text),
    }
}

const fn fresh() -> Welcome {
    Welcome {
        session: SessionId::new([1; 16]),
        server: ServerId::new([2; 16]),
        resumed: false,
        last_seen: 0,
        intents: 0,
        first: 1,
    }
}

fn settings() -> Settings {
    Settings {
        acks: Cadence {
            delay: ms(50),
            ..Cadence::default()
        },
        intent_backoff: windows(10, 40),
        ..Settings::default()
    }
}

fn limits() -> Limits {
    Limits {
        delivery: Delivery::Acknowledged,
        ..Limits::default()
    }
}

fn config() -> redial::config::Builder {
    let quiet = Pulse {
        interval: None,
        ..Pulse::default()
    };
    quick()
        .heartbeat(quiet)
        .session(Some(settings()))
        .outbox(limits())
}

type Link = (Handle<Message>, Incoming<Message>);

fn link(
    server: &Server,
    config: redial::config::Builder,
    protocol: impl Protocol<Message>,
) -> Link {
    websocket(server.url())
        .unwrap()
        .config(config.build().unwrap())
        .protocol(protocol)
        .seed(1)
        .spawn()
}

/// Says "login" and waits for "welcome".
struct Login;

impl Handshake<Message> for Login {
    fn begin(&mut self, _: Opening) -> Greeting<Message> {
        Greeting::More(vec!["login".into()])
    }

    fn receive(&mut self, message: Message) -> Greeting<Message> {
        assert_eq!(message, "welcome".into());
        Greeting::Ready(vec!["thanks".into()])
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_handshake_then_the_protocol_then_messages() {
    let server = Server::start().await;
    let (handle, mut incoming) = websocket(server.url())
        .unwrap()
        .config(config().build().unwrap())
        .handshake(Login)
        .protocol(Wire::new())
        .seed(1)
        .spawn();
    handle.try_send("1".into()).unwrap();
    handle.declare("a".into()).unwrap();
    let mut peer = server.accept().await;
    assert_eq!(peer.hear().await, b"login");
    peer.send("welcome".into()).await;
    assert_eq!(peer.hear().await, b"thanks");
    let hello = peer.hello().await;
    assert_eq!((hello.session, hello.last_seen, hello.first), (None, 0, 1));
    assert_eq!(handle.status().phase, Phase::Connecting);
    // What comes right behind the welcome is the application's.
    peer.say(Frame::Welcome(fresh())).await;
    peer.say(data(1, "news")).await;
    assert_eq!(next(&mut incoming).await.as_text(), Some("news"));
    assert_eq!(peer.data().await, ["#1:a"]);
    assert_eq!(peer.data().await, ["1:1"]);
    let stats = handle.stats();
    assert_eq!(
        (stats.received, stats.connected, stats.stale),
        (1, 1, 0),
        "{stats:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_without_a_welcome_is_left_at_the_deadline() {
    let server = Server::start().await;
    let (handle, _incoming) = link(&server, config().connect_deadline(ms(100)), Wire::new());
    handle.try_send("1".into()).unwrap();
    let mut peer = server.accept().await;
    peer.hello().await;
    caused(&handle, Cause::ReadyTimeout).await;
    let mut peer = server.accept().await;
    peer.hello().await;
    peer.say(Frame::Welcome(fresh())).await;
    assert_eq!(peer.data().await, ["1:1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_are_answered_in_the_words_in_which_they_came() {
    let server = Server::start().await;
    let (_handle, _incoming) = link(&server, config(), Wire::new());
    let mut peer = server.welcome().await;
    peer.say(Frame::Ping { nonce: 7 }).await;
    let pong = Frame::Pong { nonce: 7 }.to_vec();
    assert_eq!(peer.hear_any().await.into_data(), pong);
    peer.send(tungstenite::Message::Ping("8".into())).await;
    assert_eq!(
        peer.hear_any().await,
        tungstenite::Message::Pong("8".into())
    );
    // Each has its answer, and only its own.
    peer.say(Frame::Ping { nonce: 9 }).await;
    let pong = Frame::Pong { nonce: 9 }.to_vec();
    assert_eq!(peer.hear_any().await.into_data(), pong);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_protocol_pings_if_it_can() {
    let pulse = Pulse {
        interval: Some(ms(50)),
        pong_deadline: ms(500),
        ..Pulse::default()
    };
    for pings in [true, false] {
        let server = Server::start().await;
        let wire = if pings {
            Wire::new().with_pings()
        } else {
            Wire::new()
        };
        let (handle, _incoming) = link(&server, config().heartbeat(pulse.clone()), wire);
        let mut peer = server.welcome().await;
        match peer.hear_any().await {
            tungstenite::Message::Binary(bytes) if pings => {
                let Frame::Ping { nonce } = Frame::parse(&bytes).unwrap() else {
                    panic!("{bytes:?}");
                };
                assert_eq!(handle.status().round_trip, None);
                peer.say(Frame::Pong { nonce }).await;
                // The next one comes only if this was taken for an answer.
                peer.hear_any().await;
                assert!(handle.status().round_trip.is_some());
            }
            tungstenite::Message::Ping(_) if !pings => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_is_acknowledged_in_time_and_what_came_twice_is_dropped() {
    let server = Server::start().await;
    let (handle, mut incoming) = link(&server, config(), Wire::new());
    let mut peer = server.welcome().await;
    for number in 1..=40 {
        peer.say(data(number, &number.to_string())).await;
    }
    // By count at the latest after 32, and the rest by time.
    let first = peer.acknowledged().await;
    assert!((32..=40).contains(&first), "{first}");
    if first < 40 {
        assert_eq!(peer.acknowledged().await, 40);
    }
    peer.say(data(39, "39")).await;
    assert_eq!(peer.acknowledged().await, 40);
    peer.say(data(45, "45")).await;
    peer.say(data(0, "unnumbered")).await;
    assert_eq!(peer.acknowledged().await, 45);
    let told = incoming.recv_told().await.unwrap();
    assert!(matches!(told, Received::Session(_)), "{told:?}");
    for number in 1..=40 {
        let expected = Message::from(number.to_string());
        assert_eq!(
            incoming.recv_told().await,
            Some(Received::Message(expected))
        );
    }
    let gap = Gap { from: 41, to: 44 };
    assert_eq!(incoming.recv_told().await, Some(Received::Gap(gap)));
    assert_eq!(next(&mut incoming).await.as_text(), Some("45"));
    assert_eq!(next(&mut incoming).await.as_text(), Some("unnumbered"));
    let stats = handle.stats();
    assert_eq!((stats.duplicates, stats.missed, stats.received), (1, 4, 43));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_word_before_a_close_is_an_acknowledgement() {
    let server = Server::start().await;
    let slow = Settings {
        acks: Cadence {
            delay: LONG,
            ..Cadence::default()
        },
        ..settings()
    };
    let (handle, mut incoming) = link(&server, config().session(Some(slow)), Wire::new());
    let mut peer = server.welcome().await;
    peer.say(data(1, "1")).await;
    next(&mut incoming).await;
    let closing = handle.clone();
    let closed = tokio::spawn(async move { closing.disconnect().await });
    assert_eq!(peer.acknowledged().await, 1);
    assert!(matches!(
        peer.hear_any().await,
        tungstenite::Message::Close(_)
    ));
    drop(peer);
    tokio::time::timeout(LONG, closed).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_one_message_of_the_transport() {
    let server = Server::start().await;
    let batch = Batch {
        messages: 5,
        delay: ms(300),
    };
    let config = config().outbox(Limits {
        batch: Some(batch),
        ..limits()
    });
    let (handle, _incoming) = link(&server, config, Wire::new());
    for number in 1..=12 {
        handle.try_send(number.to_string().into()).unwrap();
    }
    handle.declare("a".into()).unwrap();
    let mut peer = server.welcome().await;
    assert_eq!(peer.data().await, ["#1:a"]);
    assert_eq!(peer.data().await, ["1:1", "2:2", "3:3", "4:4", "5:5"]);
    assert_eq!(peer.data().await, ["6:6", "7:7", "8:8", "9:9", "10:10"]);
    assert_eq!(peer.data().await, ["11:11", "12:12"]);
    // A message that comes alone waits for its time, and goes as it is.
    let began = handle.now();
    handle.try_send("13".into()).unwrap();
    assert_eq!(peer.data().await, ["13:13"]);
    assert!(handle.now().since(began) >= ms(300));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_too_long_together_go_alone() {
    let server = Server::start().await;
    let batch = Batch {
        messages: 3,
        delay: ms(20),
    };
    let config = config().outbox(Limits {
        batch: Some(batch),
        ..limits()
    });
    let (handle, _incoming) = websocket(server.url())
        .unwrap()
        .max_message_size(100)
        .config(config.build().unwrap())
        .protocol(Wire::new())
        .seed(1)
        .spawn();
    let mut fates = handle.fates();
    let long = "x".repeat(60);
    for text in [
        &*long,
        &long,
        &long,
        "a",
        "b",
        &"y".repeat(100),
        "c",
        "d",
        "e",
    ] {
        handle.try_send(text.into()).unwrap();
    }
    let mut peer = server.welcome().await;
    let mut heard = VecDeque::new();
    while heard.len() < 8 {
        heard.extend(peer.data().await);
    }
    let mut expected: Vec<String> = (1..=3).map(|n| format!("{n}:{long}")).collect();
    expected.extend(["4:a", "5:b", "7:c", "8:d", "9:e"].map(str::to_owned));
    assert_eq!(heard, expected);
    let fate = tokio::time::timeout(LONG, fates.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(fate.id.number(), 6);
    assert_eq!(fate.outcome, Outcome::Dropped(DropReason::TooBig));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declined_intent_is_written_again_in_its_own_time() {
    let server = Server::start().await;
    let (handle, _incoming) = link(&server, config(), Wire::new());
    for intent in ["a", "b"] {
        handle.declare(intent.into()).unwrap();
    }
    let mut peer = server.welcome().await;
    assert_eq!(peer.data().await, ["#1:a"]);
    assert_eq!(peer.data().await, ["#2:b"]);
    let number = std::num::NonZero::new(1).unwrap();
    let detail = Detail::new("later");
    peer.say(Frame::Decline { number, detail }).await;
    assert_eq!(peer.data().await, ["#3:a"]);
    assert_eq!((handle.stats().connected, handle.stats().stale), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_protocol_that_can_not_go_on_ends_the_connection() {
    let server = Server::start().await;
    let (handle, mut incoming) = link(&server, config(), Wire::new());
    let mut peer = server.welcome().await;
    peer.say(data(1, "1")).await;
    peer.send("no frame".into()).await;
    peer.say(data(2, "2")).await;
    caused(&handle, Cause::Protocol(ProtocolError::Frame)).await;
    assert!(handle.last_error().unwrap().contains("text message"));
    // What came before counts, what came behind does not; and the session goes on.
    let mut peer = server.accept().await;
    let hello = peer.hello().await;
    assert_eq!((hello.session, hello.last_seen), (Some(fresh().session), 1));
    let refusal = Refusal::Version {
        lowest: 9,
        highest: 9,
    };
    let detail = Detail::new("");
    peer.say(Frame::Refuse { refusal, detail }).await;
    reach(&handle, Phase::Failed).await;
    assert_eq!(
        handle.status().last_cause,
        Some(Cause::Protocol(ProtocolError::Version))
    );
    assert_eq!(next(&mut incoming).await.as_text(), Some("1"));
    assert_eq!(incoming.recv().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_welcome_that_can_not_be_asks_for_a_fresh_session() {
    let server = Server::start().await;
    let (handle, _incoming) = link(&server, config(), Wire::new());
    drop(server.welcome().await);
    let mut peer = server.accept().await;
    assert!(peer.hello().await.session.is_some());
    // It has seen what was never sent.
    let resumed = Welcome {
        resumed: true,
        last_seen: 5,
        ..fresh()
    };
    peer.say(Frame::Welcome(resumed)).await;
    let mut peer = server.welcome().await;
    handle.try_send("1".into()).unwrap();
    assert_eq!(peer.data().await, ["1:1"]);
    let Some(Resumption::Fresh { reason, .. }) = handle.status().resumption else {
        panic!("{:?}", handle.status());
    };
    assert_eq!(reason, Fresh::Mismatch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_only_the_protocol_has_is_refused_in_words() {
    let server = Server::start().await;
    let (handle, _incoming) = link(&server, quick(), Wire::new());
    let mut peer = server.accept().await;
    let hello = peer.hello().await;
    assert_eq!((hello.session, hello.first), (None, 1));
    peer.say(Frame::Welcome(fresh())).await;
    caused(&handle, Cause::Protocol(ProtocolError::Frame)).await;
    assert!(handle.last_error().unwrap().contains("sessions"));
}

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
