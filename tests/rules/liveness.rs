//! Is the peer there? Rules 2, 7, 8 and 25.

use redial::heartbeat::Pulse;
use redial::{Action, Cause, Config, Event, Frame, Hint, Instant, Phase};

use crate::common::{Driver, has, ms, pings, secs};

fn pulse(interval: u64, pong: u64, misses: u8, extension: u8) -> Config {
    Config::builder()
        .heartbeat(Pulse {
            interval: Some(secs(interval)),
            pong_deadline: secs(pong),
            misses,
            extension,
            ..Pulse::default()
        })
        .build()
        .expect("valid")
}

/// When the link gives the silent connection up, after its last life.
fn died(driver: &mut Driver, life: Instant) -> std::time::Duration {
    for _ in 0..1000 {
        let due = driver.link.poll_timeout().expect("a heartbeat");
        if has(&driver.at(due, Event::Tick), |a| {
            matches!(a, Action::Abort(_))
        }) {
            assert_eq!(driver.link.status().last_cause, Some(Cause::PongTimeout));
            return driver.now.since(life);
        }
    }
    panic!("it never dies");
}

#[test]
fn rule_02_a_half_open_connection_is_found_exactly_in_time() {
    for (interval, pong, misses) in [
        (20, 10, 1),
        (30, 10, 3),
        (30, 10, 1),
        (15, 10, 1),
        (1, 10, 2),
    ] {
        let config = pulse(interval, pong, misses, 3);
        let expected = secs(interval + pong * u64::from(misses));
        assert_eq!(config.detection().expect("a heartbeat").0, expected);
        let (mut driver, epoch) = Driver::connected(config.clone());
        let opened = driver.now;
        assert_eq!(
            died(&mut driver, opened),
            expected,
            "{interval} s, {misses} misses"
        );
        assert_eq!(driver.link.phase(), Phase::Waiting);
        // The abort asks for no close handshake, and the driver owes nothing more.
        assert!(
            !driver
                .actions
                .iter()
                .any(|(_, a)| matches!(a, Action::Close(_)))
        );
        assert!(driver.close(epoch, Cause::Lost).is_empty());
        // The same after a ping that was answered: no earlier deadline is left over.
        let (mut driver, epoch) = Driver::connected(config);
        driver.pass(secs(interval));
        driver.pass(ms(300));
        driver.tell(Event::Frame(epoch, Frame::Pong(None)));
        let life = driver.now;
        assert_eq!(
            died(&mut driver, life),
            expected,
            "{interval} s, after a pong"
        );
    }
}

#[test]
fn rule_02_progress_extends_the_pong_and_no_further() {
    let config = pulse(20, 10, 1, 3);
    let (_, loaded) = config.detection().expect("a heartbeat");
    assert_eq!(loaded, secs(50));
    let (mut driver, epoch) = Driver::connected(config);
    let opened = driver.now;
    loop {
        driver.pass(secs(1));
        if driver.link.phase() != Phase::Connected {
            break;
        }
        driver.tell(Event::Progress(epoch, 1000));
        assert!(driver.now.since(opened) <= loaded);
    }
    assert_eq!(driver.now.since(opened), loaded);
}

#[test]
fn rule_02_any_inbound_frame_is_life() {
    for frame in [Frame::Data, Frame::Ping, Frame::Pong(Some(999))] {
        let (mut driver, epoch) = Driver::connected(Config::default());
        for _ in 0..20 {
            driver.pass(secs(29));
            driver.tell(Event::Frame(epoch, frame));
            assert_eq!(driver.link.phase(), Phase::Connected, "{frame:?}");
        }
    }
}

#[test]
fn misses_count_in_a_row() {
    let (mut driver, epoch) = Driver::connected(pulse(20, 10, 3, 1));
    for _ in 0..10 {
        driver.pass(secs(45));
        driver.tell(Event::Frame(epoch, Frame::Data));
        // A hint pings at once; the misses before the frame don't count.
        driver.pass(ms(1));
        assert!(pings(&driver.tell(Event::Hint(Hint::Visible))));
        driver.pass(secs(29));
        assert_eq!(driver.link.phase(), Phase::Connected);
        driver.tell(Event::Frame(epoch, Frame::Pong(None)));
    }
}

#[test]
fn rule_07_after_a_sleep_the_connection_is_pinged_and_judged_by_the_answer() {
    for answers in [true, false] {
        let (mut driver, epoch) = Driver::connected(Config::default());
        let actions = driver.sleep(secs(3600));
        assert!(pings(&actions) && actions.len() == 1, "{actions:?}");
        if answers {
            driver.pass(secs(9));
            driver.tell(Event::Frame(epoch, Frame::Pong(None)));
            driver.pass(secs(19));
            assert_eq!(driver.link.phase(), Phase::Connected);
        } else {
            driver.pass(secs(10));
            assert_ne!(driver.link.phase(), Phase::Connected);
        }
    }
}

#[test]
fn rule_07_a_sleep_over_an_outstanding_ping_pings_once_more() {
    let (mut driver, _) = Driver::connected(Config::default());
    assert!(pings(&driver.pass(secs(20))));
    let actions = driver.sleep(secs(3600));
    assert!(pings(&actions), "slept through, not dead: {actions:?}");
    driver.pass(secs(10));
    assert_ne!(driver.link.phase(), Phase::Connected, "forgiven once");
}

#[test]
fn rule_07_only_the_first_of_two_sleeps_is_forgiven() {
    let (mut driver, _) = Driver::connected(Config::default());
    assert!(pings(&driver.pass(secs(20))));
    assert!(pings(&driver.sleep(secs(3600))));
    driver.sleep(secs(3600));
    assert_ne!(
        driver.link.phase(),
        Phase::Connected,
        "two pings, two hours, no life"
    );
}

#[test]
fn rule_07_a_sleep_while_waiting_dials_once() {
    let mut driver = Driver::default_link();
    let epoch = driver.start();
    driver.close(epoch, Cause::Lost);
    let attempt = driver.link.status().attempt;
    driver.sleep(secs(3600));
    assert_eq!(driver.dials.len(), 2, "the retry that was due, once");
    assert_eq!(driver.link.status().attempt, attempt);
}

#[test]
fn rule_08_every_connection_starts_with_a_fresh_heartbeat() {
    let (mut driver, epoch) = Driver::connected(Config::default());
    assert!(pings(&driver.pass(secs(20))));
    driver.close(epoch, Cause::Lost);
    let epoch = driver.dialled();
    // The handshake takes its time, which is no silence of the connection.
    driver.pass(secs(5));
    driver.tell(Event::Opened(epoch));
    let opened = driver.now;
    assert_eq!(driver.link.status().round_trip, None);
    assert!(
        !pings(&driver.pass(secs(20).checked_sub(ms(1)).unwrap())),
        "the old ping is forgotten"
    );
    assert!(pings(&driver.pass(ms(1))));
    assert_eq!(died(&mut driver, opened), secs(30));
}

#[test]
fn pongs_give_the_round_trip_and_only_right_ones() {
    let (mut driver, epoch) = Driver::connected(Config::default());
    driver.pass(secs(20));
    driver.pass(ms(40));
    driver.tell(Event::Frame(epoch, Frame::Pong(Some(77))));
    assert_eq!(
        driver.link.status().round_trip,
        None,
        "a wrong nonce is life and no more"
    );
    driver.pass(secs(20));
    driver.pass(ms(25));
    driver.tell(Event::Frame(epoch, Frame::Pong(None)));
    assert_eq!(driver.link.status().round_trip, Some(ms(25)));
    driver.pass(ms(10));
    driver.tell(Event::Frame(epoch, Frame::Pong(None)));
    assert_eq!(
        driver.link.status().round_trip,
        Some(ms(25)),
        "a second pong is none"
    );
}

#[test]
fn rule_25_a_late_tick_behind_fresh_input_is_no_death() {
    // The timer was parked for a minute; what came in meanwhile is fed first.
    let (mut driver, epoch) = Driver::connected(Config::default());
    assert!(pings(&driver.pass(secs(20))));
    let late = driver.now + secs(60);
    driver.at(late, Event::Frame(epoch, Frame::Data));
    assert!(driver.at(late, Event::Tick).is_empty());
    assert_eq!(driver.link.phase(), Phase::Connected);
}

#[test]
fn rule_25_hidden_links_ping_seldom_and_are_checked_when_seen() {
    let (mut driver, epoch) = Driver::connected(Config::default());
    driver.tell(Event::Hint(Hint::Hidden));
    assert!(!pings(&driver.pass(secs(299))));
    assert!(pings(&driver.tell(Event::Hint(Hint::Visible))));
    driver.tell(Event::Frame(epoch, Frame::Pong(None)));
    assert!(pings(&driver.pass(secs(20))));
}
