//! The outbox alone: what a long queue costs, where a batch ends, what waits for the store.

use core::time::Duration;
use std::time::Instant as Clock;

use redial::outbox::{Batch, Limits, Outbox};
use redial::rng::{Seed, Seeded};
use redial::{
    Action, Command, Config, Delivery, Epoch, Event, Instant, Link, MessageId, SendOptions,
};

const LONG: usize = 100_000;
const NOW: Instant = Instant::ORIGIN;

fn long() -> Limits {
    Limits {
        messages: LONG,
        window: usize::MAX,
        max_tries: Some(1),
        ..Limits::default()
    }
}

fn epoch() -> Epoch {
    let rng = Seeded::new(Seed::from_number(1), 1);
    let mut link = Link::<&str, _>::new(Config::default(), rng);
    link.handle(NOW, Event::Command(Command::Start));
    let mut actions = core::iter::from_fn(|| link.poll_action());
    let dial = actions.find_map(|action| match action {
        Action::Connect { epoch, .. } => Some(epoch),
        _ => None,
    });
    dial.expect("a start dials")
}

/// A long queue, of which the first so many are in flight.
fn queue(written: usize, acknowledged: impl Fn(usize) -> bool) -> Outbox<&'static str> {
    let (limits, epoch, mut outbox) = (long(), epoch(), Outbox::new());
    for index in 0..LONG {
        let delivery = if acknowledged(index) {
            Delivery::Acknowledged
        } else {
            Delivery::AtMostOnce
        };
        let options = SendOptions::new().delivery(delivery);
        outbox.push(&limits, NOW, "x", options).expect("room");
    }
    for _ in 0..written {
        let id = outbox.peek(&limits, NOW).expect("one is left").id;
        assert!(outbox.commit(&limits, NOW, epoch, id));
    }
    outbox
}

/// Linear is some milliseconds here, quadratic some seconds, without optimisation many.
fn is_quick(what: &str, work: impl FnOnce()) {
    let begun = Clock::now();
    work();
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(1), "{what} took {taken:?}");
}

#[test]
fn what_touches_every_message_takes_one_pass() {
    let half = LONG / 2;
    let mut outbox = queue(half, |_| true);
    is_quick("a disconnect", || outbox.return_queued());
    assert_eq!((outbox.in_flight(), outbox.queued()), (half, 0));
    let mut outbox = queue(half, |_| true);
    is_quick("a clear", || outbox.clear());
    assert_eq!((outbox.in_flight(), outbox.queued()), (half, 0));
    let mut outbox = queue(LONG, |index| index % 2 == 0);
    is_quick("a loss", || outbox.lose());
    assert_eq!((outbox.in_flight(), outbox.fates_waiting()), (half, half));
    let mut outbox = queue(LONG, |_| true);
    let middle = MessageId::from_number(half as u64 + 1);
    is_quick("a take-back", || outbox.take_back(&long(), middle));
    assert_eq!((outbox.in_flight(), outbox.fates_waiting()), (half, half));
}

#[test]
fn an_acknowledgement_behind_many_at_most_once_takes_one_pass() {
    let mut outbox = queue(LONG, |index| index + 1 == LONG);
    is_quick("an acknowledgement", || assert!(outbox.acked(1)));
    assert_eq!((outbox.in_flight(), outbox.fates_waiting()), (0, LONG));
}

#[test]
fn a_stored_intent_says_nothing_of_messages() {
    let limits = Limits {
        durable: true,
        ..Limits::default()
    };
    let mut outbox = Outbox::new();
    let sent = outbox.push(&limits, NOW, "x", SendOptions::new());
    let id = sent.expect("room");
    let intent = MessageId::from_number(1 << 63 | id.number());
    assert!(intent.intent().is_some());
    outbox.stored(intent);
    assert!(outbox.peek(&limits, NOW).is_none());
    outbox.stored(id);
    assert!(outbox.peek(&limits, NOW).is_some());
}

#[test]
fn what_comes_after_the_last_of_a_batch_waits_for_company_again() {
    let limits = Limits {
        batch: Some(Batch::default()),
        ..Limits::default()
    };
    let mut outbox = Outbox::new();
    for _ in 0..2 {
        let sent = outbox.push(&limits, NOW, "early", SendOptions::new());
        sent.expect("room");
    }
    let due = NOW + Batch::default().delay;
    assert!(outbox.peek(&limits, due).is_some(), "the delay is over");
    outbox.clear();
    assert!(outbox.peek(&limits, due).is_none());
    let sent = outbox.push(&limits, due, "late", SendOptions::new());
    sent.expect("room");
    assert!(outbox.peek(&limits, due).is_none(), "it has its own delay");
    let later = due + Batch::default().delay;
    assert!(outbox.peek(&limits, later).is_some());
}
