//! What of a link outlives its process: nothing is lost, nothing is used twice.

use core::time::Duration;

use redial::carryover::{Carried, Carryover, CarryoverError, Standing};
use redial::outbox::{DropReason, Limits};
use redial::rng::{Seed, Seeded};
use redial::session::{Fresh, OnFresh, ServerId, SessionId, Settings};
use redial::{
    Action, Cause, Command, Config, Delivery, Epoch, Event, Instant, Link, MessageId, Outcome,
    Resumption, SendOptions, Welcome,
};

type Subject = Link<&'static str, Seeded>;

const AWAY: Duration = Duration::from_secs(60);

fn config(on_fresh: OnFresh) -> Config {
    Config::builder()
        .ready_deadline(Some(Duration::from_secs(5)))
        .session(Some(Settings {
            on_fresh,
            ..Settings::default()
        }))
        .build()
        .unwrap()
}

fn rng() -> Seeded {
    Seeded::new(Seed::from_number(1), 1)
}

fn acked() -> SendOptions {
    SendOptions::new().delivery(Delivery::Acknowledged)
}

/// Starts the link and brings it to where its handshake is due.
fn open(link: &mut Subject, now: Instant) -> Epoch {
    link.handle(now, Event::Command(Command::Start));
    let first = link.poll_action().unwrap();
    let Action::Changed(_) = first else {
        panic!("{first:?}")
    };
    let Some(Action::Connect { epoch, .. }) = link.poll_action() else {
        panic!("a start dials")
    };
    link.handle(now, Event::Opened(epoch));
    epoch
}

fn welcome(resumed: bool, last_seen: u64) -> Welcome {
    Welcome {
        session: SessionId::new([7; 16]),
        server: ServerId::new([1; 16]),
        resumed,
        last_seen,
        intents: 0,
        first: 1,
    }
}

/// Writes everything that may be written.
fn write(link: &mut Subject, now: Instant, epoch: Epoch) -> Vec<(&'static str, Option<u64>, bool)> {
    let mut written = Vec::new();
    while let Some(next) = link.peek(now, epoch) {
        let id = next.id;
        written.push((*next.payload, next.sequence, next.resent));
        assert!(link.commit(now, epoch, id));
    }
    written
}

/// A link in a session that has written `a` (at most once), `b`, `c` (acknowledged), and holds
/// `d` and `e` back.
fn busy() -> (Subject, Instant) {
    let now = Instant::ORIGIN;
    let mut link: Subject = Link::new(config(OnFresh::Report), rng());
    let epoch = open(&mut link, now);
    link.hello(epoch).unwrap();
    link.welcome(now, epoch, &welcome(false, 0)).unwrap();
    link.declare(now, "i").unwrap();
    link.send(now, "a", SendOptions::new()).unwrap();
    link.send(now, "b", acked()).unwrap();
    link.send(now, "c", acked()).unwrap();
    let written = write(&mut link, now, epoch);
    assert_eq!(
        written,
        [
            ("i", None, false),
            ("a", None, false),
            ("b", Some(1), false),
            ("c", Some(2), false)
        ]
    );
    link.handle(now, Event::Closed(epoch, Cause::Lost.into()));
    // Its fate is taken: it is not carried over.
    let fate = link.poll_fate().unwrap();
    assert_eq!((fate.outcome, fate.payload), (Outcome::Unknown, Some("a")));
    link.send(now, "d", acked().ttl(AWAY * 2)).unwrap();
    link.send(now, "e", acked().ttl(AWAY / 2)).unwrap();
    link.send(now, "f", acked()).unwrap();
    (link, now)
}

#[test]
fn a_revived_link_resumes_its_session_and_replays_what_is_missing() {
    let (link, _) = busy();
    let carryover = link.into_carryover();
    assert_eq!(carryover.check(), Ok(()));
    let text = serde_json::to_string(&Carryover::clone(&carryover)).unwrap();
    assert!(text.contains("\"sequences\":5"), "{text}");
    let now = Instant::from_origin(Duration::from_secs(1_000));
    let mut link = Link::revive(config(OnFresh::Report), rng(), now, carryover, AWAY).unwrap();
    // While it is closed nothing is due but what has expired meanwhile.
    assert_eq!(link.poll_timeout(), Some(now));
    let epoch = open(&mut link, now);
    assert_eq!(epoch.number(), 2, "no epoch is used twice");
    let hello = link.hello(epoch).unwrap();
    assert_eq!(
        (hello.session, hello.last_seen, hello.first),
        (Some(SessionId::new([7; 16])), 0, 1)
    );
    let outcome = link.welcome(
        now,
        epoch,
        &Welcome {
            intents: 1,
            ..welcome(true, 1)
        },
    );
    assert!(matches!(outcome, Some(Resumption::Resumed { .. })));
    // `b` has arrived, the intent too; `e` has expired.
    let written = write(&mut link, now, epoch);
    assert_eq!(
        written,
        [
            ("c", Some(2), false),
            ("d", Some(3), false),
            ("f", Some(5), false)
        ]
    );
    let fates: Vec<_> = std::iter::from_fn(|| link.poll_fate())
        .map(|fate| (fate.id.number(), fate.outcome))
        .collect();
    assert_eq!(fates, [(5, Outcome::Expired), (2, Outcome::Acked)]);
    // What is left of `d` is its time to live less what has passed.
    assert!(link.poll_timeout().unwrap() <= now + AWAY);
    let id = link.send(now, "g", acked()).unwrap();
    assert_eq!(id.number(), 7, "no name is used twice");
}

#[test]
fn in_a_fresh_session_what_was_written_is_reported_or_sent_again() {
    for on_fresh in [OnFresh::Report, OnFresh::Resend] {
        let (link, now) = busy();
        let carryover = link.into_carryover();
        let mut link =
            Link::revive(config(on_fresh), rng(), now, carryover, Duration::ZERO).unwrap();
        let epoch = open(&mut link, now);
        link.hello(epoch).unwrap();
        let outcome = link.welcome(now, epoch, &welcome(false, 0)).unwrap();
        let (unknown, resent) = match on_fresh {
            OnFresh::Report => (2, 0),
            OnFresh::Resend => (0, 2),
        };
        assert_eq!(
            outcome,
            Resumption::Fresh {
                reason: Fresh::Forgotten,
                server: Some(ServerId::new([1; 16])),
                restarted: false,
                unknown,
                resent,
            }
        );
        let mut expected = vec![("i", None, false)];
        if on_fresh == OnFresh::Resend {
            expected.extend([("b", Some(1), true), ("c", Some(2), true)]);
        }
        expected.extend([
            ("d", Some(3), false),
            ("e", Some(4), false),
            ("f", Some(5), false),
        ]);
        assert_eq!(write(&mut link, now, epoch), expected);
    }
}

#[test]
fn at_most_once_what_was_in_flight_is_unknown() {
    let now = Instant::ORIGIN;
    let mut link: Subject = Link::new(Config::default(), rng());
    let epoch = open(&mut link, now);
    link.send(now, "a", SendOptions::new()).unwrap();
    assert_eq!(write(&mut link, now, epoch).len(), 1);
    link.send(now, "b", SendOptions::new()).unwrap();
    link.send(now, "v", SendOptions::new().volatile()).unwrap();
    let carryover = link.into_carryover();
    let expired = carryover
        .fates
        .iter()
        .map(|fate| (fate.id.number(), fate.outcome));
    assert_eq!(expired.collect::<Vec<_>>(), [(3, Outcome::Expired)]);
    let mut link = Link::revive(Config::default(), rng(), now, carryover, AWAY).unwrap();
    let fates: Vec<_> = std::iter::from_fn(|| link.poll_fate()).collect();
    let told: Vec<_> = fates
        .iter()
        .map(|fate| (fate.outcome, fate.payload))
        .collect();
    assert_eq!(
        told,
        [(Outcome::Expired, None), (Outcome::Unknown, Some("a"))]
    );
    assert_eq!((link.outbox().queued(), link.outbox().in_flight()), (1, 0));
    assert_eq!(link.outbox().account(), (3, 2));
}

#[test]
fn what_was_carried_over_is_never_dropped_for_room() {
    let (link, now) = busy();
    let limits = Limits {
        messages: 3,
        ..Limits::default()
    };
    let small = config(OnFresh::Report)
        .to_builder()
        .outbox(limits)
        .build()
        .unwrap();
    let mut link = Link::revive(small, rng(), now, link.into_carryover(), Duration::ZERO).unwrap();
    assert_eq!((link.outbox().in_flight(), link.outbox().queued()), (2, 3));
    link.handle(now, Event::Command(Command::Start));
    // The queue gives way as ever; what the peer may have doesn't.
    link.send(now, "g", acked()).unwrap();
    let fates: Vec<_> = std::iter::from_fn(|| link.poll_fate())
        .map(|fate| (fate.id.number(), fate.outcome))
        .collect();
    let dropped = Outcome::Dropped(DropReason::Overflow);
    assert_eq!(fates, [(4, dropped), (5, dropped), (6, dropped)]);
    assert_eq!((link.outbox().in_flight(), link.outbox().queued()), (2, 1));
}

#[test]
fn what_breaks_a_rule_is_refused_with_all_that_was_in_it() {
    let message = |id: u64, sequence: u64, tries: u16| Carried {
        id: MessageId::from_number(id),
        sequence: Some(sequence),
        tries,
        resent: false,
        ttl: None,
        payload: "x",
    };
    let mut good = Carryover::default();
    (good.accepted, good.sequences, good.intents) = (5, 5, 5);
    let with = |messages: Vec<Carried<&'static str>>| {
        let mut carryover = good.clone();
        carryover.messages = messages;
        carryover
    };
    assert_eq!(
        with(vec![message(1, 1, 1), message(2, 4, 0)]).check(),
        Ok(())
    );
    let ids = CarryoverError::Id {
        next: 2,
        before: 2,
        last: 5,
    };
    assert_eq!(
        with(vec![message(2, 1, 0), message(2, 2, 0)]).check(),
        Err(ids)
    );
    let future = CarryoverError::Id {
        next: 6,
        before: 0,
        last: 5,
    };
    assert_eq!(with(vec![message(6, 1, 0)]).check(), Err(future));
    let order = CarryoverError::Sequence {
        next: 1,
        before: 1,
        last: 5,
    };
    assert_eq!(
        with(vec![message(1, 1, 0), message(2, 1, 0)]).check(),
        Err(order)
    );
    let behind = CarryoverError::WrittenBehindUnwritten { id: 2 };
    let bad = with(vec![message(1, 1, 0), message(2, 2, 1)]);
    assert_eq!(bad.check(), Err(behind));
    let mut intent = good.clone();
    intent.standing.push(Standing {
        id: 1,
        number: 6,
        payload: "i",
    });
    let error = CarryoverError::Intent {
        next: 1,
        number: 6,
        last: 5,
    };
    assert_eq!(intent.check(), Err(error));
    let count = 1 << 63;
    let spent = CarryoverError::Spent { count };
    let mut messages = good.clone();
    messages.accepted = count;
    let mut sequences = good.clone();
    sequences.sequences = count;
    let mut epochs = good.clone();
    epochs.epochs = count;
    let mut intents = intent;
    intents.standing[0].id = count;
    for bad in [messages, sequences, epochs, intents] {
        assert_eq!(bad.check(), Err(spent));
    }
    let rejected = Link::revive(
        config(OnFresh::Report),
        rng(),
        Instant::ORIGIN,
        bad.clone(),
        AWAY,
    );
    let rejected = rejected.unwrap_err();
    assert_eq!(
        rejected.to_string(),
        "message 2 was written, so none before it can be unwritten"
    );
    assert_eq!(rejected.carryover, bad);
}

#[test]
fn what_a_store_may_have_forgotten_the_peer_may_have_seen() {
    // A log that lost its end: its last sequence is 2, and numbers went on from 1,000.
    let mut carryover = Carryover::default();
    carryover.session = Some(SessionId::new([7; 16]));
    (carryover.accepted, carryover.sequences) = (1_000, 1_000);
    let carried = |id| Carried {
        id: MessageId::from_number(id),
        sequence: Some(id),
        tries: 1,
        resent: false,
        ttl: None,
        payload: "x",
    };
    carryover.messages = vec![carried(1), carried(2)];
    let now = Instant::ORIGIN;
    let mut link = Link::revive(config(OnFresh::Report), rng(), now, carryover, AWAY).unwrap();
    let epoch = open(&mut link, now);
    link.hello(epoch).unwrap();
    let outcome = link.welcome(now, epoch, &welcome(true, 9));
    assert!(
        matches!(outcome, Some(Resumption::Resumed { .. })),
        "{outcome:?}"
    );
    let fates: Vec<_> = std::iter::from_fn(|| link.poll_fate())
        .map(|f| f.outcome)
        .collect();
    assert_eq!(fates, [Outcome::Acked, Outcome::Acked]);
    link.send(now, "next", acked()).unwrap();
    assert_eq!(write(&mut link, now, epoch), [("next", Some(1_001), false)]);
}
