//! Permission, preflight, limits and patience.

use redial::config::{Dialling, Preflight};
use redial::{Action, Cause, Command, Config, Event, Hint, Phase};

use crate::common::{Answer, Driver, against, dials, has, ms, secs};

#[test]
fn permitted_dialling_asks_again_until_it_is_answered() {
    let dialling = Dialling::Permitted { patience: secs(2) };
    let config = Config::builder().dialling(dialling).build().expect("valid");
    let mut driver = Driver::new(config, 1);
    let wants = |action: &Action| matches!(action, Action::WantDial(_));
    assert!(has(&driver.command(Command::Start), wants));
    for _ in 0..5 {
        assert!(has(&driver.pass(secs(2)), wants));
    }
    assert_eq!(driver.dials.len(), 0);
    assert_eq!(driver.link.phase(), Phase::Waiting);
    let wanted = driver.link.status().epoch.expect("a wish");
    let actions = driver.tell(Event::Permit(wanted));
    assert!(dials(&actions));
    assert!(
        !dials(&driver.tell(Event::Permit(wanted))),
        "a permit is for one dial"
    );
    driver.tell(Event::Opened(wanted));
    assert_eq!(driver.link.phase(), Phase::Connected);
    // The next dial asks again.
    driver.close(wanted, Cause::Lost);
    let due = driver.link.poll_timeout().expect("a dial");
    assert!(has(&driver.at(due, Event::Tick), wants));
    // A wish that is withdrawn can't be granted.
    let wanted = driver.link.status().epoch.expect("a wish");
    driver.command(Command::Disconnect);
    assert!(driver.tell(Event::Permit(wanted)).is_empty());
}

fn preflight(driver: &mut Driver, there: bool) -> Vec<Action> {
    let epoch = driver.link.status().epoch.expect("a probe");
    driver.tell(Event::Probed(epoch, there))
}

#[test]
fn failed_probes_of_the_start_up_are_no_attempts() {
    let config = Config::builder()
        .preflight(Some(Preflight::default()))
        .max_retries(Some(2))
        .build()
        .expect("valid");
    let mut driver = Driver::new(config, 1);
    driver.command(Command::Start);
    let begun = driver.now;
    let mut probes = 0;
    while driver.now.since(begun) < secs(29) {
        assert_eq!(driver.link.phase(), Phase::Probing);
        preflight(&mut driver, false);
        assert_eq!(driver.link.status().attempt, 1);
        driver.pass(secs(1));
        probes += 1;
    }
    assert_eq!(probes, 29);
    assert!(dials(&preflight(&mut driver, true)));
    assert_eq!(driver.link.status().attempt, 1);
    // Once the server was there, it is not probed again.
    let epoch = driver.dialled();
    driver.close(epoch, Cause::Lost);
    driver.dialled();
    let preflights = driver
        .actions
        .iter()
        .filter(|(_, a)| matches!(a, Action::Preflight { .. }));
    assert_eq!(preflights.count(), 30);
}

#[test]
fn after_the_start_up_failed_probes_are_attempts() {
    let config = Config::builder()
        .preflight(Some(Preflight::default()))
        .max_retries(Some(2))
        .build()
        .expect("valid");
    let mut driver = Driver::new(config, 1);
    driver.command(Command::Start);
    // Nobody answers: each probe has its deadline.
    driver.pass(secs(120));
    assert_eq!(driver.link.phase(), Phase::Failed);
    assert_eq!(
        driver.causes_to(Phase::Failed),
        [Some(Cause::AttemptsSpent)]
    );
    assert_eq!(driver.link.status().last_cause, Some(Cause::Preflight));
    assert_eq!(driver.dials.len(), 0);
}

#[test]
fn a_failed_probe_while_offline_parks_with_its_cause() {
    let config = Config::builder()
        .preflight(Some(Preflight::default()))
        .build();
    let mut driver = Driver::new(config.expect("valid"), 1);
    driver.command(Command::Start);
    driver.tell(Event::Hint(Hint::Offline));
    preflight(&mut driver, false);
    assert_eq!(driver.link.phase(), Phase::Offline);
    assert_eq!(driver.link.status().last_cause, Some(Cause::Preflight));
}

#[test]
fn the_limit_of_attempts_counts_the_first_dial_and_so_many_retries() {
    for most in [0, 1, 5, 10] {
        let config = Config::builder()
            .max_retries(Some(most))
            .build()
            .expect("valid");
        let driver = against(config, 1, secs(3600), |_, _| Answer::refuse());
        assert_eq!(driver.dials.len(), most as usize + 1);
        assert_eq!(driver.link.phase(), Phase::Failed);
        assert_eq!(
            driver.causes_to(Phase::Failed),
            [Some(Cause::AttemptsSpent)]
        );
    }
}

#[test]
fn the_limit_of_time_ends_before_a_dial_that_would_come_too_late() {
    let config = Config::builder()
        .max_elapsed(Some(secs(60)))
        .build()
        .expect("valid");
    for seed in 0..50 {
        let driver = against(config.clone(), seed, secs(3600), |_, _| Answer::refuse());
        assert_eq!(driver.causes_to(Phase::Failed), [Some(Cause::TimeSpent)]);
        let spent = driver
            .changes
            .last()
            .expect("the end")
            .0
            .since(driver.dials[0]);
        assert!(spent <= secs(60) && spent >= secs(20), "{spent:?}");
    }
}

#[test]
fn a_silent_handshake_is_given_more_time_each_time() {
    let driver = against(Config::default(), 1, secs(3600), |_, _| {
        Answer::Silence(true)
    });
    let deadlines: Vec<_> = driver
        .actions
        .iter()
        .filter_map(|(at, action)| match action {
            Action::Connect { deadline, .. } => Some(deadline.since(*at).as_secs()),
            _ => None,
        })
        .collect();
    assert_eq!(deadlines[..6], [10, 20, 40, 80, 160, 160]);
    assert_eq!(
        driver.link.status().last_cause,
        Some(Cause::HandshakeTimeout)
    );
    let driver = against(Config::default(), 1, secs(3600), |_, _| {
        Answer::Silence(false)
    });
    assert!(driver.actions.iter().all(|(at, action)| match action {
        Action::Connect { deadline, .. } => deadline.since(*at) == secs(10),
        _ => true,
    }));
    assert_eq!(driver.link.status().last_cause, Some(Cause::ConnectTimeout));
}

#[test]
fn the_applications_handshake_has_its_own_deadline() {
    let config = Config::builder()
        .ready_deadline(Some(secs(3)))
        .build()
        .expect("valid");
    let mut driver = Driver::new(config, 1);
    let epoch = driver.start();
    driver.pass(secs(9));
    driver.tell(Event::Opened(epoch));
    assert_eq!(driver.link.phase(), Phase::Connecting);
    assert!(!has(
        &driver.pass(secs(3).checked_sub(ms(1)).unwrap()),
        |a| matches!(a, Action::Abort(_))
    ));
    driver.pass(ms(1));
    assert_eq!(driver.link.status().last_cause, Some(Cause::ReadyTimeout));
    let epoch = driver.dialled();
    driver.tell(Event::Opened(epoch));
    driver.tell(Event::Ready(epoch));
    assert_eq!(driver.link.phase(), Phase::Connected);
}

#[test]
fn a_driver_that_names_the_links_own_causes_is_asked_for_nothing() {
    for cause in [
        Cause::PongTimeout,
        Cause::CloseTimeout,
        Cause::HandshakeTimeout,
    ] {
        let (mut driver, epoch) = Driver::connected(Config::default());
        let actions = driver.close(epoch, cause);
        assert!(
            !actions.contains(&Action::Abort(epoch)),
            "{cause:?}: {actions:?}"
        );
        assert_eq!(driver.link.phase(), Phase::Waiting);
    }
}

#[test]
fn only_what_was_connected_is_counted_as_disconnected() {
    let config = Config::builder()
        .ready_deadline(Some(secs(3)))
        .build()
        .expect("valid");
    let mut driver = Driver::new(config, 1);
    let epoch = driver.start();
    driver.tell(Event::Opened(epoch));
    driver.command(Command::Disconnect);
    driver.close(epoch, Cause::Close(1000));
    let stats = driver.link.stats();
    assert_eq!(
        (stats.dials, stats.connected, stats.disconnected),
        (1, 0, 0)
    );
}

#[test]
fn a_driver_that_takes_no_actions_is_told_where_it_ended() {
    let config = Config::builder()
        .preflight(Some(Preflight::default()))
        .build();
    let mut driver = Driver::new(config.expect("valid"), 1);
    driver.tell(Event::Hint(Hint::Offline));
    driver.command(Command::Start);
    for _ in 0..20 {
        let due = driver.link.poll_timeout().expect("never stranded");
        driver.now = driver.now.max(due);
        driver.link.handle(driver.now, Event::Tick);
    }
    driver.act();
    let told = driver.changes.last().expect("changes").1.to;
    assert_eq!(told, driver.link.phase());
    for pair in driver.changes.windows(2) {
        assert_eq!(pair[0].1.to, pair[1].1.from, "the chain is unbroken");
        assert_ne!(
            pair[1].1.from, pair[1].1.to,
            "and no change is from a phase to itself"
        );
    }
}

#[test]
fn the_end_of_time_is_harmless() {
    let end = redial::Instant::from_origin(std::time::Duration::MAX);
    let config = Config::builder()
        .preflight(Some(Preflight::default()))
        .build();
    for config in [Config::default(), config.expect("valid")] {
        let mut driver = Driver::new(config, 1);
        driver.now = end;
        for round in 0..50 {
            driver.command(Command::Start);
            let epoch = driver.link.status().epoch;
            if let Some(epoch) = epoch {
                driver.tell(Event::Probed(epoch, true));
                driver.tell(Event::Opened(epoch));
                driver.tell(Event::Progress(epoch, 1));
                driver.tell(Event::Tick);
                driver.close(epoch, Cause::Lost);
            }
            driver.tell(Event::Hint(Hint::Offline));
            driver.tell(Event::Hint(Hint::Online));
            driver.tell(Event::Hint(Hint::NetworkChanged));
            driver.command(Command::Drain(secs(1)));
            if round % 2 == 0 {
                driver.command(Command::Disconnect);
            }
        }
    }
}
