//! Every fate of law 6, each in a plain scenario.

mod common;

use redial::outbox::{DropReason, Limits, Overflow};
use redial::session::OnFresh;
use redial::{Cause, Command, Event, Outcome, Phase, SendOptions};

use common::{Driver, acked, ms, secs, welcome, with_session};

fn small() -> Limits {
    Limits {
        messages: 2,
        ..Limits::default()
    }
}

fn connected(limits: Limits) -> (Driver, redial::Epoch) {
    Driver::in_session(with_session(limits, OnFresh::Report))
}

/// Exactly these, one each, with the payload where it is handed back.
fn told(driver: &Driver, expected: &[(u64, Outcome)]) {
    assert_eq!(driver.outcomes(), expected);
    for fate in &driver.fates {
        let back = matches!(fate.outcome, Outcome::Returned | Outcome::Unknown);
        assert_eq!(fate.payload.is_some(), back, "{fate:?}");
    }
}

#[test]
fn written_when_the_transport_has_flushed_it() {
    let (mut driver, epoch) = connected(small());
    driver.flushes = false;
    let id = driver.send("once", SendOptions::new());
    told(&driver, &[]);
    driver.tell(Event::Flushed(epoch, id));
    told(&driver, &[(1, Outcome::Written)]);
}

#[test]
fn written_when_the_peer_has_what_came_after_it() {
    let (mut driver, epoch) = connected(small());
    driver.flushes = false;
    driver.send("once", SendOptions::new());
    driver.send("acknowledged", acked());
    driver.acknowledge(epoch, 1);
    told(&driver, &[(1, Outcome::Written), (2, Outcome::Acked)]);
}

#[test]
fn acked_only_when_the_peer_has_said_so() {
    let (mut driver, epoch) = connected(small());
    driver.send("acknowledged", acked());
    told(&driver, &[]);
    assert_eq!(driver.link.status().in_flight, 1);
    driver.acknowledge(epoch, 1);
    told(&driver, &[(1, Outcome::Acked)]);
}

#[test]
fn acked_one_by_one_whatever_came_before() {
    let (mut driver, epoch) = connected(small());
    driver.send("first", acked());
    let second = driver.send("second", acked());
    driver.tell(Event::Acked(epoch, redial::Ack::One(second)));
    told(&driver, &[(2, Outcome::Acked)]);
}

#[test]
fn expired_before_it_was_written() {
    let (mut driver, epoch) = connected(small());
    driver.close(epoch, Cause::Lost);
    driver.send("late", acked().ttl(ms(10)));
    driver.pass(ms(10));
    told(&driver, &[(1, Outcome::Expired)]);
}

#[test]
fn expired_with_the_connection_that_it_was_meant_for() {
    let (mut driver, epoch) = connected(small());
    driver.room = 0;
    driver.send("typing", SendOptions::new().volatile());
    driver.close(epoch, Cause::Lost);
    told(&driver, &[(1, Outcome::Expired)]);
}

#[test]
fn expired_before_it_could_be_replayed() {
    let (mut driver, epoch) = connected(small());
    driver.send("late", acked().ttl(ms(10)));
    driver.pass(ms(20));
    told(&driver, &[]);
    driver.resume(epoch, 0);
    told(&driver, &[(1, Outcome::Expired)]);
    assert_eq!(driver.written(), ["late"], "and not a second time");
}

#[test]
fn late_and_acknowledged_by_the_resume_it_has_arrived() {
    let (mut driver, epoch) = connected(small());
    driver.send("late", acked().ttl(ms(10)));
    driver.pass(ms(20));
    driver.resume(epoch, 1);
    told(&driver, &[(1, Outcome::Acked)]);
}

#[test]
fn late_and_sent_in_a_session_that_is_gone_nobody_knows() {
    let (mut driver, epoch) = Driver::in_session(with_session(small(), OnFresh::Resend));
    driver.send("late", acked().ttl(ms(10)));
    driver.pass(ms(20));
    driver.close(epoch, Cause::Lost);
    let epoch = driver.dialled();
    driver.meet(epoch, &welcome(false, 0));
    told(&driver, &[(1, Outcome::Unknown)]);
    assert_eq!(driver.written(), ["late"]);
}

#[test]
fn dropped_when_the_queue_overflows_but_never_what_was_sent() {
    for (overflow, victim) in [(Overflow::DropOldest, 2), (Overflow::DropNewest, 3)] {
        let (mut driver, _) = connected(Limits {
            messages: 3,
            overflow,
            ..Limits::default()
        });
        driver.send("sent", acked());
        driver.room = 0;
        for text in ["2", "3", "4"] {
            driver.send(text, acked());
        }
        told(&driver, &[(victim, Outcome::Dropped(DropReason::Overflow))]);
    }
}

#[test]
fn dropped_by_a_clear_but_never_what_was_sent() {
    let (mut driver, epoch) = connected(small());
    driver.send("sent", acked());
    driver.room = 0;
    driver.send("queued", acked());
    driver.command(Command::Clear);
    told(&driver, &[(2, Outcome::Dropped(DropReason::Cleared))]);
    driver.close(epoch, Cause::Lost);
    driver.command(Command::Clear);
    assert_eq!(driver.fates.len(), 1, "what waits for its replay stays");
}

#[test]
fn dropped_when_it_was_tried_as_often_as_allowed() {
    let (mut driver, mut epoch) = connected(Limits {
        max_tries: Some(2),
        ..small()
    });
    driver.send("tried", acked());
    for _ in 0..2 {
        told(&driver, &[]);
        epoch = driver.resume(epoch, 0);
    }
    told(&driver, &[(1, Outcome::Dropped(DropReason::Tries))]);
    assert_eq!(driver.written(), ["tried", "tried"]);
}

#[test]
fn dropped_as_too_big_for_the_transport() {
    let (mut driver, epoch) = connected(small());
    driver.room = 0;
    let id = driver.send("big", acked());
    assert!(driver.link.reject(epoch, id));
    driver.act();
    told(&driver, &[(1, Outcome::Dropped(DropReason::TooBig))]);
}

#[test]
fn dropped_as_too_big_at_the_second_strike_of_its_replay() {
    let (mut driver, epoch) = connected(small());
    driver.send("small", acked());
    driver.send("poisonous", acked());
    driver.close(epoch, Cause::Close(1009));
    told(&driver, &[]);
    let epoch = driver.dialled();
    driver.meet(epoch, &welcome(true, 0));
    driver.close(epoch, Cause::Close(1009));
    told(&driver, &[(2, Outcome::Dropped(DropReason::TooBig))]);
    let epoch = driver.dialled();
    driver.meet(epoch, &welcome(true, 0));
    driver.acknowledge(epoch, 1);
    assert_eq!(
        driver.written(),
        ["small", "poisonous", "small", "poisonous", "small"]
    );
    assert_eq!(driver.outcomes()[1..], [(1, Outcome::Acked)]);
}

#[test]
fn returned_by_a_disconnect_and_by_the_end_of_a_drain() {
    for drain in [false, true] {
        let (mut driver, epoch) = connected(small());
        driver.close(epoch, Cause::Lost);
        driver.send("queued", acked());
        driver.send("once", SendOptions::new());
        if drain {
            driver.command(Command::Drain(ms(1)));
            driver.pass(secs(1));
        } else {
            driver.command(Command::Disconnect);
        }
        told(&driver, &[(1, Outcome::Returned), (2, Outcome::Returned)]);
    }
}

#[test]
fn unknown_at_most_once_when_the_connection_ends_before_the_flush() {
    let (mut driver, epoch) = connected(small());
    driver.flushes = false;
    driver.send("once", SendOptions::new());
    driver.close(epoch, Cause::Lost);
    told(&driver, &[(1, Outcome::Unknown)]);
}

#[test]
fn unknown_when_the_session_is_gone() {
    let (mut driver, epoch) = connected(small());
    driver.send("sent", acked());
    driver.close(epoch, Cause::Lost);
    told(&driver, &[]);
    let epoch = driver.dialled();
    driver.meet(epoch, &welcome(false, 0));
    told(&driver, &[(1, Outcome::Unknown)]);
}

#[test]
fn unknown_when_the_link_is_closed_before_the_acknowledgement() {
    let (mut driver, epoch) = connected(small());
    driver.send("sent", acked());
    driver.command(Command::Disconnect);
    told(&driver, &[]);
    assert_eq!(driver.link.phase(), Phase::Closing, "it may still come");
    driver.close(epoch, Cause::Close(1000));
    told(&driver, &[(1, Outcome::Unknown)]);
}
