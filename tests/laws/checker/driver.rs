//! The drivers: a fair one with a server behind it, a chaotic one that says anything at any
//! time, and a lazy one that doesn't take every action.

use std::sync::LazyLock;

use core::time::Duration;

use redial::rng::{Seed, Seeded};
use redial::{
    Action, Command, Config, Delivery, Epoch, Event, Instant, Link, MessageId, Phase, SendOptions,
};

use super::conduct::Conduct;
use super::decode::{self, Draw};
use super::messages::{Parcel, expiry};
use super::{Report, Subject, Tested, probes};

/// What kind of driver it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    Fair,
    Chaotic,
    Lazy,
    /// On time, with a server and hints that provoke as many dials as they can.
    Storm,
}

pub struct Driver {
    pub(super) link: Subject,
    /// Told the same, with a clock that never runs back: the two must not differ.
    pub(super) twin: Subject,
    temper: Temper,
    /// Whether the configuration dials now and then while offline.
    recheck: bool,
    pub(super) now: Instant,
    pub(super) latest: Instant,
    pub(super) conduct: Conduct,
    /// Actions may be pending.
    behind: bool,
    inputs: u64,
    pub(super) sent: u64,
}

/// Epochs and message ids that the link under test may never have given out.
pub(super) static NAMES: LazyLock<(Vec<Epoch>, Vec<MessageId>)> = LazyLock::new(|| {
    let config = Config::default();
    let mut link = Link::<&[u8], _>::new(config, Seeded::new(Seed::from_number(0), 0));
    let (mut epochs, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..300 {
        link.handle(Instant::ORIGIN, Event::Command(Command::Reconnect));
        while let Some(action) = link.poll_action() {
            if let Action::Connect { epoch, .. } = action {
                epochs.push(epoch);
            }
        }
        ids.extend(link.send(Instant::ORIGIN, &[], SendOptions::new()));
        link.handle(Instant::ORIGIN, Event::Command(Command::Clear));
        while link.poll_fate().is_some() {}
    }
    (epochs, ids)
});

impl Driver {
    pub fn new(link: Subject, temper: Temper, recheck: bool) -> Self {
        Self {
            twin: link.clone(),
            conduct: Conduct::new(link.config(), temper == Temper::Lazy),
            link,
            temper,
            recheck,
            now: Instant::ORIGIN + Duration::from_secs(1000),
            latest: Instant::ORIGIN,
            behind: false,
            inputs: 0,
            sent: 0,
        }
    }

    /// One input, all that follows from it, and every law after it.
    pub fn step(&mut self, mut draw: Draw) -> Tested {
        self.inputs += 1;
        if self.inputs == 1 && matches!(self.temper, Temper::Fair | Temper::Storm) {
            return self.event(Event::Command(Command::Start), &mut draw);
        }
        if self.link.config().session().is_some() {
            // Half of the words are about the session.
            let mut turned = draw.turned();
            if self.temper != Temper::Storm && turned.once_in(2) {
                return self.converse(&mut turned);
            }
        }
        match self.temper {
            Temper::Fair => self.fair(&mut draw),
            Temper::Storm => {
                // A storm takes more inputs than a case has words.
                let word = draw.below(u64::MAX);
                for turn in 0..8 {
                    self.inputs += u64::from(turn > 0);
                    self.storm(&mut Draw::new(word.rotate_left(8 * turn)))?;
                }
                Ok(())
            }
            Temper::Chaotic | Temper::Lazy => self.chaotic(&mut draw),
        }
    }

    pub fn report(self) -> Report {
        let stats = self.link.stats();
        Report {
            inputs: self.inputs,
            dials: self.conduct.dials.count() as u64,
            connected: stats.connected,
            messages: stats.accepted,
            sessions: [stats.resumed, stats.fresh, stats.acked, stats.duplicates],
            fullest: self.conduct.dials.fullest,
            changes: self.conduct.changes,
        }
    }

    pub(super) fn event(&mut self, event: Event, draw: &mut Draw) -> Tested {
        let before = self.link.clone();
        let was_behind = self.behind;
        self.latest = self.latest.max(self.now);
        super::tell(|| format!("{:?}: {event:?} in {}", self.now, before.phase()));
        self.conduct.before(&before, event, self.latest);
        self.link.handle(self.now, event);
        self.twin.handle(self.latest, event);
        probes::shifted(&before, self.now, event)?;
        self.conduct.after(&before, &self.link);
        let cause = Some((before, event)).filter(|_| !was_behind);
        self.follow(cause, draw)
    }

    /// Takes the actions and the fates, as this driver does, and checks.
    pub(super) fn follow(&mut self, cause: Option<(Subject, Event)>, draw: &mut Draw) -> Tested {
        let lazy = self.temper == Temper::Lazy && draw.once_in(2);
        let mut patience = if lazy { draw.below(3) } else { 32 };
        let mut some = false;
        loop {
            if patience == 0 {
                self.behind = true;
                break;
            }
            patience -= 1;
            let action = self.link.poll_action();
            let other = self.twin.poll_action();
            super::law(10, action == other, || format!("{action:?} or {other:?}"))?;
            let Some(action) = action else {
                if self.behind {
                    self.conduct.caught_up(&self.link);
                }
                self.behind = false;
                break;
            };
            super::law(11, lazy || patience > 0, || "actions without end".into())?;
            some = true;
            super::tell(|| format!("    {action:?}"));
            self.conduct.acted(action, self.latest, self.behind)?;
            if let Action::Flush(epoch) = action {
                if self.temper == Temper::Fair {
                    self.write_some(epoch, 1 + draw.below(8))?;
                }
            }
        }
        if self.temper == Temper::Fair {
            while self.fate()? {}
        }
        self.check()?;
        if let (Some((before, event)), false) = (cause, self.behind) {
            probes::stale(&before, &self.link, event, self.latest, some)?;
            probes::ticked(&before, &self.link, event, self.latest, some)?;
        }
        Ok(())
    }

    /// Every law that is about where the link stands now.
    fn check(&mut self) -> Tested {
        let limits = self.link.config().outbox().clone();
        self.conduct.messages.balance(self.link.outbox(), &limits)?;
        probes::same(&self.link, &self.twin)?;
        if !self.behind {
            self.conduct.stands(&self.link, self.latest)?;
            probes::awake(&self.link, self.latest, self.conduct.hidden(), self.recheck)?;
            probes::deadline(&self.link, self.latest)?;
        }
        Ok(())
    }

    pub(super) fn send(&mut self, draw: &mut Draw) -> Tested {
        let (size, ttl, volatile) = decode::parcel(draw);
        self.sent += 1;
        let parcel = Parcel {
            number: self.sent,
            size,
        };
        let mut options = SendOptions::new();
        if let Some(ttl) = ttl {
            options = options.ttl(ttl);
        }
        if volatile {
            options = options.volatile();
        }
        if self.link.config().session().is_some() {
            match draw.turned().below(4) {
                0 => options = options.delivery(Delivery::Acknowledged),
                1 => options = options.delivery(Delivery::AtMostOnce),
                _ => {}
            }
        }
        let delivery = if self.link.config().session().is_none() {
            Delivery::AtMostOnce
        } else {
            match draw.turned().below(4) {
                0 => Delivery::Acknowledged,
                1 => Delivery::AtMostOnce,
                _ => self.link.config().outbox().delivery,
            }
        };
        self.latest = self.latest.max(self.now);
        let phase = self.link.phase();
        let sent = self.link.send(self.now, parcel, options);
        let same = self.twin.send(self.latest, parcel, options);
        super::tell(|| format!("{:?}: send {parcel:?} {options:?}: {sent:?}", self.now));
        super::law(10, sent == same, || format!("{sent:?} or {same:?}"))?;
        match sent {
            Ok(id) => {
                let open = !matches!(
                    phase,
                    Phase::Closed | Phase::Failed | Phase::Closing | Phase::Draining
                );
                super::law(9, open, || format!("a message was accepted in {phase}"))?;
                let acknowledged = delivery == Delivery::Acknowledged && !volatile;
                let expires = expiry(self.latest, ttl, self.link.config().outbox().ttl);
                self.conduct
                    .messages
                    .accepted(id, parcel, expires, volatile, acknowledged)?;
            }
            Err(refused) => super::law(6, refused.payload == parcel, || {
                "a refusal gave another payload back".into()
            })?,
        }
        self.follow(None, draw)
    }

    pub(super) fn write(&mut self, epoch: Epoch, draw: &mut Draw) -> Tested {
        self.latest = self.latest.max(self.now);
        let most = draw.below(4);
        self.write_some(epoch, most)?;
        self.follow(None, draw)
    }

    fn write_some(&mut self, epoch: Epoch, most: u64) -> Tested {
        for _ in 0..=most {
            let settled = self.link.outbox().fates_waiting() == 0;
            let (now, latest) = (self.now, self.latest);
            let next = self
                .link
                .peek(now, epoch)
                .map(|m| (m.id, m.tries, *m.payload, m.intent, m.sequence));
            let same = self
                .twin
                .peek(latest, epoch)
                .map(|m| (m.id, m.tries, *m.payload, m.intent, m.sequence));
            super::law(10, next == same, || format!("{next:?} or {same:?}"))?;
            let Some((id, tries, parcel, intent, _)) = next else {
                break;
            };
            let settled = settled && self.link.outbox().fates_waiting() == 0;
            self.conduct.may_write(epoch)?;
            if intent.is_none() {
                let messages = &self.conduct.messages;
                messages.peeked(epoch, id, tries, parcel, settled)?;
            }
            super::tell(|| format!("    write {id}, {} bytes", parcel.size));
            let done = self.link.commit(now, epoch, id) && self.twin.commit(latest, epoch, id);
            super::law(6, done, || {
                format!("message {id} was offered and not committed")
            })?;
            if intent.is_none() {
                self.conduct.messages.committed(id, epoch)?;
            }
            self.conduct.committed(id);
        }
        Ok(())
    }

    pub(super) fn take_back(&mut self, epoch: Epoch, from: MessageId) -> Tested {
        super::tell(|| format!("take back on {epoch} from {from}"));
        if self.link.state().is_up(epoch) {
            self.conduct.messages.taken_back(epoch, from);
        }
        self.link.take_back(epoch, from);
        self.twin.take_back(epoch, from);
        self.follow(None, &mut Draw::new(0))
    }

    pub(super) fn reject(&mut self, epoch: Epoch, id: MessageId) -> Tested {
        let next = self.link.peek(self.latest, epoch).map(|m| m.id);
        self.twin.peek(self.latest, epoch);
        let id = next.unwrap_or(id);
        super::tell(|| format!("reject {id} on {epoch}"));
        let done = self.link.reject(epoch, id);
        self.twin.reject(epoch, id);
        super::law(6, done || next.is_none(), || {
            format!("message {id} rejected: {done}")
        })?;
        if done && id.intent().is_some() {
            self.conduct.messages.intent_rejected();
        } else if done {
            self.conduct.messages.rejected(id)?;
        }
        self.follow(None, &mut Draw::new(0))
    }

    pub(super) fn fates(&mut self, most: u64) -> Tested {
        for _ in 0..=most {
            self.fate()?;
        }
        self.check()
    }

    fn fate(&mut self) -> Result<bool, super::Broken> {
        let fate = self.link.poll_fate();
        let same = self.twin.poll_fate();
        super::law(10, fate == same, || format!("{fate:?} or {same:?}"))?;
        let Some(fate) = fate else {
            return Ok(false);
        };
        super::tell(|| format!("    fate {} {:?}", fate.id, fate.outcome));
        if fate.id.intent().is_some() {
            self.conduct.messages.intent_fate(&fate)?;
            return Ok(true);
        }
        let limits = self.link.config().outbox().clone();
        self.conduct.messages.fate(&fate, &limits, self.latest)?;
        Ok(true)
    }
}
