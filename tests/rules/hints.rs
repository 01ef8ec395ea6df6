//! A network that goes and comes back, and hints that lie: rules 17 and 20.

use redial::backoff::{Backoff, Jitter, Schedule};
use redial::config::HintLimit;
use redial::{Action, Cause, Closure, Command, Config, Event, Frame, Hint, Phase, RetryAfter};

use crate::common::{Answer, Driver, against, ms, secs};

#[test]
fn rule_20_a_network_that_is_back_is_dialled_soon_and_not_too_often() {
    let mut driver = against(Config::default(), 1, secs(3600), |_, _| Answer::refuse());
    let attempt = driver.link.status().attempt;
    if driver.link.status().epoch.is_some() {
        let epoch = driver.dialled();
        driver.close(epoch, Cause::Lost);
    }
    let attempt = attempt.max(driver.link.status().attempt);
    driver.tell(Event::Hint(Hint::Offline));
    assert_eq!(driver.link.phase(), Phase::Offline);
    let before = driver.dials.len();
    driver.pass(secs(299));
    assert_eq!(
        driver.dials.len(),
        before,
        "no dial is burned while offline"
    );
    driver.tell(Event::Hint(Hint::Online));
    let at = driver
        .link
        .status()
        .next_attempt_at
        .expect("a dial is planned");
    assert!(
        at.since(driver.now) <= ms(500),
        "{:?}",
        at.since(driver.now)
    );
    driver.dialled();
    assert_eq!(
        driver.link.status().attempt,
        attempt,
        "a hint resets nothing"
    );
}

#[test]
fn rule_20_rapid_toggling_keeps_one_dial_in_flight_and_the_limit() {
    for (burst, refill) in [(3, 30), (1, 30), (0, 30)] {
        let hints = HintLimit {
            burst,
            refill: secs(refill),
            spread: ms(500),
        };
        // A schedule that hardly dials by itself, so that hints are what is counted.
        let hourly = Schedule::Fixed { delay: secs(3600) };
        let backoff = Backoff::new(hourly, Jitter::None, ms(20)).expect("valid");
        let config = Config::builder()
            .hints(hints)
            .backoff(backoff)
            .build()
            .expect("valid");
        let mut driver = Driver::new(config, 1);
        driver.command(Command::Start);
        let begun = driver.now;
        while driver.now.since(begun) < secs(3600) {
            if let Some(epoch) = driver.link.status().epoch {
                driver.close(epoch, Cause::Lost);
            }
            driver.tell(Event::Hint(Hint::Offline));
            driver.tell(Event::Hint(Hint::Online));
            driver.tell(Event::Hint(Hint::NetworkChanged));
            driver.tell(Event::Hint(Hint::Visible));
            driver.pass(ms(700));
        }
        let most = 2 + usize::from(burst) + usize::try_from(3600 / refill).expect("few");
        assert!(
            driver.dials.len() <= most,
            "burst {burst}: {} dials",
            driver.dials.len()
        );
        assert!(
            driver.dials.len() >= most / 2,
            "burst {burst}: {} dials",
            driver.dials.len()
        );
    }
}

#[test]
fn rule_20_offline_is_rechecked_because_hints_lie() {
    let mut driver = Driver::default_link();
    let epoch = driver.start();
    driver.close(epoch, Cause::Lost);
    driver.tell(Event::Hint(Hint::Offline));
    driver.pass(secs(301));
    assert_eq!(driver.dials.len(), 2);
    let epoch = driver.dialled();
    driver.close(epoch, Cause::Http(401));
    driver.pass(secs(301));
    let last = driver
        .actions
        .iter()
        .rev()
        .find_map(|(_, action)| match action {
            redial::Action::Connect { refresh, .. } => Some(*refresh),
            _ => None,
        });
    assert_eq!(
        last,
        Some(true),
        "who refused the credentials has seen them"
    );
    // It was a lie: the connection opens, and the schedule is back.
    let epoch = driver.dialled();
    driver.tell(Event::Opened(epoch));
    driver.close(epoch, Cause::Lost);
    assert_eq!(driver.link.phase(), Phase::Waiting);
    let trusting = Config::builder()
        .offline_recheck(None)
        .build()
        .expect("valid");
    let mut driver = Driver::new(trusting, 1);
    let epoch = driver.start();
    driver.close(epoch, Cause::Lost);
    driver.tell(Event::Hint(Hint::Offline));
    assert_eq!(driver.link.poll_timeout(), None);
}

#[test]
fn rule_20_an_answered_ping_disproves_that_there_is_no_network() {
    for answered in [true, false] {
        let (mut driver, epoch) = Driver::connected(Config::default());
        driver.pass(secs(1));
        let asked = driver.tell(Event::Hint(Hint::Offline));
        let nonce = asked.iter().find_map(|action| match action {
            Action::SendPing { nonce, .. } => Some(*nonce),
            _ => None,
        });
        let nonce = nonce.expect("what is open is asked");
        driver.pass(ms(10));
        // A late pong of another ping says nothing.
        let nonce = if answered { nonce } else { nonce + 1 };
        driver.tell(Event::Frame(epoch, Frame::Pong(Some(nonce))));
        driver.close(epoch, Cause::Lost);
        let phase = if answered {
            Phase::Waiting
        } else {
            Phase::Offline
        };
        assert_eq!(driver.link.phase(), phase);
    }
}

#[test]
fn rule_17_no_hint_shortens_what_the_server_asked_for() {
    let mut driver = Driver::default_link();
    let epoch = driver.start();
    let closure = Closure::hinted(Cause::Http(503), RetryAfter::seconds(60));
    driver.tell(Event::Closed(epoch, closure));
    let planned = driver.link.status().next_attempt_at.expect("a plan");
    assert!(planned.since(driver.now) >= secs(60));
    for hint in [Hint::Online, Hint::Visible, Hint::NetworkChanged] {
        driver.tell(Event::Hint(hint));
        assert_eq!(
            driver.link.status().next_attempt_at,
            Some(planned),
            "{hint:?}"
        );
    }
    // The user's own hand does.
    driver.command(Command::Reconnect);
    let epoch = driver.dialled();
    assert!(driver.now < planned);
    // And a wait that nobody asked for is shortened again.
    driver.close(epoch, Cause::HandshakeTimeout);
    driver.tell(Event::Hint(Hint::Online));
    let planned = driver.link.status().next_attempt_at.expect("a plan");
    assert!(planned.since(driver.now) <= ms(500));
}
