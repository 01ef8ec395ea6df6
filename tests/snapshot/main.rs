//! Law 10 with snapshots: a link that is written down and read back before every input does what
//! one does that never was. And what is read back is checked.

use core::time::Duration;

use proptest::prelude::*;
use redial::outbox::{Batch, Limits};
use redial::rng::{Seed, Seeded};
use redial::session::{OnFresh, ServerId, SessionId, Settings};
use redial::{
    Ack, Action, Cause, Command, Config, Delivery, Epoch, Event, Fate, Frame, Header, Hint,
    Inbound, Instant, Link, MessageId, Resumption, SendOptions, Snapshot, Welcome,
};

type Subject = Link<Vec<u8>, Seeded>;

/// One input, as small numbers that any link can take.
#[derive(Clone, Copy, Debug)]
struct Input {
    kind: u8,
    small: u8,
    wait: u16,
}

/// A peeked message: name, tries, sequence, intent, resent, payload.
type Peeked = (MessageId, u16, Option<u64>, Option<u64>, bool, Vec<u8>);

/// What a link said to one input.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Actions(Vec<Action>),
    Sent(Option<MessageId>),
    Peeked(Option<Peeked>),
    Fate(Option<Fate<Vec<u8>>>),
    Inbound(Inbound),
    Resumption(Option<Resumption>),
}

fn config(session: bool, batch: bool) -> Config {
    let settings = Settings {
        on_fresh: OnFresh::Resend,
        ..Settings::default()
    };
    Config::builder()
        .ready_deadline(session.then_some(Duration::from_secs(5)))
        .session(session.then_some(settings))
        .outbox(Limits {
            messages: 6,
            ttl: Some(Duration::from_secs(20)),
            batch: batch.then(Batch::default),
            ..Limits::default()
        })
        .build()
        .unwrap()
}

/// The last epoch that the link has handed out.
fn apply(link: &mut Subject, epoch: &mut Option<Epoch>, now: Instant, input: Input) -> Said {
    let small = u64::from(input.small);
    let mut event = None;
    match (input.kind, *epoch) {
        (0, _) => event = Some(Event::Command(Command::Start)),
        (1, _) => {
            let delivery = match (small % 2, link.config().session()) {
                (0, Some(_)) => Delivery::Acknowledged,
                _ => Delivery::AtMostOnce,
            };
            let options = SendOptions::new().delivery(delivery);
            return Said::Sent(link.send(now, vec![input.small; 3], options).ok());
        }
        (2 | 3, Some(epoch)) => {
            let next = link.peek(now, epoch).map(|next| {
                let payload = next.payload.clone();
                (
                    next.id,
                    next.tries,
                    next.sequence,
                    next.intent,
                    next.resent,
                    payload,
                )
            });
            if let Some(next) = &next {
                link.commit(now, epoch, next.0);
            }
            return Said::Peeked(next);
        }
        (4, Some(epoch)) => {
            event = Some(Event::Flushed(epoch, MessageId::from_number(small)));
        }
        (5, Some(epoch)) => {
            let ack = Ack::Through {
                sequence: small % 8,
                intents: small % 2,
            };
            event = Some(Event::Acked(epoch, ack));
        }
        (6, Some(epoch)) => {
            return Said::Inbound(link.receive(now, epoch, Header::Sequence(small % 16), 3));
        }
        (7, Some(epoch)) => event = Some(Event::Opened(epoch)),
        (8, Some(epoch)) => {
            link.hello(epoch);
            let welcome = Welcome {
                session: SessionId::new([1; 16]),
                server: ServerId::new([input.small % 2; 16]),
                resumed: small % 3 != 0,
                last_seen: small % 4,
                intents: small % 2,
                first: small % 5,
            };
            return Said::Resumption(link.welcome(now, epoch, &welcome));
        }
        (9, Some(epoch)) => event = Some(Event::Closed(epoch, Cause::Lost.into())),
        (10, Some(epoch)) => event = Some(Event::Frame(epoch, Frame::Data)),
        (11, Some(epoch)) => event = Some(Event::Frame(epoch, Frame::Pong(None))),
        (12, _) => return Said::Fate(link.poll_fate()),
        (13, _) => {
            let hint = [Hint::Online, Hint::Offline][input.small as usize % 2];
            event = Some(Event::Hint(hint));
        }
        (14, _) if small < 32 => event = Some(Event::Command(Command::Disconnect)),
        (14, _) if small < 64 => {
            event = Some(Event::Command(Command::Drain(Duration::from_secs(3))));
        }
        (15, _) => {
            return Said::Sent(
                link.declare(now, vec![7])
                    .ok()
                    .map(|_| MessageId::from_number(0)),
            );
        }
        _ => {}
    }
    link.handle(now, event.unwrap_or(Event::Tick));
    let mut actions = Vec::new();
    while let Some(action) = link.poll_action() {
        if let Action::Connect { epoch: begun, .. } = action {
            *epoch = Some(begun);
        }
        actions.push(action);
    }
    Said::Actions(actions)
}

/// The link, written down and read back.
fn again(link: &Subject) -> Subject {
    let text = serde_json::to_string(&link.snapshot()).unwrap();
    let snapshot: Snapshot<Vec<u8>> = serde_json::from_str(&text).unwrap();
    Link::restore(link.config().clone(), link.rng().clone(), snapshot).unwrap()
}

fn input() -> impl Strategy<Value = Input> {
    (0_u8..17, any::<u8>(), prop_oneof![0_u16..50, 0_u16..30_000])
        .prop_map(|(kind, small, wait)| Input { kind, small, wait })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn law_10_a_restored_link_does_what_the_original_does(
        inputs in prop::collection::vec(input(), 1..150),
        session in any::<bool>(),
        batch in any::<bool>(),
    ) {
        let rng = Seeded::new(Seed::from_number(5), 1);
        let mut original: Subject = Link::new(config(session, batch), rng);
        let mut copy = original.clone();
        let (mut of_original, mut of_copy) = (None, None);
        let mut now = Instant::ORIGIN;
        for input in inputs {
            now = now + Duration::from_millis(input.wait.into());
            copy = again(&copy);
            let said = apply(&mut original, &mut of_original, now, input);
            prop_assert_eq!(&said, &apply(&mut copy, &mut of_copy, now, input));
            prop_assert_eq!(original.poll_timeout(), copy.poll_timeout());
            prop_assert_eq!(original.status(), copy.status());
            prop_assert_eq!(original.stats(), copy.stats());
            prop_assert_eq!(original.snapshot(), copy.snapshot());
        }
    }

    #[test]
    fn a_damaged_snapshot_is_refused_or_works(
        inputs in prop::collection::vec(input(), 1..60),
        at in any::<prop::sample::Index>(),
        number in prop_oneof![0_u64..10, any::<u64>()],
        after in prop::collection::vec(input(), 1..40),
    ) {
        let rng = Seeded::new(Seed::from_number(5), 1);
        let mut link: Subject = Link::new(config(true, false), rng.clone());
        let mut epoch = None;
        let mut now = Instant::ORIGIN;
        for input in inputs {
            now = now + Duration::from_millis(input.wait.into());
            apply(&mut link, &mut epoch, now, input);
        }
        // One number of all that are in it is another.
        let mut value = serde_json::to_value(link.snapshot()).unwrap();
        let mut numbers = Vec::new();
        collect(&mut value, &mut numbers);
        let at = at.index(numbers.len());
        *numbers[at] = number.into();
        let Ok(snapshot) = serde_json::from_value::<Snapshot<Vec<u8>>>(value) else {
            return Ok(());
        };
        if let Ok(mut link) = Link::restore(link.config().clone(), rng, snapshot) {
            // It may do anything but panic or grow.
            for input in after {
                now = now + Duration::from_millis(input.wait.into());
                apply(&mut link, &mut epoch, now, input);
            }
            prop_assert!(link.outbox().queued() + link.outbox().in_flight() <= 12);
        }
    }
}

fn collect<'a>(value: &'a mut serde_json::Value, into: &mut Vec<&'a mut serde_json::Value>) {
    match value {
        serde_json::Value::Number(_) => into.push(value),
        serde_json::Value::Array(list) => list.iter_mut().for_each(|value| collect(value, into)),
        serde_json::Value::Object(map) => map.values_mut().for_each(|value| collect(value, into)),
        _ => {}
    }
}
