//! What holds after every step, seen from outside or on a copy: laws 4, 6 and 11.

use core::time::Duration;

use redial::outbox::{Limits, Outbox};
use redial::{Event, Instant, Link, Phase};

use super::ledger::{Item, Writer};
use super::{Tested, World, law};

impl World {
    pub fn check(&mut self) -> Tested {
        let link = &self.client.link;
        let (config, rng) = (link.config().clone(), link.rng().clone());
        let copy = Link::restore(config, rng, link.snapshot());
        let copy = copy.map(|copy| copy.snapshot() == link.snapshot());
        law(10, copy == Ok(true), || {
            format!(
                "no link can have made this snapshot: {copy:?}, {:?}",
                link.outbox()
            )
        })?;
        let writer = &self.writers[self.client.writer];
        balance(link.outbox(), link.config().outbox(), writer)?;
        self.client_deadline()?;
        let delay = link
            .config()
            .session()
            .map_or(Duration::ZERO, |s| s.acks.delay);
        let owed = self.client.owes.filter(|since| *since + delay < self.now);
        law(
            8,
            owed.is_none() || link.phase() != Phase::Connected,
            || {
                format!(
                    "the client owes an acknowledgement since {owed:?}, now {:?}",
                    self.now
                )
            },
        )?;
        for (id, seat) in &self.sessions {
            let session = &seat.session;
            let limits = &session.settings().outbox;
            balance(session.outbox(), limits, &self.writers[seat.writer])
                .map_err(|broken| format!("{id:?}: {broken}"))?;
            let delay = session.settings().acks.delay;
            let owed = seat.owes.filter(|since| *since + delay < self.now);
            law(8, owed.is_none() || session.epoch().is_none(), || {
                format!("{id:?} owes an acknowledgement since {owed:?}")
            })?;
            law(8, session.expires_at() == seat.expires, || {
                format!(
                    "{id:?} ends at {:?}, not {:?}",
                    session.expires_at(),
                    seat.expires
                )
            })?;
            let Some(due) = session.poll_timeout() else {
                continue;
            };
            let mut probe = session.clone();
            let early = due - Duration::from_nanos(1);
            if early > self.now {
                probe.handle(early, Event::Tick);
                let still = probe.poll_action().is_none()
                    && probe.poll_timeout() == Some(due)
                    && probe.outbox() == session.outbox();
                law(4, still, || {
                    format!("{id:?}: a tick before {due:?} did something")
                })?;
            }
            probe.handle(due.max(self.now), Event::Tick);
            let acted = probe.poll_action().is_some();
            progress(due, self.now, probe.poll_timeout(), acted)?;
        }
        Ok(())
    }

    fn client_deadline(&self) -> Tested {
        let link = &self.client.link;
        let Some(due) = link.poll_timeout() else {
            return Ok(());
        };
        let mut probe = link.clone();
        let early = due - Duration::from_nanos(1);
        if early > self.now {
            probe.handle(early, Event::Tick);
            let action = probe.poll_action();
            let still = action.is_none()
                && probe.poll_timeout() == Some(due)
                && probe.outbox() == link.outbox();
            law(4, still, || {
                format!(
                    "a tick before {due:?} did {action:?}, {:?}",
                    probe.poll_timeout()
                )
            })?;
        }
        probe.handle(due.max(self.now), Event::Tick);
        let acted = probe.poll_action().is_some();
        progress(due, self.now, probe.poll_timeout(), acted)
    }
}

fn progress(due: Instant, now: Instant, next: Option<Instant>, acted: bool) -> Tested {
    let at = due.max(now);
    law(4, next.is_none_or(|next| next > at), || {
        format!("after a tick at {at:?} the deadline is {next:?}")
    })?;
    law(4, acted || next.is_none_or(|next| next > due), || {
        format!("a tick at {due:?} did nothing")
    })
}

/// The outbox against its account, its bounds, and what the model knows.
fn balance(outbox: &Outbox<Item>, limits: &Limits, writer: &Writer) -> Tested {
    let (accepted, fated) = outbox.account();
    let open = writer.letters.iter().filter(|letter| letter.fate.is_none());
    let (open, all) = (open.count(), writer.letters.len());
    let live = outbox.queued() + outbox.in_flight();
    let counted = accepted == all as u64 && live == open && fated == (all - open) as u64;
    law(6, counted && outbox.fates_waiting() == 0, || {
        format!("{all} sent, {open} open; {accepted} accepted, {live} live, {fated} with a fate")
    })?;
    law(
        11,
        live <= limits.messages && outbox.bytes() <= limits.bytes,
        || format!("{live} messages and {} bytes held", outbox.bytes()),
    )
}
