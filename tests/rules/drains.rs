//! Graceful ends: drain, disconnect, clear.

use redial::outbox::{DropReason, RefusedReason};
use redial::{Cause, Command, Config, Event, Outcome, Phase, SendOptions};

use crate::common::{Driver, secs};
use crate::delivery::outcomes;

fn plain() -> SendOptions {
    SendOptions::new()
}

#[test]
fn a_drain_hands_back_what_is_left_at_its_deadline() {
    let (mut driver, epoch) = Driver::connected(Config::default());
    driver.room = 1;
    driver.flushes = false;
    driver.send("written", plain());
    driver.send("left", plain());
    driver.command(Command::Drain(secs(3)));
    let refused = driver.link.send(driver.now, b"new".to_vec(), plain());
    assert_eq!(
        refused.expect_err("draining").reason,
        RefusedReason::Draining
    );
    driver.pass(secs(3));
    assert_eq!(driver.link.phase(), Phase::Closing);
    assert_eq!(driver.link.status().last_cause, Some(Cause::DrainTimeout));
    assert_eq!(outcomes(&driver), [(2, Outcome::Returned)]);
    assert_eq!(driver.fates[0].payload.as_deref(), Some(&b"left"[..]));
    driver.close(epoch, Cause::Close(1000));
    assert_eq!(outcomes(&driver)[1..], [(1, Outcome::Unknown)]);
}

#[test]
fn a_drain_ends_with_its_last_message_whatever_became_of_it() {
    let left = |driver: &mut Driver| driver.link.phase() == Phase::Closing;
    for way in 0..4 {
        let (mut driver, epoch) = Driver::connected(Config::default());
        driver.room = 0;
        let ttl = if way == 0 { secs(1) } else { secs(100) };
        let id = driver.send("last", plain().ttl(ttl));
        driver.command(Command::Drain(secs(60)));
        assert!(!left(&mut driver));
        match way {
            0 => {
                driver.pass(secs(1));
            }
            1 => {
                assert!(driver.link.reject(epoch, id));
            }
            2 => {
                driver.command(Command::Clear);
            }
            _ => {
                let later = driver.now + secs(101);
                assert!(driver.link.peek(later, epoch).is_none());
            }
        }
        driver.act();
        assert!(left(&mut driver), "way {way}");
        assert_eq!(driver.fates.len(), 1);
    }
}

#[test]
fn a_drain_goes_on_over_a_reconnect() {
    let (mut driver, epoch) = Driver::connected(Config::default());
    driver.room = 0;
    driver.send("last", plain());
    driver.command(Command::Drain(secs(60)));
    driver.close(epoch, Cause::Lost);
    assert_eq!(driver.link.phase(), Phase::Draining);
    driver.room = 1;
    let due = driver.link.poll_timeout().expect("a dial");
    driver.at(due, Event::Tick);
    let epoch = driver.link.status().epoch.expect("a dial");
    driver.tell(Event::Opened(epoch));
    assert_eq!(driver.written(), ["last"]);
    assert_eq!(driver.link.phase(), Phase::Closing);
}

#[test]
fn disconnect_hands_the_queue_back_and_clear_drops_it() {
    let mut driver = Driver::default_link();
    driver.start();
    driver.send("a", plain());
    driver.command(Command::Clear);
    driver.send("b", plain());
    driver.command(Command::Disconnect);
    let cleared = Outcome::Dropped(DropReason::Cleared);
    assert_eq!(outcomes(&driver), [(1, cleared), (2, Outcome::Returned)]);
    let refused = driver.link.send(driver.now, b"c".to_vec(), plain());
    assert_eq!(refused.expect_err("closed").reason, RefusedReason::Closed);
}
