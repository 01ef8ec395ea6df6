//! Credentials, epochs, closing, deadlines, status: rules 3, 4, 5, 14, 15, 16 and 24.

use redial::{Action, Cause, Command, Config, Epoch, Event, Frame, Hint, Phase, SendOptions};

use crate::common::{Driver, dials, has, ms, secs};

fn refresh(actions: &[Action]) -> Option<bool> {
    actions.iter().find_map(|action| match action {
        Action::Connect { refresh, .. } => Some(*refresh),
        _ => None,
    })
}

/// Waits for the next dial: when it comes, and whether it wants fresh credentials.
fn next(driver: &mut Driver) -> (std::time::Duration, bool, Epoch) {
    let from = driver.now;
    let due = driver.link.poll_timeout().expect("a dial is planned");
    let actions = driver.at(due, Event::Tick);
    let refresh = refresh(&actions).expect("a dial");
    (due.since(from), refresh, driver.dialled())
}

#[test]
fn rule_03_refused_credentials_are_refreshed_once_at_once_then_by_the_schedule() {
    for cause in [Cause::Http(401), Cause::Close(4401)] {
        let mut driver = Driver::default_link();
        let epoch = driver.start();
        assert_eq!(refresh(&[driver.actions[1].1]), Some(false));
        driver.close(epoch, cause);
        assert_eq!(
            driver.link.status().attempt,
            1,
            "the first refusal is no failure"
        );
        let (delay, fresh, epoch) = next(&mut driver);
        assert!(fresh && delay <= ms(20), "{delay:?}");
        driver.close(epoch, cause);
        assert_eq!(
            driver.link.status().attempt,
            2,
            "refused with a new token: a failure"
        );
        for _ in 0..3 {
            let (_, fresh, epoch) = next(&mut driver);
            assert!(fresh);
            driver.close(epoch, cause);
        }
        let (_, _, epoch) = next(&mut driver);
        driver.close(epoch, cause);
        assert_eq!(driver.link.phase(), Phase::Failed, "the sixth is final");
    }
}

#[test]
fn rule_03_accepted_credentials_are_kept() {
    let mut driver = Driver::default_link();
    let epoch = driver.start();
    driver.close(epoch, Cause::Http(401));
    let (_, fresh, epoch) = next(&mut driver);
    assert!(fresh);
    driver.tell(Event::Opened(epoch));
    driver.close(epoch, Cause::Lost);
    assert!(!next(&mut driver).1);
}

#[test]
fn a_policy_close_asks_for_credentials_only_where_there_is_a_provider() {
    for (able, phase) in [(false, Phase::Failed), (true, Phase::Waiting)] {
        let config = Config::builder().credentials(able).build().expect("valid");
        let (mut driver, epoch) = Driver::connected(config);
        driver.close(epoch, Cause::Close(1008));
        assert_eq!(driver.link.phase(), phase);
    }
}

#[test]
fn rule_04_a_provider_that_fails_or_hangs_is_a_failed_dial() {
    let mut driver = Driver::default_link();
    let first = driver.start();
    driver.close(first, Cause::Credentials);
    assert_eq!(driver.link.phase(), Phase::Waiting);
    let second = driver.dialled();
    // It hangs: the deadline of the attempt holds from the action on.
    let actions = driver.pass(secs(10));
    assert!(actions.contains(&Action::Abort(second)));
    let before = driver.link.status();
    for late in [first, second] {
        assert!(driver.tell(Event::Opened(late)).is_empty());
        assert!(driver.close(late, Cause::Credentials).is_empty());
    }
    assert_eq!(driver.link.status(), before, "late answers change nothing");
}

#[test]
fn rule_05_a_late_event_of_an_old_connection_touches_nothing() {
    let (mut driver, old) = Driver::connected(Config::default());
    driver.close(old, Cause::Lost);
    let new = driver.dialled();
    driver.tell(Event::Opened(new));
    driver.pass(secs(1));
    let before = (driver.link.status(), driver.link.stats());
    for event in [
        Event::Closed(old, Cause::Lost.into()),
        Event::Opened(old),
        Event::Frame(old, Frame::Data),
        Event::Frame(old, Frame::Pong(None)),
        Event::Progress(old, 5),
        Event::Hint(Hint::GoingAway(old, secs(1))),
    ] {
        assert!(driver.tell(event).is_empty(), "{event:?}");
    }
    assert_eq!(driver.link.status(), before.0);
    assert_eq!(driver.link.stats().stale, before.1.stale + 6);
    assert_eq!(driver.link.stats().received, before.1.received);
}

#[test]
fn rule_05_a_new_dial_comes_only_after_the_end_of_the_old_one() {
    let (mut driver, old) = Driver::connected(Config::default());
    let actions = driver.command(Command::Reconnect);
    let abort = actions
        .iter()
        .position(|a| *a == Action::Abort(old))
        .expect("an abort");
    let dial = actions
        .iter()
        .position(|a| matches!(a, Action::Connect { .. }));
    assert!(abort < dial.expect("a dial"));
}

#[test]
fn rule_14_disconnect_works_in_every_state_and_start_after_it() {
    let states: [fn() -> Driver; 5] = [
        || Driver::connected(Config::default()).0,
        || {
            let mut driver = Driver::default_link();
            driver.start();
            driver
        },
        || {
            let mut driver = Driver::default_link();
            let epoch = driver.start();
            driver.close(epoch, Cause::Lost);
            driver
        },
        || {
            let mut driver = Driver::default_link();
            let epoch = driver.start();
            driver.close(epoch, Cause::Lost);
            driver.tell(Event::Hint(Hint::Offline));
            driver
        },
        || {
            let mut driver = Driver::default_link();
            let epoch = driver.start();
            driver.close(epoch, Cause::Http(403));
            driver
        },
    ];
    for state in states {
        for again in [Command::Start, Command::Reconnect] {
            let mut driver = state();
            let from = driver.changes.len();
            driver.command(Command::Disconnect);
            driver.command(Command::Disconnect);
            let before = driver.dials.len();
            driver.pass(secs(86_400));
            driver.tell(Event::Hint(Hint::Online));
            driver.tell(Event::Hint(Hint::NetworkChanged));
            driver.pass(secs(86_400));
            assert_eq!(driver.dials.len(), before, "no dial after a disconnect");
            let ends = driver.changes[from..]
                .iter()
                .filter(|(_, c)| c.to == Phase::Closed);
            assert_eq!(ends.count(), 1, "exactly one terminal change");
            let closes = driver
                .actions
                .iter()
                .filter(|(_, a)| matches!(a, Action::Close(_)));
            assert!(closes.count() <= 1);
            assert_eq!(driver.link.poll_timeout(), None);
            assert!(dials(&driver.command(again)), "{again:?} works afterwards");
            assert_eq!(driver.link.status().attempt, 1);
            assert!(
                !dials(&driver.command(Command::Start)),
                "and a second start is ignored"
            );
        }
    }
}

#[test]
fn rule_14_a_close_that_is_not_answered_ends_at_its_deadline() {
    let (mut driver, epoch) = Driver::connected(Config::default());
    assert!(
        driver
            .command(Command::Disconnect)
            .contains(&Action::Close(epoch))
    );
    assert!(driver.pass(secs(5).checked_sub(ms(1)).unwrap()).is_empty());
    assert!(driver.pass(ms(1)).contains(&Action::Abort(epoch)));
    assert_eq!(driver.link.phase(), Phase::Closed);
}

#[test]
fn rule_15_the_deadline_of_one_attempt_does_not_reach_the_next() {
    let mut driver = Driver::default_link();
    let first = driver.start();
    driver.pass(secs(9));
    driver.close(first, Cause::Lost);
    let second = driver.dialled();
    let dialled = driver.now;
    // The first attempt's deadline passes now.
    driver.pass(secs(2));
    assert_eq!(driver.link.status().epoch, Some(second));
    let actions = driver.pass(secs(8));
    assert!(actions.contains(&Action::Abort(second)));
    assert!(driver.now.since(dialled) >= secs(10));
}

#[test]
fn rule_15_there_is_one_deadline_and_it_moves_on() {
    let (mut driver, epoch) = Driver::connected(Config::default());
    assert_eq!(
        driver.link.poll_timeout(),
        Some(driver.now + secs(10)),
        "stable"
    );
    driver.pass(secs(10));
    driver.tell(Event::Frame(epoch, Frame::Data));
    let mut last = driver.now;
    for _ in 0..3 {
        let due = driver.link.poll_timeout().expect("a heartbeat");
        assert!(due > last);
        last = due;
        driver.at(due, Event::Tick);
    }
}

#[test]
fn rule_16_going_away_is_noted_and_forgotten_with_the_connection() {
    let (mut driver, epoch) = Driver::connected(Config::default());
    driver.tell(Event::Hint(Hint::GoingAway(epoch, secs(30))));
    assert_eq!(driver.link.status().leaving_at, Some(driver.now + secs(30)));
    driver.close(epoch, Cause::Close(1001));
    let epoch = driver.dialled();
    driver.tell(Event::Opened(epoch));
    assert_eq!(driver.link.status().leaving_at, None);
}

#[test]
fn rule_16_a_drain_writes_what_is_queued_then_closes() {
    let (mut driver, epoch) = Driver::connected(Config::default());
    driver.flushes = false;
    let id = driver.send("last words", SendOptions::new());
    driver.command(Command::Drain(secs(10)));
    assert_eq!(driver.link.phase(), Phase::Draining);
    let actions = driver.tell(Event::Flushed(epoch, id));
    assert!(actions.contains(&Action::Close(epoch)));
    driver.close(epoch, Cause::Close(1000));
    assert_eq!(driver.link.phase(), Phase::Closed);
}

#[test]
fn rule_24_status_answers_every_question_of_a_screen() {
    let mut driver = Driver::default_link();
    let begun = driver.now;
    let epoch = driver.start();
    driver.pass(secs(1));
    driver.send("a", SendOptions::new());
    driver.send("bc", SendOptions::new());
    let status = driver.link.status();
    assert_eq!((status.phase, status.since), (Phase::Connecting, begun));
    assert_eq!((status.attempt, status.next_attempt_at), (1, None));
    assert_eq!((status.last_cause, status.epoch), (None, Some(epoch)));
    assert_eq!((status.queued, status.in_flight, status.bytes), (2, 0, 3));
    driver.close(epoch, Cause::Close(1011));
    let status = driver.link.status();
    assert_eq!(
        (status.phase, status.since),
        (Phase::Waiting, begun + secs(1))
    );
    assert_eq!((status.attempt, status.epoch), (2, None));
    assert_eq!(status.last_cause, Some(Cause::Close(1011)));
    let at = status.next_attempt_at.expect("the time of the next dial");
    assert!(at.since(driver.now) >= secs(5) && at.since(driver.now) <= secs(10));
    assert_eq!(Some(at), driver.link.poll_timeout());
    driver.at(at, Event::Tick);
    assert_eq!(
        driver.dials.last(),
        Some(&at),
        "it comes when it was said to come"
    );
    let epoch = driver.dialled();
    driver.tell(Event::Opened(epoch));
    let status = driver.link.status();
    assert_eq!(
        (status.phase, status.since, status.queued),
        (Phase::Connected, at, 0)
    );
    assert!(has(&[Action::Flush(epoch)], |a| driver
        .actions
        .iter()
        .any(|(_, b)| a == b)));
    driver.command(Command::Disconnect);
    assert_eq!(driver.link.status().last_cause, Some(Cause::Requested));
}
