//! The transitions: every change of stage is made here, and told by `enter`.

use core::time::Duration;

use super::input::Context;
use super::outputs::bit;
use super::phase::Phase;
use super::state::{Backlog, Stage, State};
use crate::backoff::Cursor;
use crate::cause::Cause;
use crate::config::{Config, Dialling, Quick};
use crate::event::Closure;
use crate::rng::{Rng, up_to};
use crate::time::{Instant, nanos};

impl State {
    /// Goes to a stage, and tells the change if the user sees one.
    pub(super) fn enter(&mut self, stage: Stage, cause: Option<Cause>) {
        self.stage = stage;
        let phase = self.visible();
        if phase != self.phase {
            self.outputs.change(self.phase, phase, cause);
            self.phase = phase;
            self.since = self.now;
        }
    }

    fn visible(&self) -> Phase {
        match self.stage {
            Stage::Closed => Phase::Closed,
            Stage::Failed => Phase::Failed,
            Stage::Closing => Phase::Closing,
            _ if self.draining => Phase::Draining,
            Stage::Up => Phase::Connected,
            Stage::Due | Stage::Asked => Phase::Waiting,
            Stage::Parked => Phase::Offline,
            Stage::Probing | Stage::Pausing => Phase::Probing,
            Stage::Dialling | Stage::Reached | Stage::Opened => {
                if self.was_connected {
                    Phase::Reconnecting
                } else {
                    Phase::Connecting
                }
            }
        }
    }

    /// Ends the attempt or connection without waiting for the driver, if it was told of one.
    pub(super) fn drop_current(&mut self) {
        if self.current.told && self.epoch().is_some() {
            self.outputs.abort(self.current.epoch);
            self.current.told = false;
        }
        self.outputs.bits &= !bit::OF_CONNECTION;
    }

    /// From closed or failed (or closing): all counts anew.
    pub(super) fn restart<R: Rng>(&mut self, cx: &mut Context<'_, R>) {
        self.lose(cx);
        self.drop_current();
        self.forget_failures();
        self.refresh = false;
        self.silent = 0;
        self.was_connected = false;
        self.proved = false;
        self.draining = false;
        self.failing_since = self.now;
        self.begin(cx, None);
    }

    /// Drops what there is and dials now; the counts stay.
    pub(super) fn redial<R: Rng>(&mut self, cx: &mut Context<'_, R>) {
        if self.stage == Stage::Up {
            self.settle(cx.config);
            self.note_failing();
        }
        self.lose(cx);
        self.drop_current();
        self.draining = false;
        self.begin(cx, Some(Cause::Requested));
    }

    pub(super) fn move_network<R: Rng>(&mut self, cx: &mut Context<'_, R>) {
        match self.stage {
            Stage::Due => self.hurry(cx),
            Stage::Parked if !self.offline => self.hurry(cx),
            Stage::Dialling | Stage::Reached | Stage::Opened | Stage::Up => {
                let limit = &cx.config.0.hints;
                if self.hints.take(self.now, limit.burst, limit.refill) {
                    if self.stage == Stage::Up {
                        self.settle(cx.config);
                        self.note_failing();
                    }
                    self.last_cause = Some(Cause::NetworkChanged);
                    self.lose(cx);
                    self.drop_current();
                    self.wait(spread(cx.rng, cx.config), Some(Cause::NetworkChanged));
                } else if self.stage == Stage::Up {
                    let beat = self
                        .current
                        .heartbeat
                        .check(cx.config.heartbeat(), self.now);
                    if beat == crate::heartbeat::Beat::Ping {
                        self.outputs.bits |= bit::SEND_PING;
                    }
                }
            }
            _ => {}
        }
    }

    /// Brings the next dial forward, as far as the limit of hints allows.
    pub(super) fn hurry<R: Rng>(&mut self, cx: &mut Context<'_, R>) {
        let limit = &cx.config.0.hints;
        let parked = self.stage == Stage::Parked;
        if self.booked && !parked {
            return;
        }
        let soon = if self.hints.take(self.now, limit.burst, limit.refill) {
            self.owing = false;
            self.now + spread(cx.rng, cx.config)
        } else if parked {
            // Too many hints: wait for the next token, but at least the floor. It is paid when
            // the dial goes, so that hints that come and go meanwhile cost nothing.
            self.owing = true;
            let token = self.hints.next(self.now, limit.burst.max(1), limit.refill);
            token.max(self.now + cx.config.backoff().floor())
        } else {
            return;
        };
        self.due = if parked { soon } else { self.due.min(soon) };
        self.enter(Stage::Due, None);
    }

    pub(super) fn park<R: Rng>(&mut self, cx: &mut Context<'_, R>, cause: Option<Cause>) {
        self.outputs.bits &= !bit::OF_CONNECTION;
        self.owing = false;
        self.due = match cx.config.0.offline_recheck {
            Some(recheck) => self.now + recheck,
            None => Instant::NEVER,
        };
        self.enter(Stage::Parked, cause);
    }

    pub(super) fn disconnect<R: Rng>(&mut self, cx: &mut Context<'_, R>, cause: Cause) {
        match self.stage {
            Stage::Closed | Stage::Closing => self.ignore(),
            Stage::Up | Stage::Opened => self.close(cx, cause),
            _ => {
                self.drop_current();
                self.closed(cx, cause);
            }
        }
    }

    pub(super) fn drain<R: Rng>(&mut self, cx: &mut Context<'_, R>, within: Duration) {
        match self.stage {
            Stage::Closed | Stage::Closing => self.ignore(),
            Stage::Failed => self.disconnect(cx, Cause::Requested),
            _ => {
                let until = self.now + within;
                self.drain_until = if self.draining {
                    self.drain_until.min(until)
                } else {
                    until
                };
                self.draining = true;
                if cx.backlog == Backlog::Some {
                    self.enter(self.stage, Some(Cause::Requested));
                }
            }
        }
    }

    /// The drain is over: everything was written, or its time is up.
    pub(super) fn drained<R: Rng>(&mut self, cx: &mut Context<'_, R>, cause: Cause) {
        if matches!(self.stage, Stage::Closed | Stage::Failed | Stage::Closing) {
            return;
        }
        self.disconnect(cx, cause);
    }

    /// Closes an open connection in order.
    fn close<R: Rng>(&mut self, cx: &mut Context<'_, R>, cause: Cause) {
        if self.stage == Stage::Up {
            self.settle(cx.config);
        }
        self.draining = false;
        self.last_cause = Some(cause);
        cx.effects.hand_back = true;
        self.outputs.bits &= !bit::OF_CONNECTION;
        self.outputs.bits |= bit::CLOSE;
        self.due = self.now + cx.config.0.close_deadline;
        self.enter(Stage::Closing, Some(cause));
    }

    fn closed<R: Rng>(&mut self, cx: &mut Context<'_, R>, cause: Cause) {
        self.draining = false;
        cx.effects.hand_back = true;
        self.last_cause = Some(cause);
        self.rest(Stage::Closed, cause);
    }

    /// Final until the user calls.
    pub(super) fn rest(&mut self, stage: Stage, cause: Cause) {
        self.outputs.bits &= !bit::OF_CONNECTION;
        self.due = Instant::NEVER;
        self.enter(stage, Some(cause));
    }

    /// A dial is due: probe first if asked to, ask for permission if need be.
    pub(super) fn begin<R: Rng>(&mut self, cx: &mut Context<'_, R>, cause: Option<Cause>) {
        if let Some(preflight) = cx.config.0.preflight.filter(|_| !self.proved) {
            self.allot();
            self.outputs.bits |= bit::PREFLIGHT;
            self.due = self.now + preflight.deadline;
            return self.enter(Stage::Probing, cause);
        }
        match cx.config.0.dialling {
            Dialling::Own => {
                self.allot();
                self.dial_as(cx.config, cause);
            }
            Dialling::Permitted { .. } => {
                self.allot();
                self.stage = Stage::Asked;
                self.ask(cx);
                self.enter(Stage::Asked, cause);
            }
        }
    }

    pub(super) fn ask<R: Rng>(&mut self, cx: &mut Context<'_, R>) {
        if let Dialling::Permitted { patience } = cx.config.0.dialling {
            self.outputs.bits |= bit::WANT_DIAL;
            self.due = self.now + patience;
        }
    }

    /// The dial that was asked for is permitted.
    pub(super) fn dial<R: Rng>(&mut self, cx: &mut Context<'_, R>) {
        self.outputs.bits &= !bit::WANT_DIAL;
        self.dial_as(cx.config, None);
    }

    fn dial_as(&mut self, config: &Config, cause: Option<Cause>) {
        self.outputs.bits |= bit::CONNECT;
        let doubled = 1_u32
            .checked_shl(u32::from(self.silent))
            .unwrap_or(u32::MAX);
        let patient = config.0.connect_deadline.saturating_mul(doubled);
        self.due = self.now + patient.min(config.0.patience);
        self.enter(Stage::Dialling, cause);
    }

    pub(super) fn probe_failed<R: Rng>(&mut self, cx: &mut Context<'_, R>) {
        let preflight = cx.config.0.preflight.unwrap_or_default();
        let starting = self.now < self.failing_since + preflight.startup_wait;
        if self.offline {
            self.last_cause = Some(Cause::Preflight);
            self.park(cx, Some(Cause::Preflight));
        } else if starting {
            self.last_cause = Some(Cause::Preflight);
            self.outputs.bits &= !bit::OF_CONNECTION;
            self.due = self.now + preflight.interval;
            self.enter(Stage::Pausing, Some(Cause::Preflight));
        } else {
            self.fail(cx, Cause::Preflight.into());
        }
    }

    /// Messages flow from now on.
    pub(super) fn up<R: Rng>(&mut self, cx: &mut Context<'_, R>) {
        let useful = self.current.useful;
        let epoch = self.current.epoch;
        self.current = super::connection::Connection::begin(epoch, self.now);
        self.current.useful = useful;
        self.current.told = true;
        self.was_connected = true;
        // Whatever the hint said: there is a network.
        self.offline = false;
        self.due = Instant::NEVER;
        cx.effects.ready = true;
        self.enter(Stage::Up, None);
    }

    /// The connection or attempt is over, by itself or by a deadline.
    pub(super) fn ended<R: Rng>(&mut self, cx: &mut Context<'_, R>, closure: Closure) {
        if self.stage == Stage::Up {
            self.settle(cx.config);
        }
        if closure.cause == Cause::HandshakeTimeout {
            self.silent = self.silent.saturating_add(1);
        }
        self.lose(cx);
        let closing = self.stage == Stage::Closing;
        self.current.told = false;
        self.outputs.bits &= !bit::OF_CONNECTION;
        if closing {
            let asked = matches!(closure.cause, Cause::CloseTimeout);
            let cause = if asked {
                self.last_cause = Some(Cause::CloseTimeout);
                Cause::CloseTimeout
            } else {
                Cause::Requested
            };
            self.rest(Stage::Closed, cause);
            return;
        }
        self.fail(cx, closure);
    }

    /// Messages in flight on the current connection have no certain fate.
    fn lose<R: Rng>(&self, cx: &mut Context<'_, R>) {
        if matches!(self.stage, Stage::Up | Stage::Closing) {
            cx.effects.lost = Some(self.current.epoch);
        }
    }

    pub(super) fn note_failing(&mut self) {
        if self.failing_since == Instant::NEVER {
            self.failing_since = self.now;
        }
    }

    /// A stable connection wipes the slate.
    pub(super) fn forget_failures(&mut self) {
        self.failures = 0;
        self.hinted = 0;
        self.refused = 0;
        self.limited = 0;
        self.cursor = Cursor::new();
        self.failing_since = Instant::NEVER;
    }

    /// Resets the counts once the connection has proved itself.
    pub(super) fn prove(&mut self, config: &Config) {
        if self.stage == Stage::Up && self.now >= self.proof_due(config) {
            self.current.stable = true;
            self.forget_failures();
        }
    }

    /// When the open connection will have proved itself; never if it has, or still lacks the
    /// frame that is asked for.
    pub(super) fn proof_due(&self, config: &Config) -> Instant {
        let lacking = config.0.stable_needs_frame && !self.current.useful;
        if self.current.stable || lacking {
            Instant::NEVER
        } else {
            self.current.since + config.0.stable_after
        }
    }

    /// An open connection ends: what it proved, and the quick retries that it earned.
    pub(super) fn settle(&mut self, config: &Config) {
        self.prove(config);
        // A hint of offline asks for a ping. Its answer says that there is a network.
        self.offline &= !self.current.heartbeat.is_answered();
        let Some(quick) = &config.0.quick else {
            return;
        };
        if self.current.useful {
            let earned = self.now.since(self.current.since).as_millis();
            let most = price(quick).saturating_mul(u32::from(quick.cap));
            let credit = u128::from(self.credit)
                .saturating_add(earned)
                .min(most.into());
            self.credit = u32::try_from(credit).unwrap_or(u32::MAX);
        }
    }

    /// Spends credit for a quick retry, if there is enough of it.
    pub(super) fn spend(&mut self, config: &Config) -> bool {
        let Some(quick) = &config.0.quick else {
            return false;
        };
        let cost = price(quick);
        let paid = self.credit >= cost && self.quick.take(self.now, quick.burst, quick.refill);
        if paid {
            self.credit -= cost;
        }
        paid
    }

    /// The next dial comes after `delay`.
    pub(super) fn wait(&mut self, delay: Duration, cause: Option<Cause>) {
        self.due = self.now + delay;
        self.owing = false;
        self.enter(Stage::Due, cause);
    }
}

/// What a quick retry costs, in the milliseconds in which credit is kept; at least one.
fn price(quick: &Quick) -> u32 {
    let cost = quick.cost.as_millis();
    u32::try_from(cost).unwrap_or(u32::MAX).max(1)
}

/// The delay of a dial that a hint brought forward: at once, but spread. One draw.
fn spread<R: Rng>(rng: &mut R, config: &Config) -> Duration {
    let spread = Duration::from_nanos(up_to(rng, nanos(config.0.hints.spread)));
    spread.max(config.backoff().floor())
}
