//! The state of one link: small, plain, borrowing its configuration at each call.

use core::time::Duration;

use super::connection::Connection;
use super::limiter::Limiter;
use super::outputs::{Outputs, bit};
use super::phase::Phase;
use crate::action::Action;
use crate::backoff::Cursor;
use crate::cause::Cause;
use crate::config::Config;
use crate::epoch::Epoch;
use crate::event::{Event, Frame};
use crate::rng::Rng;
use crate::time::Instant;

/// Where the machine stands. [`Phase`] is what of it a user sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Stage {
    Closed,
    Failed,
    /// A dial (or probe) is due at `due`.
    Due,
    /// A hint says offline; a recheck is due at `due`.
    Parked,
    /// A dial was asked for and not yet permitted.
    Asked,
    /// A probe is out.
    Probing,
    /// Between two probes of the start-up.
    Pausing,
    /// Dialling; the transport is not up.
    Dialling,
    /// The transport is up, the upgrade is not done.
    Reached,
    /// The upgrade is done, the application's handshake is not.
    Opened,
    /// Messages flow.
    Up,
    /// The close handshake is under way.
    Closing,
}

/// What one input did beyond the state: what the owner of an outbox has to do about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// A connection on which messages may be in flight ended: this one.
    pub lost: Option<Epoch>,
    /// The peer refused a message for its size.
    pub struck: bool,
    /// Messages may flow from now on.
    pub ready: bool,
    /// What is queued is to be handed back.
    pub hand_back: bool,
}

/// Whether messages are queued or in flight, as far as a drain cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backlog {
    /// There are none.
    Empty,
    /// There are some.
    Some,
}

/// The state of one link, without its configuration, its messages and its generator.
///
/// This is what a fleet stores per link; for a single one use [`Link`](super::Link). It is
/// plain data: equal states behave equally, and behaviour commutes with
/// [`shifted`](State::shifted).
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each a byte; the stage is the state"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct State {
    /// The latest time that was seen.
    pub(super) now: Instant,
    /// Nothing is due before this. Frames don't move it, so it may be earlier than the truth.
    pub(super) wake: Instant,
    /// When the phase was entered.
    pub(super) since: Instant,
    /// The deadline of the stage: dial, recheck, permit, probe, connect, ready or close.
    pub(super) due: Instant,
    pub(super) drain_until: Instant,
    /// Since when there is no stable connection.
    pub(super) failing_since: Instant,
    pub(super) current: Connection,
    pub(super) next_epoch: Epoch,
    pub(super) cursor: Cursor,
    pub(super) quick: Limiter,
    pub(super) hints: Limiter,
    /// Useful uptime not yet spent, in milliseconds.
    pub(super) credit: u32,
    /// Failures that count, since the last stable connection.
    pub(super) failures: u32,
    /// Inputs that changed nothing because they were late or impossible.
    pub(super) stale: u32,
    pub(super) last_cause: Option<Cause>,
    /// Hinted refusals, refusals of credentials, and ends that allow only so many retries,
    /// since the last stable connection.
    pub(super) hinted: u8,
    pub(super) refused: u8,
    pub(super) limited: u8,
    /// Silent handshakes since the last opened connection.
    pub(super) silent: u8,
    pub(super) stage: Stage,
    pub(super) phase: Phase,
    pub(super) outputs: Outputs,
    pub(super) draining: bool,
    pub(super) offline: bool,
    pub(super) hidden: bool,
    /// The dial that waits came forward by a hint, and takes its token when it goes.
    pub(super) owing: bool,
    /// The server said when to come back: no hint shortens this wait.
    pub(super) booked: bool,
    pub(super) was_connected: bool,
    pub(super) refresh: bool,
    /// The server was there once since the start: no more probes.
    pub(super) proved: bool,
}

// The goal is 256 bytes, with room for a second connection: beside the one that carries messages,
// a hand-over or a hedged dial needs an epoch, a deadline and a stage.
const SECOND: usize = size_of::<Epoch>() + size_of::<Instant>() + 8;
const _: () = assert!(size_of::<State>() + SECOND <= 256);

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// A closed link that was never started.
    pub const fn new() -> Self {
        Self {
            now: Instant::ORIGIN,
            wake: Instant::NEVER,
            since: Instant::ORIGIN,
            due: Instant::NEVER,
            drain_until: Instant::NEVER,
            failing_since: Instant::NEVER,
            current: Connection::begin(Epoch::FIRST, Instant::ORIGIN),
            next_epoch: Epoch::FIRST,
            cursor: Cursor::new(),
            quick: Limiter::FULL,
            hints: Limiter::FULL,
            credit: 0,
            failures: 0,
            stale: 0,
            last_cause: None,
            hinted: 0,
            refused: 0,
            limited: 0,
            silent: 0,
            stage: Stage::Closed,
            phase: Phase::Closed,
            outputs: Outputs::NONE,
            draining: false,
            offline: false,
            hidden: false,
            owing: false,
            booked: false,
            was_connected: false,
            refresh: false,
            proved: false,
        }
    }

    /// Applies one input, then every deadline that `now` has passed.
    ///
    /// Total: any event, at any time, in any state. A `now` before the latest one seen counts
    /// as that one. `backlog` is the outbox as it is after this input.
    #[inline]
    pub fn handle<R: Rng>(
        &mut self,
        config: &Config,
        rng: &mut R,
        now: Instant,
        event: Event,
        backlog: Backlog,
    ) -> Effects {
        if self.absorb(config, now, event) {
            return Effects::default();
        }
        self.apply(config, rng, event, backlog)
    }

    /// The path of nearly every input: one that only shows life, or nothing at all, while
    /// nothing is due. False where [`apply`](Self::apply) has to look at it.
    #[expect(
        clippy::inline_always,
        reason = "the event is known where it is made, so that most of this goes away"
    )]
    #[inline(always)]
    pub(super) fn absorb(&mut self, config: &Config, now: Instant, event: Event) -> bool {
        self.now = self.now.max(now);
        if self.now >= self.wake || self.draining {
            return false;
        }
        match event {
            Event::Tick => true,
            Event::Frame(epoch, frame) if self.is_up(epoch) => {
                let answered = self.current.heartbeat.outstanding();
                match frame {
                    // The first one may prove the connection.
                    Frame::Data if !self.current.useful => return false,
                    Frame::Data | Frame::Part => self.current.heartbeat.alive(self.now),
                    Frame::Pong(nonce) => {
                        self.current.heartbeat.pong(self.now, nonce);
                    }
                    Frame::Ping => {
                        self.current.heartbeat.alive(self.now);
                        self.outputs.bits |= bit::ANSWER_PING;
                    }
                }
                if answered {
                    // The next ping may be due before the pong would have been.
                    let pulse = config.heartbeat();
                    let due = self.current.heartbeat.deadline(pulse, self.hidden);
                    self.wake = self.wake.min(due.unwrap_or(Instant::NEVER));
                }
                true
            }
            Event::Flushed(epoch, _) | Event::Acked(epoch, _) => self.is_up(epoch),
            _ => false,
        }
    }

    /// The next action, until there is none.
    ///
    /// A driver takes every action before it gives the next event. One that doesn't loses
    /// nothing but detail: an attempt that it was never told of is not begun, pings and
    /// flushes are asked for once, and changes beyond the third are merged into one.
    #[inline]
    pub fn poll_action(&mut self) -> Option<Action> {
        if self.outputs.bits == 0 {
            return None;
        }
        if self.outputs.take_only(bit::FLUSH) {
            return Some(Action::Flush(self.current.epoch));
        }
        self.next_action()
    }

    /// When to come back with a [`Event::Tick`] if nothing else happens; `None` while only
    /// input can change anything.
    ///
    /// It may be earlier than needed, never later, and a tick at it either yields an action or
    /// moves it on.
    #[inline]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.wake.known()
    }

    /// Asks for a flush if messages may flow.
    pub fn request_flush(&mut self) {
        if self.stage == Stage::Up {
            self.outputs.bits |= bit::FLUSH;
        }
    }

    /// The same state, everything `later` by this. A state that is shifted and then given
    /// shifted inputs does the same, shifted.
    #[must_use]
    pub fn shifted(mut self, later: Duration) -> Self {
        let shift = |at: &mut Instant| {
            if at.known().is_some() {
                *at = *at + later;
            }
        };
        for at in [
            &mut self.now,
            &mut self.wake,
            &mut self.since,
            &mut self.due,
            &mut self.drain_until,
            &mut self.failing_since,
        ] {
            shift(at);
        }
        self.current.shift(shift);
        self.quick.shift(shift);
        self.hints.shift(shift);
        self
    }

    /// The phase after all handled inputs.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// The epoch that is alive: being probed, dialled, open or closing.
    pub const fn epoch(&self) -> Option<Epoch> {
        match self.stage {
            Stage::Closed | Stage::Failed | Stage::Due | Stage::Parked | Stage::Pausing => None,
            _ => Some(self.current.epoch),
        }
    }

    /// Whether messages may be written on `epoch`.
    #[inline]
    pub fn is_up(&self, epoch: Epoch) -> bool {
        self.stage == Stage::Up && self.current.epoch == epoch
    }

    /// Whether this connection carries messages, or did until its close was asked for.
    #[inline]
    pub(super) fn carries(&self, epoch: Epoch) -> bool {
        matches!(self.stage, Stage::Up | Stage::Closing) && self.current.epoch == epoch
    }

    /// Whether the application's handshake is due on this connection.
    pub(super) fn is_opened(&self, epoch: Epoch) -> bool {
        self.stage == Stage::Opened && self.current.epoch == epoch
    }

    /// Whether a close was asked for and not yet taken by the driver.
    pub(super) const fn is_close_pending(&self) -> bool {
        self.outputs.has(bit::CLOSE)
    }

    fn next_action(&mut self) -> Option<Action> {
        let epoch = self.current.epoch;
        if self.outputs.has(bit::OTHER) {
            if let Some(old) = self.outputs.take_abort() {
                return Some(Action::Abort(old));
            }
            if let Some(change) = self.outputs.take_change() {
                return Some(Action::Changed(change));
            }
        }
        let deadline = self.due;
        if self.outputs.take(bit::CLOSE) {
            return Some(Action::Close(epoch));
        }
        if self.outputs.take(bit::PREFLIGHT) {
            self.current.told = true;
            return Some(Action::Preflight { epoch, deadline });
        }
        if self.outputs.take(bit::WANT_DIAL) {
            return Some(Action::WantDial(epoch));
        }
        if self.outputs.take(bit::CONNECT) {
            self.current.told = true;
            return Some(Action::Connect {
                epoch,
                attempt: self.attempt(),
                refresh: self.refresh,
                deadline,
            });
        }
        if self.outputs.take(bit::ANSWER_PING) {
            return Some(Action::AnswerPing(epoch));
        }
        if self.outputs.take(bit::SEND_PING) {
            let nonce = self.current.heartbeat.nonce();
            return Some(Action::SendPing { epoch, nonce });
        }
        if self.outputs.take(bit::FLUSH) {
            return Some(Action::Flush(epoch));
        }
        None
    }

    /// The number of the dial under way, or of the next one, since the last reset.
    pub(super) const fn attempt(&self) -> u32 {
        self.failures.saturating_add(1)
    }
}
