//! A protocol of somebody else: what it hears, says and refuses, and how its messages go together.

use std::io::{ErrorKind, Write};

use redial_adapter::framed::data;
use redial_blocking::redial::backoff::{Backoff, Jitter, Schedule};
use redial_blocking::redial::cause::ProtocolError;
use redial_blocking::redial::inbox::Header;
use redial_blocking::redial::outbox::{Batch, Limits, Outgoing};
use redial_blocking::redial::session::{Fresh, Hello, Settings};
use redial_blocking::redial::{Ack, Cause, Outcome, Phase, Resumption};
use redial_blocking::{
    Builder, Failure, Greeting, Handshake, Heard, Opening, Protocol, Received, Tcp, tcp,
};

use crate::common::peer::Peer;
use crate::common::{SOON, ended_by, ms, quick, wait};
use crate::sessions::{acknowledged, limits, settings};

/// Lines of words; whatever is no word of it is a message without a place.
#[derive(Clone, Default)]
struct Lines {
    /// Bytes that it adds to a batch.
    padding: usize,
    /// The length of an answer to a ping.
    pong: usize,
    /// Pings that have no answer yet.
    pings: usize,
}

impl Protocol<Vec<u8>> for Lines {
    fn begin(&mut self, opening: Opening, _: Hello) -> Greeting<Vec<u8>> {
        self.pings = 0;
        Greeting::More(vec![format!("hi {}", opening.number).into()])
    }

    fn receive(&mut self, message: Vec<u8>, heard: &mut Vec<Heard<Vec<u8>>>) {
        let text = std::str::from_utf8(&message).unwrap();
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        heard.push(match word {
            "ready" => Heard::Ready,
            "say" => Heard::Say(rest.into()),
            "refuse" => Heard::Refused(Failure::new(Cause::Close(4400), rest)),
            "no" => Heard::IntentRefused(rest.parse().unwrap()),
            "have" => Heard::Acked(Ack::Through {
                sequence: rest.parse().unwrap(),
                intents: 0,
            }),
            "seq" => {
                let (sequence, rest) = rest.split_once(' ').unwrap();
                let header = Header::Sequence(sequence.parse().unwrap());
                Heard::Message(Some(header), rest.into())
            }
            "ping" => {
                self.pings += 1;
                Heard::Ping
            }
            _ => Heard::Message(None, message),
        });
    }

    fn send(&mut self, outgoing: &Outgoing<'_, Vec<u8>>) -> Vec<u8> {
        let text = std::str::from_utf8(outgoing.payload).unwrap();
        match (outgoing.sequence, outgoing.intent) {
            (Some(sequence), _) => format!("seq {sequence} {text}").into(),
            (None, Some(intent)) => format!("intent {intent} {text}").into(),
            (None, None) => text.into(),
        }
    }

    fn batch(&mut self, messages: Vec<Vec<u8>>) -> Vec<u8> {
        let mut batch = messages.join(&b'+');
        batch.resize(batch.len() + self.padding, b'.');
        batch
    }

    fn pong(&mut self) -> Option<Vec<u8>> {
        self.pings = self.pings.checked_sub(1)?;
        Some(vec![b'p'; self.pong])
    }
}

fn builder(peer: &Peer, config: redial_blocking::redial::config::Builder) -> Builder<Tcp> {
    let builder = tcp(&peer.addr().to_string()).unwrap();
    builder.config(config.build().unwrap())
}

const fn sessionless(unknown: usize) -> Resumption {
    Resumption::Fresh {
        reason: Fresh::Sessionless,
        server: None,
        restarted: false,
        unknown,
        resent: 0,
    }
}

#[test]
fn acknowledgements_without_sessions() {
    let peer = Peer::start();
    let (handle, incoming) = builder(&peer, acknowledged())
        .protocol(Lines::default())
        .spawn()
        .unwrap();
    let ends = handle.fates();
    for text in ["a", "b"] {
        handle.try_send(text).unwrap();
    }
    let mut line = peer.accept();
    assert_eq!(line.hear_text(), "hi 1");
    // What it says by itself goes ahead of messages, also ahead of being ready.
    line.write(b"say hello");
    line.write(b"ready");
    for heard in ["hello", "seq 1 a", "seq 2 b"] {
        assert_eq!(line.hear_text(), heard);
    }
    let said = [
        "have 1",
        "seq 1 x",
        "seq 1 x",
        "y",
        "refuse that will do",
        "z",
    ];
    line.write_all(said.map(str::as_bytes).into_iter());
    ended_by(&handle, Cause::Close(4400));
    assert_eq!(handle.last_error().as_deref(), Some("that will do"));
    let mut line = peer.accept();
    assert!(line.hear_text().starts_with("hi "));
    // Nobody remembers anything: what was not acknowledged is not sent again.
    handle.try_send("c").unwrap();
    line.write(b"ready");
    line.write(b"seq 1 x");
    assert_eq!(line.hear_text(), "seq 3 c");
    let fates = [(); 2].map(|()| ends.recv_timeout(SOON).unwrap().outcome);
    assert_eq!(fates, [Outcome::Acked, Outcome::Unknown]);
    let expected = [
        Received::Session(sessionless(0)),
        Received::Message(b"x".to_vec()),
        Received::Message(b"y".to_vec()),
        Received::Session(sessionless(1)),
        Received::Message(b"x".to_vec()),
    ];
    for expected in expected {
        assert_eq!(incoming.recv_told_timeout(SOON), Ok(expected));
    }
}

#[test]
fn a_protocol_on_a_link_without_a_session() {
    let peer = Peer::start();
    let (handle, incoming) = builder(&peer, quick())
        .protocol(Lines::default())
        .spawn()
        .unwrap();
    handle.try_send("a").unwrap();
    let mut line = peer.accept();
    assert_eq!(line.hear_text(), "hi 1");
    assert_eq!(handle.status().phase, Phase::Connecting);
    line.write(b"ready");
    assert_eq!(line.hear_text(), "a");
    line.write(b"x");
    // There is no session to tell of.
    let first = incoming.recv_told_timeout(SOON);
    assert_eq!(first, Ok(Received::Message(b"x".to_vec())));
}

#[test]
fn a_refused_intent_is_tried_again() {
    let peer = Peer::start();
    let schedule = Schedule::Fixed { delay: ms(60) };
    let session = Settings {
        intent_backoff: Backoff::new(schedule, Jitter::Full, ms(20)).unwrap(),
        ..Settings::default()
    };
    let (handle, _incoming) = builder(&peer, settings(session, limits()))
        .protocol(Lines::default())
        .spawn()
        .unwrap();
    handle.declare("news").unwrap();
    handle.declare("sport").unwrap();
    let mut line = peer.accept();
    assert_eq!(line.hear_text(), "hi 1");
    line.write(b"ready");
    for heard in ["intent 1 news", "intent 2 sport"] {
        assert_eq!(line.hear_text(), heard);
    }
    line.write(b"no 1");
    assert_eq!(line.hear_text(), "intent 3 news");
}

#[test]
fn a_batch_that_does_not_fit_goes_one_by_one() {
    let batch = Batch {
        messages: 3,
        delay: ms(50),
    };
    let together = Limits {
        batch: Some(batch),
        ..limits()
    };
    for (padding, first) in [(0, "seq 1 a+seq 2 b+seq 3 c"), (200, "seq 1 a")] {
        let peer = Peer::start();
        let config = settings(Settings::default(), together.clone());
        let (handle, _incoming) = builder(&peer, config)
            .max_outgoing(120)
            .protocol(Lines {
                padding,
                ..Lines::default()
            })
            .spawn()
            .unwrap();
        let ends = handle.fates();
        for text in ["a", "b", "c"] {
            handle.try_send(text).unwrap();
        }
        let mut line = peer.accept();
        assert_eq!(line.hear_text(), "hi 1");
        line.write(b"ready");
        assert_eq!(line.hear_text(), first);
        if padding > 0 {
            for heard in ["seq 2 b", "seq 3 c"] {
                assert_eq!(line.hear_text(), heard);
            }
        } else {
            // One that fills the limit goes behind the others, alone; one over it is dropped.
            let long = "d".repeat(100);
            let message = "e".repeat(200);
            for text in ["f", long.as_str(), message.as_str(), "g"] {
                handle.try_send(text).unwrap();
            }
            let long = format!("seq 5 {long}");
            for heard in ["seq 4 f", long.as_str(), "seq 7 g"] {
                assert_eq!(line.hear_text(), heard);
            }
            let fate = ends.recv_timeout(SOON).unwrap();
            assert_eq!(fate.id.number(), 6);
        }
        line.write(b"have 3");
        let fates = [(); 3].map(|()| ends.recv_timeout(SOON).unwrap().outcome);
        assert_eq!(fates, [Outcome::Acked; 3]);
    }
}

/// Says who it is, and waits for a word.
struct Login;

impl Handshake<Vec<u8>> for Login {
    fn begin(&mut self, _: Opening) -> Greeting<Vec<u8>> {
        Greeting::More(vec![b"login".to_vec()])
    }

    fn receive(&mut self, message: Vec<u8>) -> Greeting<Vec<u8>> {
        assert_eq!(message, b"come in");
        Greeting::Ready(vec![b"thanks".to_vec()])
    }
}

#[test]
fn the_applications_handshake_comes_first() {
    let peer = Peer::start();
    let (handle, incoming) = builder(&peer, acknowledged())
        .handshake(Login)
        .protocol(Lines::default())
        .spawn()
        .unwrap();
    handle.try_send("a").unwrap();
    let mut line = peer.accept();
    assert_eq!(line.hear_text(), "login");
    // A ping before the protocol has begun is the transport's.
    line.ping(3);
    assert_eq!(line.hear(), "pong 3");
    line.write(b"come in");
    for heard in ["thanks", "hi 1"] {
        assert_eq!(line.hear_text(), heard);
    }
    line.write(b"ready");
    assert_eq!(line.hear_text(), "seq 1 a");
    line.write(b"x");
    assert_eq!(incoming.recv_timeout(SOON).unwrap(), b"x");
}

#[test]
fn messages_before_the_handshake_is_done_can_not_be() {
    let peer = Peer::start();
    let (handle, incoming) = builder(&peer, acknowledged())
        .protocol(Lines::default())
        .spawn()
        .unwrap();
    let mut line = peer.accept();
    assert_eq!(line.hear_text(), "hi 1");
    line.write(b"too early");
    ended_by(&handle, Cause::Protocol(ProtocolError::Frame));
    assert!(line.is_over());
    assert!(incoming.try_recv_told().is_err());
    assert_eq!(handle.stats().connected, 0);
}

#[test]
fn a_peer_that_reads_nothing_makes_no_words_pile_up() {
    let peer = Peer::start();
    let (handle, _incoming) = builder(&peer, quick())
        .protocol(Lines::default())
        .spawn()
        .unwrap();
    let mut line = peer.accept();
    assert_eq!(line.hear_text(), "hi 1");
    line.write(b"ready");
    wait(&handle, |status| status.phase == Phase::Connected);
    let word = format!("say {}", "x".repeat(60_000));
    let mut frame = data(word.len()).unwrap().to_vec();
    frame.extend_from_slice(word.as_bytes());
    let mut taken = 0_usize;
    // It reads no more once the answers wait, so this end can't write any more either.
    let stuck = loop {
        assert!(taken < 128 << 20, "it hears everything");
        match line.stream(ms(1000)).write(&frame) {
            Ok(count) if count == frame.len() => taken += count,
            Ok(_) => break true,
            Err(error) => break error.kind() == ErrorKind::WouldBlock,
        }
    };
    assert!(stuck);
}

#[test]
fn a_peer_that_reads_no_pongs_gets_the_last_one() {
    const PINGS: usize = 40_000;
    let peer = Peer::start();
    let (handle, incoming) = builder(&peer, quick())
        .protocol(Lines {
            pong: 2000,
            ..Lines::default()
        })
        .spawn()
        .unwrap();
    let mut line = peer.accept();
    assert_eq!(line.hear_text(), "hi 1");
    line.write(b"ready");
    wait(&handle, |status| status.phase == Phase::Connected);
    for _ in 0..PINGS {
        line.write(b"ping");
    }
    line.write(b"done");
    // It reads on, whatever waits to be written.
    assert_eq!(incoming.recv_timeout(SOON).unwrap(), b"done");
    handle.try_send("a").unwrap();
    let mut pongs = 0;
    loop {
        let heard = line.hear_text();
        if heard == "a" {
            break;
        }
        assert_eq!(heard.len(), 2000);
        pongs += 1;
    }
    println!("{pongs} answers to {PINGS} pings");
    assert!((1..PINGS / 2).contains(&pongs), "{pongs}");
}
