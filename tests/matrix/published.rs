//! The published table of transitions: all of it can be, and nothing else is.

use std::collections::BTreeSet;

use super::*;

/// One recipe for each step that the published table has; nothing else is in the table.
#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a list of recipes, one after the other"
)]
fn the_published_table_holds_what_can_be_and_nothing_else() {
    let mut seen = BTreeSet::new();
    let mut note = |driver: &Driver| {
        seen.extend(
            driver
                .changes
                .iter()
                .map(|(_, change)| (change.from, change.to)),
        );
    };
    let probe = || config().preflight(Some(Preflight::default()));
    let permitted = || config().dialling(Dialling::Permitted { patience: secs(1) });
    let fatal = |e| Event::Closed(e, gone(Cause::Http(403)));
    let drain = |driver: &mut Driver| driver.command(Command::Drain(secs(9)));
    // Every cell of the matrix, with something queued and without.
    for (_, event, _) in TABLE {
        for (_, recipe) in PHASES {
            for queued in [false, true] {
                let mut driver = recipe();
                driver.room = 0;
                if queued {
                    let _ = driver
                        .link
                        .send(driver.now, b"left".to_vec(), SendOptions::new());
                }
                let epoch = driver.link.status().epoch.unwrap_or_else(stale);
                driver.tell(event(epoch));
                note(&driver);
            }
        }
    }
    // Steps that take another configuration than the recipe of their phase.
    let mut driver = with(probe());
    driver.command(Command::Start);
    driver.tell(Event::Hint(Hint::Offline));
    let due = driver.link.poll_timeout().expect("a probe has a deadline");
    driver.at(due, Event::Tick);
    driver.pass(secs(301));
    note(&driver);
    let mut driver = with(probe().max_retries(Some(0)));
    driver.command(Command::Start);
    driver.pass(secs(60));
    note(&driver);
    driver.command(Command::Start);
    note(&driver);
    let mut driver = with(probe());
    driver.command(Command::Start);
    driver.pass(secs(60));
    driver.pass(secs(60));
    note(&driver);
    for recipe in [failed, closing] {
        for builder in [probe(), permitted()] {
            let mut driver = with(builder.ready_deadline(None));
            driver.command(Command::Start);
            let there = epoch(&driver);
            driver.tell(Event::Probed(there, true));
            driver.tell(Event::Permit(there));
            let dial = epoch(&driver);
            if recipe().link.phase() == Phase::Failed {
                driver.tell(fatal(dial));
            } else {
                driver.tell(Event::Opened(dial));
                driver.command(Command::Disconnect);
            }
            driver.command(Command::Start);
            note(&driver);
        }
    }
    // Draining, called off by a reconnect before anything was connected.
    for builder in [config(), probe(), permitted()] {
        let mut driver = with(builder);
        driver.command(Command::Start);
        driver.send("left", SendOptions::new());
        drain(&mut driver);
        driver.command(Command::Reconnect);
        note(&driver);
    }
    // Offline while dialling and while connected.
    for recipe in [connecting, connected, reconnecting] {
        let mut driver = recipe();
        driver.tell(Event::Hint(Hint::Offline));
        let alive = epoch(&driver);
        driver.close(alive, Cause::Lost);
        driver.pass(secs(301));
        note(&driver);
    }
    // Waiting after a loss, and permission for the next dial.
    let mut driver = with(permitted());
    driver.command(Command::Start);
    let first = epoch(&driver);
    driver.tell(Event::Permit(first));
    driver.tell(Event::Opened(first));
    driver.command(Command::Reconnect);
    let second = epoch(&driver);
    driver.tell(Event::Permit(second));
    driver.tell(Event::Hint(Hint::Offline));
    driver.close(second, Cause::Lost);
    note(&driver);
    // Closing out of a reconnect whose application handshake is not done.
    let mut driver = with(config().ready_deadline(Some(secs(2))));
    let first = driver.start();
    driver.tell(Event::Opened(first));
    driver.tell(Event::Ready(first));
    driver.close(first, Cause::Lost);
    let second = driver.dialled();
    driver.tell(Event::Opened(second));
    driver.command(Command::Disconnect);
    note(&driver);

    let published: BTreeSet<_> = Phase::ALL
        .into_iter()
        .flat_map(|from| from.successors().iter().map(move |to| (from, *to)))
        .collect();
    let dead: Vec<_> = published.difference(&seen).collect();
    let secret: Vec<_> = seen.difference(&published).collect();
    assert!(dead.is_empty(), "in the table and never seen: {dead:?}");
    assert!(secret.is_empty(), "seen and not in the table: {secret:?}");
}
