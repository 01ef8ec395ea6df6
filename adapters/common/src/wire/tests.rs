//! What a link hears and says by [`Wire`], for every message type.

use redial::cause::{ProtocolError, RetryAfter};
use redial::rng::{Seed, Seeded};
use redial::session::{ServerId, SessionId, Welcome};
use redial::wire::{Body, CloseCode, Detail, Refusal};
use redial::{
    Action, Cause, Closure, Command, Config, Event, Instant, Link, Payload, SendOptions, Verdicts,
};

use super::*;

const HELLO: Hello = Hello {
    session: None,
    last_seen: 3,
    first: 4,
    connection: 5,
};
const WELCOME: Welcome = Welcome {
    session: SessionId::new([1; 16]),
    server: ServerId::new([2; 16]),
    resumed: true,
    last_seen: 5,
    intents: 6,
    first: 7,
};

fn begun() -> Wire {
    let mut wire = Wire::new();
    let greeting: Greeting<Vec<u8>> = wire.begin(Opening::new(1, false), HELLO);
    assert_eq!(greeting, Greeting::More(vec![Frame::Hello(HELLO).to_vec()]));
    wire
}

fn welcomed() -> Wire {
    let mut wire = begun();
    let heard = hear(&mut wire, Frame::Welcome(WELCOME));
    assert_eq!(heard, [Heard::Welcome(WELCOME)]);
    wire
}

fn hear(wire: &mut Wire, frame: Frame<'_>) -> Vec<Heard<Vec<u8>>> {
    hear_bytes(wire, frame.to_vec())
}

fn hear_bytes<M: Carrier>(wire: &mut Wire, message: M) -> Vec<Heard<M>> {
    let mut heard = Vec::new();
    wire.receive(message, &mut heard);
    heard
}

/// The failure that is all there is to hear.
fn refused<M: Carrier + std::fmt::Debug>(mut heard: Vec<Heard<M>>) -> Failure {
    assert_eq!(heard.len(), 1, "{heard:?}");
    match heard.pop() {
        Some(Heard::Refused(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

/// What a link offers of this message.
fn offered<M: Payload, T>(payload: M, then: impl FnOnce(Outgoing<'_, M>) -> T) -> T {
    let now = Instant::ORIGIN;
    let mut link = Link::new(Config::default(), Seeded::new(Seed::from_number(1), 1));
    link.handle(now, Event::Command(Command::Start));
    let mut dialled = None;
    while let Some(action) = link.poll_action() {
        if let Action::Connect { epoch, .. } = action {
            dialled = Some(epoch);
        }
    }
    let epoch = dialled.unwrap();
    link.handle(now, Event::Opened(epoch));
    assert!(link.send(now, payload, SendOptions::new()).is_ok());
    then(link.peek(now, epoch).unwrap())
}

const fn data(sequence: u64, body: Body<'_>) -> Frame<'_> {
    Frame::Data {
        sequence,
        resent: false,
        body,
    }
}

#[test]
fn messages_are_framed_with_their_place() {
    offered(b"payload".to_vec(), |mut outgoing| {
        let mut wire = welcomed();
        let body = Body::Binary(b"payload");
        assert_eq!(wire.send(&outgoing), data(0, body).to_vec());
        outgoing.sequence = Some(300);
        let sent = wire.send(&outgoing);
        assert_eq!(sent, data(300, body).to_vec());
        assert_eq!(sent.capacity(), sent.len());
        outgoing.resent = true;
        let frame = Frame::Data {
            sequence: 300,
            resent: true,
            body,
        };
        assert_eq!(wire.send(&outgoing), frame.to_vec());
        outgoing.sequence = None;
        outgoing.intent = Some(9);
        let number = NonZero::new(9).unwrap();
        assert_eq!(
            wire.send(&outgoing),
            Frame::Intent { number, body }.to_vec()
        );
    });
}

#[test]
fn messages_are_heard_with_their_place() {
    let mut wire = welcomed();
    let body = Body::Binary(b"payload");
    for (sequence, header) in [(0, None), (300, Some(Header::Sequence(300)))] {
        let heard = hear(&mut wire, data(sequence, body));
        assert_eq!(heard, [Heard::Message(header, b"payload".to_vec())]);
    }
    let heard = hear(
        &mut wire,
        Frame::Ack {
            sequence: 7,
            intents: 8,
        },
    );
    let ack = Ack::Through {
        sequence: 7,
        intents: 8,
    };
    assert_eq!(heard, [Heard::Acked(ack)]);
    let said: Option<Vec<u8>> = wire.acknowledge(7, 8);
    assert_eq!(
        said,
        Some(
            Frame::Ack {
                sequence: 7,
                intents: 8
            }
            .to_vec()
        )
    );
}

#[test]
fn batches_are_joined_and_heard_in_order() {
    let mut wire = welcomed();
    let one = data(1, Body::Binary(b"one")).to_vec();
    let two = data(0, Body::Binary(b"")).to_vec();
    let three = data(2, Body::Text("three")).to_vec();
    let batch: Vec<u8> = wire.batch(vec![one, two, three]);
    assert_eq!(batch[0], Kind::Batch.byte());
    let heard = hear_bytes(&mut wire, batch);
    let expected = [
        Heard::Message(Some(Header::Sequence(1)), b"one".to_vec()),
        Heard::Message(None, Vec::new()),
        Heard::Message(Some(Header::Sequence(2)), b"three".to_vec()),
    ];
    assert_eq!(heard, expected);
    // All of it, or nothing.
    let intent = Frame::Intent {
        number: NonZero::<u64>::MIN,
        body: Body::Text(""),
    };
    let joined = Batch::join([&expected_frame()[..], &intent.to_vec()]).unwrap();
    let failure = refused(hear_bytes(&mut wire, joined));
    assert_eq!(failure.detail, "a frame out of place: Intent");
    // What is no batch is none on the other end either.
    let wrong: Vec<u8> = wire.batch(vec![expected_frame()]);
    assert_eq!(
        Frame::parse(&wrong),
        Err(redial::wire::WireError::Truncated { field: "kind" })
    );
}

fn expected_frame() -> Vec<u8> {
    data(1, Body::Binary(b"one")).to_vec()
}

#[test]
fn a_declined_intent_is_refused() {
    let mut wire = welcomed();
    let decline = Frame::Decline {
        number: std::num::NonZero::new(7).unwrap(),
        detail: redial::wire::Detail::new("full"),
    };
    assert_eq!(hear(&mut wire, decline), [Heard::IntentRefused(7)]);
    let mut wire = Wire::new();
    let early = hear(&mut wire, decline);
    assert!(matches!(early[..], [Heard::Refused(_)]), "{early:?}");
}

#[test]
fn heartbeats_are_the_transports_unless_asked_for() {
    let mut wire = welcomed();
    assert_eq!(Protocol::<Vec<u8>>::ping(&mut wire, 7), None);
    assert_eq!(Protocol::<Vec<u8>>::pong(&mut wire), None);
    // Whoever asks by a frame is answered by one, once.
    assert_eq!(hear(&mut wire, Frame::Ping { nonce: 300 }), [Heard::Ping]);
    let pong = Frame::Pong { nonce: 300 };
    assert_eq!(wire.pong(), Some(pong.to_vec()));
    assert_eq!(Protocol::<Vec<u8>>::pong(&mut wire), None);
    assert_eq!(hear(&mut wire, pong), [Heard::Pong(Some(300))]);
    let mut wire = Wire::new().with_pings();
    assert_eq!(wire.ping(7), Some(Frame::Ping { nonce: 7 }.to_vec()));
    // A ping of one connection is not answered on the next.
    hear(&mut wire, Frame::Ping { nonce: 300 });
    let _: Greeting<Vec<u8>> = wire.begin(Opening::new(2, false), HELLO);
    assert_eq!(Protocol::<Vec<u8>>::pong(&mut wire), None);
}

#[test]
fn frames_have_their_time() {
    let number = NonZero::<u64>::MIN;
    let body = Body::Binary(b"x");
    let ack = Frame::Ack {
        sequence: 1,
        intents: 0,
    };
    let joined = Batch::join([&expected_frame()[..], &expected_frame()]).unwrap();
    let batch = Frame::parse(&joined).unwrap();
    let early = [data(1, body), ack, batch];
    for (mut wire, frames) in [
        (begun(), &early[..]),
        (
            begun(),
            &[Frame::Hello(HELLO), Frame::Intent { number, body }],
        ),
        (
            welcomed(),
            &[
                Frame::Hello(HELLO),
                Frame::Welcome(WELCOME),
                Frame::Intent { number, body },
            ],
        ),
    ] {
        for frame in frames {
            let failure = refused(hear(&mut wire, *frame));
            let cause = Cause::Protocol(ProtocolError::Frame);
            assert_eq!(failure.closure, cause.into(), "{frame:?}");
            assert!(failure.detail.contains("out of place"), "{failure}");
        }
    }
    // A new connection begins from the beginning.
    let mut wire = welcomed();
    let _: Greeting<Vec<u8>> = wire.begin(Opening::new(2, false), HELLO);
    refused(hear(&mut wire, early[0]));
    assert_eq!(
        hear(&mut wire, Frame::Welcome(WELCOME)),
        [Heard::Welcome(WELCOME)]
    );
}

#[test]
fn refusals_have_their_causes() {
    let hinted = Closure::hinted(
        Cause::Close(1013),
        RetryAfter::new(
            std::time::Duration::from_millis(1500),
            std::time::Duration::from_millis(1),
        ),
    );
    let rows: [(_, Closure, _, _); 5] = [
        (
            Refusal::Version {
                lowest: 2,
                highest: 3,
            },
            Cause::Protocol(ProtocolError::Version).into(),
            "update\n",
            "refused: the server speaks versions 2 to 3, this client version 1: \"update\\n\"",
        ),
        (
            Refusal::Malformed,
            Cause::Protocol(ProtocolError::Frame).into(),
            "",
            "refused: the server calls a frame malformed",
        ),
        (
            Refusal::Busy { retry_after: 0 },
            Cause::Close(1013).into(),
            "full",
            "refused: the server is busy: \"full\"",
        ),
        (
            Refusal::Busy { retry_after: 1500 },
            hinted,
            "",
            "refused: the server is busy for 1500 ms",
        ),
        (
            Refusal::Custom(CloseCode::new(4401).unwrap()),
            Cause::Close(4401).into(),
            "",
            "refused: the server says 4401",
        ),
    ];
    for (refusal, closure, words, detail) in rows {
        let frame = Frame::Refuse {
            refusal,
            detail: Detail::new(words),
        };
        // At any time.
        for mut wire in [begun(), welcomed()] {
            let failure = refused(hear(&mut wire, frame));
            assert_eq!(failure, Failure::new(closure, detail));
        }
    }
    let verdicts = Verdicts::new();
    let of_version = verdicts.of(Cause::Protocol(ProtocolError::Version));
    assert!(of_version.is_final());
    assert!(!verdicts.of(Cause::Close(1013)).is_final());
}

#[test]
fn what_is_no_frame_has_its_cause() {
    let rows: [(&[u8], _, _); 4] = [
        (b"\x04\x80\x01", ProtocolError::Frame, "flags 0x80"),
        (b"{}", ProtocolError::Frame, "no frame begins with 123"),
        (b"\x02\x02", ProtocolError::Version, "version 2"),
        (b"\x04\x01\x01a\xff", ProtocolError::Utf8, "byte 1"),
    ];
    for (bytes, error, detail) in rows {
        let failure = refused(hear_bytes(&mut welcomed(), bytes.to_vec()));
        assert_eq!(failure.closure, Cause::Protocol(error).into(), "{bytes:?}");
        assert!(failure.detail.contains(detail), "{failure}");
    }
}

#[cfg(feature = "bytes")]
#[test]
fn bytes_are_shared() {
    use bytes::Bytes;

    let text = Bytes::from(data(1, Body::Text("text")).to_vec());
    let heard = hear_bytes(&mut welcomed(), text.clone());
    let [Heard::Message(Some(Header::Sequence(1)), message)] = &heard[..] else {
        panic!("{heard:?}");
    };
    assert_eq!(
        (&message[..], message.as_ptr()),
        (&b"text"[..], text[3..].as_ptr())
    );
    let wrong = Bytes::from_static(b"\x04\x01\x01\xff");
    let failure = refused(hear_bytes(&mut welcomed(), wrong));
    assert_eq!(failure.closure, Cause::Protocol(ProtocolError::Utf8).into());
    let joined = Bytes::from(Batch::join([&text[..], &text]).unwrap());
    let heard = hear_bytes(&mut welcomed(), joined.clone());
    let [_, Heard::Message(_, message)] = &heard[..] else {
        panic!("{heard:?}");
    };
    assert_eq!(message.as_ptr(), joined[joined.len() - 4..].as_ptr());
}

#[cfg(feature = "tungstenite")]
#[test]
fn text_stays_text() {
    use crate::Message;

    let mut wire = welcomed();
    for message in [Message::text("grüße"), Message::binary(&b"\xff"[..])] {
        offered(message.clone(), |outgoing| {
            let sent = wire.send(&outgoing);
            let Message::Binary(bytes) = &sent else {
                panic!("{sent:?}");
            };
            let body = match &message {
                Message::Text(text) => Body::Text(text),
                Message::Binary(bytes) => Body::Binary(bytes),
            };
            assert_eq!(Frame::parse(bytes), Ok(data(0, body)));
            let heard = hear_bytes(&mut wire, sent.clone());
            assert_eq!(heard, [Heard::Message(None, message.clone())]);
            let Heard::Message(_, back) = &heard[0] else {
                panic!("{heard:?}");
            };
            assert_eq!(back.as_bytes().as_ptr(), bytes[3..].as_ptr());
            let batch = wire.batch(vec![sent.clone(), sent.clone()]);
            let heard = hear_bytes(&mut wire, batch);
            assert_eq!(
                heard,
                [
                    Heard::Message(None, message.clone()),
                    Heard::Message(None, message)
                ]
            );
        });
    }
    // Frames are binary, whatever is in them.
    let failure = refused(hear_bytes(&mut wire, Message::text("\x04\0\0")));
    assert_eq!(
        failure.closure,
        Cause::Protocol(ProtocolError::Frame).into()
    );
    let wrong = Message::binary(&b"\x04\x01\x01c\xff"[..]);
    let failure = refused(hear_bytes(&mut wire, wrong));
    assert_eq!(failure.closure, Cause::Protocol(ProtocolError::Utf8).into());
    assert!(failure.detail.contains("byte 1"), "{failure}");
}
