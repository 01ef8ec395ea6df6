//! What a driver sees of a link, and which of it may be: laws 1, 2, 3, 5, 9, 11 and 12.

use core::time::Duration;

use redial::{
    Action, Cause, Change, Command, Config, Epoch, Event, Hint, Instant, MessageId, Phase,
};

use super::dials::Dials;
use super::messages::Messages;
use super::{Subject, Tested, law};

/// What became of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Probed,
    Dialled,
    /// Opened was told and taken.
    Open,
    /// `Close` was asked for.
    Closing,
    Over,
}

pub struct Conduct {
    pub dials: Dials,
    pub messages: Messages,
    /// Told one by one to a driver that takes every action.
    pub changes: Vec<(Phase, Phase)>,
    epochs: Vec<Epoch>,
    life: Life,
    wanted: Option<Epoch>,
    phase: Phase,
    /// No dial until the user asks for one.
    final_until_asked: bool,
    hidden: bool,
    last_life: Instant,
    opened_at: Instant,
    stable_after: Duration,
    lazy: bool,
    pong_deadline: Duration,
    pings: Vec<(u64, Instant)>,
    last_commit: Option<MessageId>,
    /// What one input led to: connects, aborts, pings, closes.
    counts: [u32; 4],
    longest_wait: Duration,
}

impl Conduct {
    pub fn new(config: &Config, lazy: bool) -> Self {
        // A schedule's delay, a server's wish with its spread (hint_max is at most 300 s in
        // these configurations), the 60 s of a close code, or the limit of hints.
        let longest = config.backoff().max_delay().max(Duration::from_secs(600));
        Self {
            dials: Dials::new(config),
            messages: Messages::default(),
            changes: Vec::new(),
            epochs: Vec::new(),
            life: Life::Over,
            wanted: None,
            phase: Phase::Closed,
            final_until_asked: true,
            hidden: false,
            last_life: Instant::ORIGIN,
            opened_at: Instant::ORIGIN,
            lazy,
            stable_after: config.stable_after(),
            pong_deadline: config.heartbeat().pong_deadline,
            pings: Vec::new(),
            last_commit: None,
            counts: [0; 4],
            longest_wait: longest + Duration::from_secs(1),
        }
    }

    /// The epoch that is alive, as far as a driver can know.
    pub fn alive(&self) -> Option<Epoch> {
        self.last_but(0).filter(|_| self.life != Life::Over)
    }

    pub const fn wanted(&self) -> Option<Epoch> {
        self.wanted
    }

    pub const fn hidden(&self) -> bool {
        self.hidden
    }

    pub fn is_probe(&self) -> bool {
        self.life == Life::Probed
    }

    pub fn is_open(&self) -> bool {
        matches!(self.life, Life::Open | Life::Closing)
    }

    pub fn nonce(&self) -> Option<u64> {
        self.pings.last().map(|(nonce, _)| *nonce)
    }

    pub const fn last_commit(&self) -> Option<MessageId> {
        self.last_commit
    }

    pub const fn committed(&mut self, id: MessageId) {
        self.last_commit = Some(id);
    }

    /// The epoch before so many others.
    pub fn last_but(&self, back: u64) -> Option<Epoch> {
        let back = usize::try_from(back).unwrap_or(0);
        self.epochs.iter().rev().nth(back).copied()
    }

    /// An event is about to be told.
    pub fn before(&mut self, link: &Subject, event: Event, now: Instant) {
        self.counts = [0; 4];
        let phase = link.phase();
        if self.is_open() && now.since(self.opened_at) >= self.stable_after {
            self.dials.proved(now);
        }
        match event {
            Event::Command(command) => {
                let rests = phase.is_final() || phase == Phase::Closing;
                match command {
                    Command::Start | Command::Reconnect if rests => {
                        self.final_until_asked = false;
                        self.dials.restarted(now);
                        if phase == Phase::Closing {
                            self.messages.ended();
                        }
                    }
                    Command::Reconnect => self.dials.asked(now),
                    Command::Disconnect => {
                        self.final_until_asked = true;
                        self.messages.ended();
                    }
                    Command::Drain(_) => self.messages.ended(),
                    Command::Clear => self.messages.cleared(),
                    _ => {}
                }
            }
            Event::Hint(Hint::Hidden) => self.hidden = true,
            Event::Hint(Hint::Visible) => self.hidden = false,
            Event::Flushed(epoch, through) if link.status().epoch == Some(epoch) => {
                self.messages.flushed(epoch, through);
            }
            Event::Acked(epoch, _) if link.status().epoch == Some(epoch) => self.messages.acked(),
            Event::Closed(epoch, closure) if self.alive() == Some(epoch) && !self.is_probe() => {
                if closure.cause == Cause::Close(1009) {
                    self.messages.too_big();
                }
                self.life = Life::Over;
            }
            Event::Opened(epoch) if self.alive() == Some(epoch) && self.life == Life::Dialled => {
                self.life = Life::Open;
                self.opened_at = now;
                self.last_life = now;
                self.pings.clear();
            }
            Event::Ready(epoch)
                if self.alive() == Some(epoch) && self.is_open() && !link.state().is_up(epoch) =>
            {
                self.last_life = self.last_life.max(now);
            }
            Event::Probed(epoch, _) if self.alive() == Some(epoch) && self.is_probe() => {
                self.life = Life::Over;
            }
            Event::Frame(epoch, _) if self.alive() == Some(epoch) && self.is_open() => {
                self.last_life = now;
            }
            _ => {}
        }
    }

    /// The hello is about to be answered: what an answer that can't be ends, counts as ended.
    pub fn welcoming(&mut self, link: &Subject, now: Instant) {
        self.counts = [0; 4];
        let phase = link.phase();
        if self.is_open()
            && phase == Phase::Connected
            && now.since(self.opened_at) >= self.stable_after
        {
            self.dials.proved(now);
        }
    }

    /// The peer answered the hello.
    pub fn welcomed(&mut self, now: Instant) {
        self.last_life = self.last_life.max(now);
        self.messages.acked();
    }

    /// The event was handled; nothing was taken yet.
    pub fn after(&mut self, before: &Subject, link: &Subject) {
        let phase = link.phase();
        if phase.is_final() && !before.phase().is_final() {
            self.messages.ended();
        }
        if phase.is_final() {
            self.final_until_asked = true;
        }
        if link.status().epoch.is_none() || self.wanted != link.status().epoch {
            self.wanted = None;
        }
    }

    /// The driver takes this action.
    pub fn acted(&mut self, action: Action, now: Instant, behind: bool) -> Tested {
        match action {
            Action::Abort(epoch) => {
                self.count(1, "aborts", behind)?;
                let late = behind && self.last_but(0) == Some(epoch);
                law(1, late || self.alive() == Some(epoch), || {
                    format!("abort of epoch {epoch}, alive is {:?}", self.alive())
                })?;
                self.life = Life::Over;
            }
            Action::Close(epoch) => {
                self.count(3, "closes", behind)?;
                self.current(epoch, behind, "close")?;
                law(9, behind || self.life == Life::Open, || {
                    format!("epoch {epoch} is closed, and is {:?}", self.life)
                })?;
                if self.life != Life::Over {
                    self.life = Life::Closing;
                }
            }
            Action::Changed(change) => self.changed(change, now, behind)?,
            Action::Preflight { epoch, deadline } => {
                self.begin(epoch, deadline, now, behind)?;
                self.life = Life::Probed;
            }
            Action::Connect {
                epoch, deadline, ..
            } => {
                self.count(0, "connects", behind)?;
                self.begin(epoch, deadline, now, behind)?;
                self.dials.dialled(now)?;
                self.life = Life::Dialled;
            }
            Action::WantDial(epoch) => {
                law(1, self.alive().is_none(), || {
                    format!("a dial is wanted while {:?} is alive", self.alive())
                })?;
                self.wanted = Some(epoch);
            }
            Action::SendPing { epoch, nonce } => {
                self.count(2, "pings", behind)?;
                self.current(epoch, behind, "ping")?;
                law(1, self.is_open(), || format!("a ping on {:?}", self.life))?;
                self.pings.push((nonce, now));
            }
            Action::AnswerPing(epoch) => self.current(epoch, behind, "pong")?,
            Action::SendAck { epoch, .. } => {
                self.current(epoch, behind, "acknowledgement")?;
                law(1, behind || self.life == Life::Open, || {
                    format!("an acknowledgement on {:?}", self.life)
                })?;
            }
            Action::Flush(epoch) => {
                self.current(epoch, behind, "flush")?;
                law(1, behind || self.life == Life::Open, || {
                    format!("a flush on {:?}", self.life)
                })?;
            }
            other => return Err(format!("law 11: an action that is not known: {other:?}")),
        }
        Ok(())
    }

    /// Messages may be written on `epoch`.
    pub fn may_write(&self, epoch: Epoch) -> Tested {
        law(1, self.last_but(0) == Some(epoch), || {
            format!("a message is offered on epoch {epoch}")
        })
    }

    /// A driver that had left actions has taken them all.
    pub fn caught_up(&mut self, link: &Subject) {
        if link.status().epoch.is_none() {
            self.life = Life::Over;
        }
    }

    /// Where the link stands, after every action was taken.
    pub fn stands(&mut self, link: &Subject, now: Instant) -> Tested {
        let status = link.status();
        law(
            12,
            self.phase == status.phase && link.phase() == status.phase,
            || format!("told {}, asked {}", self.phase, status.phase),
        )?;
        let living = self.alive().or(self.wanted);
        law(1, living == status.epoch, || {
            format!(
                "alive is {living:?}, says the driver, {:?}, says the link",
                status.epoch
            )
        })?;
        let connected = status.phase == Phase::Connected;
        law(12, !connected || self.life == Life::Open, || {
            format!("connected on an epoch that is {:?}", self.life)
        })?;
        let sums = link.stats();
        let up = sums.connected.checked_sub(sums.disconnected);
        let counted = match status.phase {
            Phase::Connected => up == Some(1),
            Phase::Draining | Phase::Closing => up.is_some_and(|up| up <= 1),
            _ => up == Some(0),
        };
        law(12, counted, || format!("{} counts {sums:?}", status.phase))?;
        if let (Some(at), false) = (status.next_attempt_at, status.phase == Phase::Offline) {
            law(11, at.since(now) <= self.longest_wait, || {
                format!("the next dial is {:?} away", at.since(now))
            })?;
        }
        let pulse = link.config().heartbeat();
        if let (true, false, Some(interval)) = (connected, self.hidden, pulse.interval) {
            let pinged = self.pings.last().map(|(_, at)| *at);
            let asked = pinged.is_some_and(|at| at >= self.last_life);
            law(
                5,
                asked
                    || link
                        .poll_timeout()
                        .is_some_and(|due| due <= self.last_life + interval),
                || format!("silent since {:?}, and no ping at {now:?}", self.last_life),
            )?;
        }
        Ok(())
    }

    fn changed(&mut self, change: Change, now: Instant, behind: bool) -> Tested {
        let Change { from, to, cause } = change;
        law(12, from == self.phase, || {
            format!("from {from} to {to}, and it was {}", self.phase)
        })?;
        law(12, from != to, || format!("a change from {from} to itself"))?;
        law(12, behind || from.may_become(to), || {
            format!("from {from} to {to} ({cause:?})")
        })?;
        let [_, aborts, ..] = self.counts;
        // A driver that takes a ping late is judged by when it was asked for.
        if cause == Some(Cause::PongTimeout) && aborts == 1 && !self.lazy {
            let pinged = self.pings.last().map(|(_, at)| *at);
            let silent = pinged
                .is_some_and(|at| self.last_life <= at && now.since(at) >= self.pong_deadline);
            law(5, silent, || {
                format!(
                    "dead at {now:?}, pinged at {pinged:?}, alive at {:?}",
                    self.last_life
                )
            })?;
        }
        if !behind {
            self.changes.push((from, to));
        }
        self.phase = to;
        Ok(())
    }

    /// A dial or a probe begins.
    fn begin(&mut self, epoch: Epoch, deadline: Instant, now: Instant, behind: bool) -> Tested {
        law(1, self.alive().is_none(), || {
            format!("epoch {epoch} begins while {:?} is alive", self.alive())
        })?;
        law(
            1,
            self.epochs.last().is_none_or(|last| *last < epoch),
            || format!("epoch {epoch} was used before"),
        )?;
        law(9, !self.final_until_asked, || {
            format!("epoch {epoch} begins after the end")
        })?;
        law(3, behind || deadline > now, || {
            format!("epoch {epoch} has until {deadline:?}, and it is {now:?}")
        })?;
        self.wanted = None;
        self.epochs.push(epoch);
        self.last_commit = None;
        Ok(())
    }

    fn current(&self, epoch: Epoch, behind: bool, what: &str) -> Tested {
        let late = behind && self.last_but(0) == Some(epoch);
        law(1, late || self.alive() == Some(epoch), || {
            format!("{what} on epoch {epoch}, alive is {:?}", self.alive())
        })
    }

    /// Law 5: one input leads to one of each at most.
    fn count(&mut self, kind: usize, what: &str, behind: bool) -> Tested {
        if let Some(count) = self.counts.get_mut(kind) {
            *count += 1;
            let count = *count;
            return law(5, behind || count <= 1, || {
                format!("{count} {what} at once")
            });
        }
        Ok(())
    }
}
