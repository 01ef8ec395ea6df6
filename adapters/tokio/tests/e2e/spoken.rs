//! What a link says in its protocol, frame by frame.

use std::collections::VecDeque;

use redial::cause::ProtocolError;
use redial::heartbeat::Pulse;
use redial::outbox::{Batch, DropReason, Limits};
use redial::session::{Cadence, Fresh, Settings};
use redial::wire::{Detail, Frame, Refusal};
use redial::{Cause, Gap, Outcome, Phase, Resumption, Welcome};
use redial_tokio::tcp::tcp;
use redial_tokio::wire::Wire;
use redial_tokio::{Greeting, Handshake, Message, Opening, Received, redial, websocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite;

use super::peer::{Server, config, data, fresh, limits, link, settings};
use super::{LONG, caused, ms, next, quick, reach};

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
async fn a_ping_of_each_sort_has_its_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_handle, _incoming) = tcp("127.0.0.1", listener.local_addr().unwrap().port())
        .config(config().build().unwrap())
        .protocol(Wire::new())
        .seed(1)
        .spawn();
    let all = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let hello = framed_read(&mut socket).await;
        assert!(
            matches!(Frame::parse(&hello[1..]), Ok(Frame::Hello(_))),
            "{hello:?}"
        );
        // Both come with one read.
        let mut said = framed(0, &Frame::Welcome(fresh()).to_vec());
        said.extend(framed(1, &5_u64.to_be_bytes()));
        said.extend(framed(0, &Frame::Ping { nonce: 7 }.to_vec()));
        socket.write_all(&said).await.unwrap();
        let mut heard = [
            framed_read(&mut socket).await,
            framed_read(&mut socket).await,
        ];
        heard.sort();
        let own = [&[0], &*Frame::Pong { nonce: 7 }.to_vec()].concat();
        assert_eq!(heard, [own, [&[2], &5_u64.to_be_bytes()[..]].concat()]);
    };
    tokio::time::timeout(LONG, all).await.unwrap();
}

/// A frame of plain TCP.
fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).unwrap();
    [&length.to_be_bytes()[..], &[tag], body].concat()
}

/// The tag and the body of the next one.
async fn framed_read(socket: &mut TcpStream) -> Vec<u8> {
    let length = socket.read_u32().await.unwrap();
    let mut frame = vec![0; usize::try_from(length).unwrap()];
    socket.read_exact(&mut frame).await.unwrap();
    frame
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
    // Nothing else wakes the link for this one, until the connection is stable after 10 s.
    let began = handle.now();
    handle.declare("c".into()).unwrap();
    assert_eq!(peer.data().await, ["#4:c"]);
    assert!(handle.now().since(began) < ms(6_000));
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
