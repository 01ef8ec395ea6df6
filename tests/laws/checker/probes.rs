//! Laws that are seen by trying something else: 3, 4, 5 and 10.

use core::time::Duration;

use redial::link::Backlog;
use redial::{Action, Event, Hint, Instant, Phase};

use super::{Subject, Tested, law};

/// Law 10: the two were told the same.
pub fn same(link: &Subject, twin: &Subject) -> Tested {
    let equal = link.state() == twin.state()
        && link.rng() == twin.rng()
        && link.outbox().account() == twin.outbox().account()
        && link.outbox().bytes() == twin.outbox().bytes()
        && link.poll_timeout() == twin.poll_timeout()
        && link.status() == twin.status()
        && link.snapshot() == twin.snapshot();
    law(10, equal, || {
        format!(
            "told the same, and yet\n{:?}\n{:?}",
            link.state(),
            twin.state()
        )
    })
}

/// Law 10: behaviour commutes with a shift in time.
pub fn shifted(before: &Subject, now: Instant, event: Event) -> Tested {
    const LATER: Duration = Duration::from_nanos(86_400_123_456_789);
    for backlog in [Backlog::Empty, Backlog::Some] {
        let mut here = *before.state();
        let mut there = here.shifted(LATER);
        let (mut rng, mut same) = (before.rng().clone(), before.rng().clone());
        let config = before.config();
        let first = here.handle(config, &mut rng, now, event, backlog);
        let second = there.handle(config, &mut same, now + LATER, event, backlog);
        law(10, first == second, || {
            format!("shifted: {first:?} or {second:?}")
        })?;
        law(10, here.shifted(LATER) == there, || {
            format!("shifted by {LATER:?}\n{:?}\n{there:?}", here.shifted(LATER))
        })?;
        for _ in 0..32 {
            let (first, second) = (
                here.poll_action().map(|a| later(a, LATER)),
                there.poll_action(),
            );
            law(10, first == second, || {
                format!("shifted: {first:?} or {second:?}")
            })?;
            if first.is_none() {
                break;
            }
        }
    }
    Ok(())
}

fn later(action: Action, by: Duration) -> Action {
    match action {
        Action::Connect {
            epoch,
            attempt,
            refresh,
            deadline,
        } => Action::Connect {
            epoch,
            attempt,
            refresh,
            deadline: deadline + by,
        },
        Action::Preflight { epoch, deadline } => Action::Preflight {
            epoch,
            deadline: deadline + by,
        },
        other => other,
    }
}

/// Law 3: whatever is not final has a deadline, unless the configuration asks for none.
pub fn awake(link: &Subject, now: Instant, hidden: bool, recheck: bool) -> Tested {
    let pulse = link.config().heartbeat();
    let silent = pulse.interval.is_none() || (hidden && pulse.hidden_interval.is_none());
    let excused = match link.phase() {
        Phase::Closed | Phase::Failed => true,
        Phase::Connected => silent,
        Phase::Offline => !recheck,
        // A drain may be given 584 years.
        Phase::Draining => silent || !recheck,
        _ => false,
    };
    law(3, excused || link.poll_timeout().is_some(), || {
        format!("stranded in {} at {now:?}", link.phase())
    })
}

/// Law 4: before the deadline a tick changes nothing, at it something.
pub fn deadline(link: &Subject, now: Instant) -> Tested {
    let Some(due) = link.poll_timeout() else {
        return Ok(());
    };
    let early = due - Duration::from_nanos(1);
    if early > now {
        let mut probe = link.clone();
        let (phase, drawn) = (probe.phase(), probe.rng().clone());
        probe.handle(early, Event::Tick);
        let action = probe.poll_action();
        let still = action.is_none()
            && probe.phase() == phase
            && probe.poll_timeout() == Some(due)
            && *probe.rng() == drawn
            && probe.outbox().account() == link.outbox().account();
        law(4, still, || {
            format!(
                "a tick before {due:?} did {action:?}, {:?}",
                probe.poll_timeout()
            )
        })?;
    }
    let mut probe = link.clone();
    probe.handle(due, Event::Tick);
    let next = probe.poll_timeout();
    let at = due.max(now);
    law(4, next.is_none_or(|next| next > at), || {
        format!(
            "in {} the deadline after a tick at {at:?} is {next:?}",
            link.phase()
        )
    })?;
    let acted = probe.poll_action().is_some();
    law(4, acted || next.is_none_or(|next| next > due), || {
        format!("a tick at {due:?} did nothing")
    })
}

/// Law 1: an event of an epoch that is not alive does nothing, where nothing else is due.
pub fn stale(before: &Subject, link: &Subject, event: Event, now: Instant, acted: bool) -> Tested {
    let (Event::Reached(epoch)
    | Event::Opened(epoch)
    | Event::Ready(epoch)
    | Event::Closed(epoch, _)
    | Event::Frame(epoch, _)
    | Event::Flushed(epoch, _)
    | Event::Acked(epoch, _)
    | Event::Progress(epoch, _)
    | Event::Probed(epoch, _)
    | Event::Permit(epoch)
    | Event::Hint(Hint::GoingAway(epoch, _))) = event
    else {
        return Ok(());
    };
    let due = before.poll_timeout().is_some_and(|due| due <= now);
    if due || before.status().epoch == Some(epoch) {
        return Ok(());
    }
    let same = !acted
        && link.status() == before.status()
        && link
            .poll_timeout()
            .is_none_or(|next| before.poll_timeout().is_some_and(|due| due <= next))
        && link.rng() == before.rng();
    law(1, same, || {
        format!("{event:?} did something in {}", before.phase())
    })
}

/// Laws 4 and 5, after an event was handled and every action taken.
pub fn ticked(before: &Subject, link: &Subject, event: Event, now: Instant, acted: bool) -> Tested {
    if event != Event::Tick {
        return Ok(());
    }
    if before.poll_timeout().is_none_or(|due| due > now) {
        let same = !acted && before.phase() == link.phase();
        law(4, same, || {
            format!("an early tick acted in {}", before.phase())
        })?;
    }
    law(4, link.poll_timeout().is_none_or(|due| due > now), || {
        format!(
            "after a tick at {now:?} the deadline is {:?}",
            link.poll_timeout()
        )
    })
}
