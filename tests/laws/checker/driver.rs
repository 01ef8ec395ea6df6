//! The drivers: a fair one with a server behind it, a chaotic one that says anything at any
//! time, and a lazy one that doesn't take every action.

use std::sync::LazyLock;

use core::time::Duration;

use redial::rng::{Seed, Seeded};
use redial::{
    Action, Command, Config, Epoch, Event, Frame, Hint, Instant, Link, MessageId, Phase,
    SendOptions,
};

use super::conduct::Conduct;
use super::decode::{self, Draw};
use super::messages::{Parcel, expiry};
use super::{Report, Subject, Tested, far, probes};

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
    link: Subject,
    /// Told the same, with a clock that never runs back: the two must not differ.
    twin: Subject,
    temper: Temper,
    /// Whether the configuration dials now and then while offline.
    recheck: bool,
    now: Instant,
    latest: Instant,
    conduct: Conduct,
    /// Actions may be pending.
    behind: bool,
    inputs: u64,
    sent: u64,
}

/// Epochs and message ids that the link under test may never have given out.
static NAMES: LazyLock<(Vec<Epoch>, Vec<MessageId>)> = LazyLock::new(|| {
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
            conduct: Conduct::new(link.config()),
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
            fullest: self.conduct.dials.fullest,
            changes: self.conduct.changes,
        }
    }

    /// A sensible next input: what a real driver could see now.
    fn fair(&mut self, draw: &mut Draw) -> Tested {
        let due = self.link.poll_timeout();
        let alive = self.conduct.alive();
        if self.link.phase().is_final() && !draw.once_in(4) {
            self.pass(draw, due);
            return self.event(
                Event::Command(draw.pick(&[Command::Start, Command::Reconnect])),
                draw,
            );
        }
        match draw.below(16) {
            0..=5 => {
                // Nothing happens until the deadline.
                if let Some(due) = due {
                    self.now = self.now.max(due) + draw.pick(&LATE);
                } else {
                    self.now = self.now + Duration::from_millis(draw.below(5000));
                }
                return self.event(Event::Tick, draw);
            }
            6 => {
                self.pass(draw, due);
                return self.event(Event::Hint(decode::hint(draw)), draw);
            }
            7 if draw.once_in(3) => {
                self.pass(draw, due);
                let command = decode::command(draw);
                return self.event(Event::Command(command), draw);
            }
            8 | 9 => {
                self.pass(draw, due);
                return self.send(draw);
            }
            _ => self.pass(draw, due),
        }
        let Some(epoch) = alive else {
            let Some(wanted) = self.conduct.wanted() else {
                return self.event(Event::Tick, draw);
            };
            return self.event(Event::Permit(wanted), draw);
        };
        let event = if self.conduct.is_probe() {
            Event::Probed(epoch, draw.once_in(2))
        } else if self.conduct.is_open() {
            match draw.below(12) {
                0..=3 => Event::Frame(epoch, Frame::Data),
                4 => Event::Frame(epoch, Frame::Ping),
                5 => Event::Frame(epoch, Frame::Pong(self.conduct.nonce())),
                6 => Event::Ready(epoch),
                7 => match self.conduct.last_commit() {
                    Some(id) => Event::Flushed(epoch, id),
                    None => Event::Progress(epoch, 0),
                },
                8 => Event::Progress(epoch, draw.below(1000)),
                9 => Event::Hint(Hint::GoingAway(epoch, Duration::from_secs(draw.below(100)))),
                _ => Event::Closed(epoch, decode::closure(draw)),
            }
        } else {
            match draw.below(4) {
                0 => Event::Reached(epoch),
                1 => Event::Closed(epoch, decode::closure(draw)),
                _ => Event::Opened(epoch),
            }
        };
        self.event(event, draw)
    }

    /// Whatever makes the next dial come soon, without a command.
    fn storm(&mut self, draw: &mut Draw) -> Tested {
        let alive = self.conduct.alive();
        let event = match (alive, self.conduct.wanted()) {
            (Some(epoch), _) if self.conduct.is_probe() => Event::Probed(epoch, draw.once_in(2)),
            (Some(epoch), _) if self.conduct.is_open() => match draw.below(8) {
                0 | 1 => Event::Frame(epoch, Frame::Data),
                2 => Event::Ready(epoch),
                3 => {
                    self.now = self.now + draw.pick(&OPEN);
                    Event::Frame(epoch, Frame::Data)
                }
                4 => Event::Hint(Hint::NetworkChanged),
                _ => Event::Closed(epoch, decode::refusal(draw)),
            },
            (Some(epoch), _) => match draw.below(8) {
                0 => Event::Hint(Hint::NetworkChanged),
                1..=4 => Event::Opened(epoch),
                _ => Event::Closed(epoch, decode::refusal(draw)),
            },
            (None, Some(wanted)) => Event::Permit(wanted),
            (None, None) => match draw.below(8) {
                0 => Event::Hint(draw.pick(&[Hint::Online, Hint::Visible, Hint::NetworkChanged])),
                1 | 2 if self.link.phase() == Phase::Offline => Event::Hint(Hint::Online),
                1 | 2 => Event::Hint(Hint::Offline),
                _ => {
                    self.now = self.now.max(self.link.poll_timeout().unwrap_or(self.now));
                    Event::Tick
                }
            },
        };
        self.event(event, draw)
    }

    /// Some time passes, but no deadline.
    fn pass(&mut self, draw: &mut Draw, due: Option<Instant>) {
        let later = self.now + Duration::from_millis(draw.pick(&[0, 1, 5, 100, 3000, 11_000]));
        self.now = due.map_or(later, |due| later.min(due).max(self.now));
    }

    fn chaotic(&mut self, draw: &mut Draw) -> Tested {
        let due = self.link.poll_timeout();
        let nano = Duration::from_nanos(1);
        self.now = match draw.below(12) {
            0..=2 => self.now,
            3 | 4 => self.now + Duration::from_millis(draw.below(1000)),
            5 | 6 => due.unwrap_or(self.now),
            7 => due.map_or(self.now, |due| due - nano),
            8 => due.unwrap_or(self.now) + draw.pick(&LATE),
            9 => self.now + Duration::from_secs(draw.below(100)),
            10 => self.now - Duration::from_secs(draw.below(5000)),
            _ => self.now + Duration::from_secs(3600 * draw.below(50)),
        };
        if far(self.now) {
            self.now = Instant::ORIGIN;
        }
        if self.link.phase().is_final() && draw.once_in(3) {
            return self.event(
                Event::Command(draw.pick(&[Command::Start, Command::Reconnect])),
                draw,
            );
        }
        let epoch = match draw.below(8) {
            0 => draw.pick(&NAMES.0),
            1 => self.conduct.last_but(draw.below(3)).unwrap_or(NAMES.0[0]),
            _ => self
                .conduct
                .alive()
                .or(self.conduct.wanted())
                .or(self.conduct.last_but(0))
                .unwrap_or(NAMES.0[0]),
        };
        let id = match draw.below(4) {
            0 => draw.pick(&NAMES.1),
            _ => self.conduct.last_commit().unwrap_or(NAMES.1[0]),
        };
        let event = match draw.below(30) {
            0..=2 => Event::Tick,
            3 => Event::Reached(epoch),
            4..=7 => Event::Opened(epoch),
            8 | 9 => Event::Ready(epoch),
            10..=12 => Event::Closed(epoch, decode::closure(draw)),
            13 => Event::Frame(epoch, Frame::Data),
            14 => Event::Frame(epoch, Frame::Ping),
            15 => {
                let nonce = draw.pick(&[None, self.conduct.nonce(), Some(0), Some(u64::MAX)]);
                Event::Frame(epoch, Frame::Pong(nonce))
            }
            16 => Event::Flushed(epoch, id),
            17 => Event::Progress(epoch, draw.below(1000)),
            18 => Event::Probed(epoch, draw.once_in(2)),
            19 => Event::Permit(epoch),
            20 => Event::Hint(decode::hint(draw)),
            21 => Event::Hint(Hint::GoingAway(
                epoch,
                draw.pick(&[Duration::MAX, Duration::ZERO]),
            )),
            22 | 23 if draw.once_in(2) => Event::Command(decode::command(draw)),
            22 | 23 => Event::Opened(epoch),
            24 | 25 => return self.send(draw),
            26 => return self.write(epoch, draw),
            27 => return self.take_back(epoch, id),
            28 => return self.reject(epoch, id),
            _ => return self.fates(draw.below(3)),
        };
        self.event(event, draw)
    }

    fn event(&mut self, event: Event, draw: &mut Draw) -> Tested {
        let before = self.link.clone();
        let was_behind = self.behind;
        self.latest = self.latest.max(self.now);
        super::tell(|| format!("{:?}: {event:?} in {}", self.now, before.phase()));
        self.conduct.before(&before, event, self.latest);
        self.link.handle(self.now, event);
        self.twin.handle(self.latest, event);
        probes::shifted(&before, self.now, event)?;
        self.conduct.after(&before, &self.link, event, self.latest);
        let cause = Some((before, event)).filter(|_| !was_behind);
        self.follow(cause, draw)
    }

    /// Takes the actions and the fates, as this driver does, and checks.
    fn follow(&mut self, cause: Option<(Subject, Event)>, draw: &mut Draw) -> Tested {
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
            let same = self.twin.poll_action();
            super::law(10, action == same, || format!("{action:?} or {same:?}"))?;
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

    fn send(&mut self, draw: &mut Draw) -> Tested {
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
                let expires = expiry(self.latest, ttl, self.link.config().outbox().ttl);
                self.conduct
                    .messages
                    .accepted(id, parcel, expires, volatile)?;
            }
            Err(refused) => super::law(6, refused.payload == parcel, || {
                "a refusal gave another payload back".into()
            })?,
        }
        self.follow(None, draw)
    }

    fn write(&mut self, epoch: Epoch, draw: &mut Draw) -> Tested {
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
                .map(|m| (m.id, m.tries, *m.payload));
            let same = self
                .twin
                .peek(latest, epoch)
                .map(|m| (m.id, m.tries, *m.payload));
            super::law(10, next == same, || format!("{next:?} or {same:?}"))?;
            let Some((id, tries, parcel)) = next else {
                break;
            };
            let settled = settled && self.link.outbox().fates_waiting() == 0;
            self.conduct.may_write(epoch)?;
            self.conduct.messages.peeked(id, tries, parcel, settled)?;
            super::tell(|| format!("    write {id}, {} bytes", parcel.size));
            let done = self.link.commit(now, epoch, id) && self.twin.commit(latest, epoch, id);
            super::law(6, done, || {
                format!("message {id} was offered and not committed")
            })?;
            self.conduct.messages.committed(id, epoch)?;
            self.conduct.committed(id);
        }
        Ok(())
    }

    fn take_back(&mut self, epoch: Epoch, from: MessageId) -> Tested {
        super::tell(|| format!("take back on {epoch} from {from}"));
        if self.link.state().is_up(epoch) {
            self.conduct.messages.taken_back(epoch, from);
        }
        self.link.take_back(epoch, from);
        self.twin.take_back(epoch, from);
        self.follow(None, &mut Draw::new(0))
    }

    fn reject(&mut self, epoch: Epoch, id: MessageId) -> Tested {
        let next = self.link.peek(self.latest, epoch).map(|m| m.id);
        self.twin.peek(self.latest, epoch);
        let id = next.unwrap_or(id);
        super::tell(|| format!("reject {id} on {epoch}"));
        let done = self.link.reject(epoch, id);
        self.twin.reject(epoch, id);
        super::law(6, done || next.is_none(), || {
            format!("message {id} rejected: {done}")
        })?;
        if done {
            self.conduct.messages.rejected(id)?;
        }
        self.follow(None, &mut Draw::new(0))
    }

    fn fates(&mut self, most: u64) -> Tested {
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
        let limits = self.link.config().outbox().clone();
        self.conduct.messages.fate(&fate, &limits, self.latest)?;
        Ok(true)
    }
}

/// How long a connection stays open in a storm.
const OPEN: [Duration; 5] = [
    Duration::from_millis(5),
    Duration::from_millis(250),
    Duration::from_millis(750),
    Duration::from_secs(1),
    Duration::from_secs(10),
];

/// How late a tick comes, in a driver that is not on time.
const LATE: [Duration; 8] = [
    Duration::ZERO,
    Duration::ZERO,
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_millis(20),
    Duration::from_secs(6),
    Duration::from_secs(45),
    Duration::from_secs(3 * 3600),
];
