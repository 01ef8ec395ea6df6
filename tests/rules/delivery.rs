//! Messages on their way out: rules 9, 11, 12 and 13, and what belongs to them.

use redial::outbox::{DropReason, Limits, Overflow, RefusedReason};
use redial::{Cause, Config, Event, Hint, MessageId, Outcome, Phase, SendOptions};

use crate::common::{Driver, ms, secs};

fn limited(limits: Limits) -> Config {
    Config::builder().outbox(limits).build().expect("valid")
}

/// The outcomes so far, by message.
pub(crate) fn outcomes(driver: &Driver) -> Vec<(u64, Outcome)> {
    driver
        .fates
        .iter()
        .map(|fate| (fate.id.number(), fate.outcome))
        .collect()
}

fn plain() -> SendOptions {
    SendOptions::new()
}

#[test]
fn rule_09_what_was_written_and_not_flushed_is_told_as_unknown() {
    let (mut driver, epoch) = Driver::connected(Config::default());
    driver.flushes = false;
    driver.send("a", plain());
    driver.send("b", plain());
    driver.room = 0;
    driver.send("c", plain());
    driver.close(epoch, Cause::Lost);
    assert_eq!(
        outcomes(&driver),
        [(1, Outcome::Unknown), (2, Outcome::Unknown)]
    );
    assert_eq!(
        driver.fates[0].payload.as_deref(),
        Some(&b"a"[..]),
        "with its payload"
    );
    driver.room = 10;
    driver.flushes = true;
    let epoch = driver.dialled();
    driver.tell(Event::Opened(epoch));
    assert_eq!(driver.written(), ["a", "b", "c"]);
    assert_eq!(outcomes(&driver)[2..], [(3, Outcome::Written)]);
}

#[test]
fn rule_11_queued_goes_before_new_and_a_failure_keeps_the_tail() {
    let mut driver = Driver::default_link();
    let epoch = driver.start();
    driver.send("A", plain());
    driver.send("B", plain());
    driver.room = 1;
    driver.tell(Event::Opened(epoch));
    assert_eq!(driver.written(), ["A"]);
    driver.send("C", plain());
    driver.close(epoch, Cause::Lost);
    assert_eq!(driver.link.status().queued, 2);
    driver.room = 10;
    let epoch = driver.dialled();
    driver.tell(Event::Opened(epoch));
    assert_eq!(driver.written(), ["A", "B", "C"]);
}

#[test]
fn rule_11_taken_back_goes_again_in_its_old_place() {
    let (mut driver, epoch) = Driver::connected(Config::default());
    driver.flushes = false;
    let ids: Vec<_> = ["A", "B", "C"]
        .map(|text| driver.send(text, plain()))
        .into();
    driver.room = 0;
    driver.send("D", plain());
    driver.link.take_back(epoch, ids[1]);
    driver.close(epoch, Cause::Lost);
    assert_eq!(outcomes(&driver), [(1, Outcome::Unknown)]);
    driver.room = 10;
    let epoch = driver.dialled();
    driver.tell(Event::Opened(epoch));
    assert_eq!(driver.written(), ["A", "B", "C", "B", "C", "D"]);
}

#[test]
fn taken_back_as_often_as_allowed_it_is_dropped() {
    let limits = Limits {
        max_tries: Some(2),
        ..Limits::default()
    };
    let (mut driver, epoch) = Driver::connected(limited(limits));
    driver.flushes = false;
    let id = driver.send("A", plain());
    driver.link.take_back(epoch, id);
    driver.act();
    assert_eq!(outcomes(&driver), []);
    driver.tell(Event::Progress(epoch, 1));
    driver.link.take_back(epoch, id);
    driver.act();
    assert_eq!(driver.written(), ["A", "A"]);
    assert_eq!(
        outcomes(&driver),
        [(1, Outcome::Dropped(DropReason::Tries))]
    );
}

#[test]
fn rule_12_the_queue_is_bounded_by_count_and_bytes() {
    let limits = |overflow, messages, bytes| Limits {
        messages,
        bytes,
        overflow,
        ..Limits::default()
    };
    let dropped = Outcome::Dropped(DropReason::Overflow);
    for (messages, bytes) in [(3, 1000), (1000, 6)] {
        let queue = |overflow| {
            let mut driver = Driver::new(limited(limits(overflow, messages, bytes)), 1);
            driver.start();
            for text in ["a1", "b2", "c3"] {
                driver.send(text, plain());
            }
            let fourth = driver.link.send(driver.now, b"d4".to_vec(), plain());
            let accepted = fourth.is_ok();
            driver.act();
            let epoch = driver.dialled();
            let fates = outcomes(&driver);
            driver.tell(Event::Opened(epoch));
            (accepted, fates, driver.written().concat())
        };
        assert_eq!(
            queue(Overflow::DropOldest),
            (true, vec![(1, dropped)], "b2c3d4".into())
        );
        assert_eq!(
            queue(Overflow::DropNewest),
            (true, vec![(3, dropped)], "a1b2d4".into())
        );
        assert_eq!(queue(Overflow::RejectNew), (false, vec![], "a1b2c3".into()));
    }
    let mut driver = Driver::new(limited(limits(Overflow::DropOldest, 10, 5)), 1);
    driver.start();
    let refused = driver.link.send(driver.now, b"sixsix".to_vec(), plain());
    let refused = refused.expect_err("larger than the queue");
    assert_eq!(
        refused.reason,
        RefusedReason::TooLarge { size: 6, limit: 5 }
    );
    assert_eq!(refused.payload, b"sixsix");
}

#[test]
fn rule_12_fates_that_nobody_takes_are_bounded_too() {
    let limits = Limits {
        messages: 5,
        ..Limits::default()
    };
    let mut driver = Driver::new(limited(limits), 1);
    driver.start();
    let sent = (0..100).filter(|_| {
        driver
            .link
            .send(driver.now, b"x".to_vec(), SendOptions::new())
            .is_ok()
    });
    assert_eq!(sent.count(), 10);
    assert_eq!(driver.link.outbox().fates_waiting(), 5);
}

#[test]
fn rule_13_a_message_past_its_time_is_not_sent() {
    let mut driver = Driver::default_link();
    let epoch = driver.start();
    driver.send("soon stale", SendOptions::new().ttl(secs(2)));
    driver.send("fresh", plain());
    assert_eq!(
        driver.link.poll_timeout(),
        Some(driver.now + secs(2)),
        "it has a deadline"
    );
    driver.now = driver.now + secs(3);
    driver.tell(Event::Opened(epoch));
    assert_eq!(driver.written(), ["fresh"]);
    assert_eq!(
        outcomes(&driver),
        [(1, Outcome::Expired), (2, Outcome::Written)]
    );
}

#[test]
fn rule_13_it_expires_on_time_without_a_connection_too() {
    let limits = Limits {
        ttl: Some(secs(60)),
        ..Limits::default()
    };
    let mut driver = Driver::new(limited(limits), 1);
    let epoch = driver.start();
    driver.send("for a minute", plain());
    driver.close(epoch, Cause::Http(403));
    assert_eq!(driver.link.phase(), Phase::Failed);
    driver.pass(secs(59));
    assert!(driver.fates.is_empty());
    driver.pass(secs(1));
    assert_eq!(outcomes(&driver), [(1, Outcome::Expired)]);
    assert_eq!(driver.link.poll_timeout(), None);
}

#[test]
fn volatile_messages_are_for_the_connection_that_is_open() {
    let mut driver = Driver::default_link();
    let epoch = driver.start();
    let refused = driver
        .link
        .send(driver.now, b"typing".to_vec(), plain().volatile());
    assert_eq!(
        refused.expect_err("not connected").reason,
        RefusedReason::NotConnected
    );
    driver.tell(Event::Opened(epoch));
    driver.room = 0;
    driver.send("kept", plain());
    driver.send("typing", plain().volatile());
    driver.close(epoch, Cause::Lost);
    assert_eq!(outcomes(&driver), [(2, Outcome::Expired)]);
    driver.room = 10;
    let epoch = driver.dialled();
    driver.tell(Event::Opened(epoch));
    assert_eq!(driver.written(), ["kept"]);
}

#[test]
fn too_big_twice_drops_the_message_and_not_the_link() {
    let mut driver = Driver::default_link();
    let mut epoch = driver.start();
    driver.flushes = false;
    let small = driver.send("small", plain());
    driver.send("poisonous", plain());
    for round in 0..2 {
        driver.tell(Event::Opened(epoch));
        assert_eq!(driver.link.status().in_flight, 2, "round {round}");
        // The transport knows that the peer took nothing of it.
        driver.link.take_back(epoch, small);
        driver.close(epoch, Cause::Close(1009));
        assert_eq!(driver.link.phase(), Phase::Waiting);
        epoch = driver.dialled();
    }
    assert_eq!(
        outcomes(&driver),
        [(2, Outcome::Dropped(DropReason::TooBig))]
    );
    driver.flushes = true;
    driver.tell(Event::Opened(epoch));
    assert_eq!(
        driver.written(),
        ["small", "poisonous", "small", "poisonous", "small"]
    );
    assert_eq!(outcomes(&driver)[1..], [(1, Outcome::Written)]);
}

#[test]
fn too_big_for_the_transport_is_rejected_at_once() {
    let (mut driver, epoch) = Driver::connected(Config::default());
    driver.room = 0;
    let big = driver.send("too big", plain());
    driver.send("fits", plain());
    assert!(driver.link.reject(epoch, big));
    assert!(!driver.link.reject(epoch, big));
    driver.room = 10;
    driver.tell(Event::Progress(epoch, 1));
    assert_eq!(driver.written(), ["fits"]);
    assert_eq!(
        outcomes(&driver)[0],
        (1, Outcome::Dropped(DropReason::TooBig))
    );
}

#[test]
fn the_window_bounds_what_can_become_unknown() {
    let limits = Limits {
        window: 10,
        ..Limits::default()
    };
    let (mut driver, epoch) = Driver::connected(limited(limits));
    driver.flushes = false;
    let ids: Vec<_> = (0..5)
        .map(|n| driver.send(&format!("mess{n}"), plain()))
        .collect();
    assert_eq!(driver.link.status().in_flight, 2);
    driver.tell(Event::Flushed(epoch, ids[0]));
    assert_eq!(
        driver.link.status().in_flight,
        2,
        "one flushed, one more goes"
    );
    assert_eq!(driver.written().len(), 3);
    // A message larger than the window goes alone.
    driver.tell(Event::Flushed(epoch, ids[2]));
    driver.tell(Event::Flushed(epoch, ids[4]));
    driver.send("larger than the window", plain());
    driver.send("next", plain());
    assert_eq!(driver.link.status().in_flight, 1);
}

#[test]
fn pacing_keeps_a_distance_between_messages() {
    let limits = Limits {
        pace: Some(ms(100)),
        ..Limits::default()
    };
    let mut driver = Driver::new(limited(limits), 1);
    let epoch = driver.start();
    for text in ["a", "b", "c", "d"] {
        driver.send(text, plain());
    }
    driver.tell(Event::Opened(epoch));
    for expected in 1..=4 {
        assert_eq!(driver.written().len(), expected);
        driver.pass(ms(99));
        assert_eq!(driver.written().len(), expected);
        driver.pass(ms(1));
    }
    assert_eq!(driver.written(), ["a", "b", "c", "d"]);
}

#[test]
fn progress_and_flushes_of_an_old_epoch_move_nothing() {
    let (mut driver, old) = Driver::connected(Config::default());
    driver.tell(Event::Hint(Hint::NetworkChanged));
    let epoch = driver.dialled();
    driver.tell(Event::Opened(epoch));
    driver.flushes = false;
    let id: MessageId = driver.send("a", plain());
    assert!(driver.tell(Event::Flushed(old, id)).is_empty());
    assert!(driver.fates.is_empty());
    driver.room = 0;
    driver.send("b", plain());
    assert!(driver.tell(Event::Progress(old, 1)).is_empty());
}
