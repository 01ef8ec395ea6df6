//! What each event does in each stage. The moves themselves are in `moves`.

use super::connection::Connection;
use super::outputs::bit;
use super::state::{Backlog, Effects, Stage, State};
use crate::cause::Cause;
use crate::config::Config;
use crate::epoch::Epoch;
use crate::event::{Closure, Command, Event, Frame, Hint};
use crate::heartbeat::Beat;
use crate::rng::Rng;
use crate::time::Instant;

/// What the moves need beside the state: borrowed for one input.
pub(super) struct Context<'a, R> {
    pub(super) config: &'a Config,
    pub(super) rng: &'a mut R,
    pub(super) backlog: Backlog,
    pub(super) effects: Effects,
}

impl State {
    pub(super) fn apply<R: Rng>(
        &mut self,
        config: &Config,
        rng: &mut R,
        event: Event,
        backlog: Backlog,
    ) -> Effects {
        let mut context = Context {
            config,
            rng,
            backlog,
            effects: Effects::default(),
        };
        let cx = &mut context;
        match event {
            Event::Frame(epoch, frame) => self.on_frame(cx, epoch, frame),
            Event::Flushed(epoch, _) => self.on_flushed(epoch),
            Event::Acked(epoch, _) if !self.carries(epoch) => self.ignore(),
            // What there is to do for messages, their owner does.
            Event::Tick | Event::Acked(..) | Event::Stored(_) => {}
            Event::Progress(epoch, _) => self.on_progress(cx, epoch),
            Event::Reached(epoch) => self.on_reached(epoch),
            Event::Opened(epoch) => self.on_opened(cx, epoch),
            Event::Ready(epoch) => self.on_ready(cx, epoch),
            Event::Closed(epoch, closure) => self.on_closed(cx, epoch, closure),
            Event::Probed(epoch, there) => self.on_probed(cx, epoch, there),
            Event::Permit(epoch) => self.on_permit(cx, epoch),
            Event::Hint(hint) => self.on_hint(cx, hint),
            Event::Command(command) => self.on_command(cx, command),
        }
        if self.draining && cx.backlog == Backlog::Empty {
            self.drained(cx, Cause::Requested);
        }
        self.fire(cx);
        self.wake = self.next_wake(config);
        context.effects
    }

    /// Ends the connection that is alive without waiting for the driver: it can't go on.
    pub(super) fn break_off<R: Rng>(
        &mut self,
        config: &Config,
        rng: &mut R,
        cause: Cause,
        backlog: Backlog,
    ) -> Effects {
        let mut context = Context {
            config,
            rng,
            backlog,
            effects: Effects::default(),
        };
        self.timed_out(&mut context, cause);
        self.wake = self.next_wake(config);
        context.effects
    }

    fn on_frame<R: Rng>(&mut self, cx: &mut Context<'_, R>, epoch: Epoch, frame: Frame) {
        let open = matches!(self.stage, Stage::Opened | Stage::Up | Stage::Closing);
        if !open || self.current.epoch != epoch {
            return self.ignore();
        }
        match frame {
            Frame::Data => {
                self.current.heartbeat.alive(self.now);
                self.current.useful = true;
                self.prove(cx.config);
            }
            Frame::Part => self.current.heartbeat.alive(self.now),
            Frame::Ping => {
                self.current.heartbeat.alive(self.now);
                self.outputs.bits |= bit::ANSWER_PING;
            }
            Frame::Pong(nonce) => {
                self.current.heartbeat.pong(self.now, nonce);
            }
        }
    }

    fn on_flushed(&mut self, epoch: Epoch) {
        if !matches!(self.stage, Stage::Up | Stage::Closing) || self.current.epoch != epoch {
            self.ignore();
        }
    }

    fn on_progress<R: Rng>(&mut self, cx: &mut Context<'_, R>, epoch: Epoch) {
        if !self.is_up(epoch) {
            return self.ignore();
        }
        self.current
            .heartbeat
            .progress(cx.config.heartbeat(), self.now);
    }

    fn on_reached(&mut self, epoch: Epoch) {
        if self.stage == Stage::Dialling && self.current.epoch == epoch && self.current.told {
            // The deadline covers the handshake too, so it stays.
            self.stage = Stage::Reached;
        } else {
            self.ignore();
        }
    }

    fn on_opened<R: Rng>(&mut self, cx: &mut Context<'_, R>, epoch: Epoch) {
        let dialling = matches!(self.stage, Stage::Dialling | Stage::Reached);
        if !dialling || self.current.epoch != epoch || !self.current.told {
            return self.ignore();
        }
        self.silent = 0;
        self.refresh = false;
        self.proved = true;
        match cx.config.0.ready_deadline {
            Some(deadline) => {
                self.current.heartbeat.alive(self.now);
                self.due = self.now + deadline;
                self.enter(Stage::Opened, None);
            }
            None => self.up(cx),
        }
    }

    fn on_ready<R: Rng>(&mut self, cx: &mut Context<'_, R>, epoch: Epoch) {
        if self.stage == Stage::Opened && self.current.epoch == epoch {
            self.up(cx);
        } else {
            self.ignore();
        }
    }

    fn on_closed<R: Rng>(&mut self, cx: &mut Context<'_, R>, epoch: Epoch, closure: Closure) {
        let alive = matches!(
            self.stage,
            Stage::Dialling | Stage::Reached | Stage::Opened | Stage::Up | Stage::Closing
        );
        if alive && self.current.epoch == epoch && self.current.told {
            self.ended(cx, closure);
        } else {
            self.ignore();
        }
    }

    fn on_probed<R: Rng>(&mut self, cx: &mut Context<'_, R>, epoch: Epoch, there: bool) {
        if self.stage != Stage::Probing || self.current.epoch != epoch || !self.current.told {
            return self.ignore();
        }
        if there {
            self.proved = true;
            self.begin(cx, None);
        } else {
            self.probe_failed(cx);
        }
    }

    fn on_permit<R: Rng>(&mut self, cx: &mut Context<'_, R>, epoch: Epoch) {
        if self.stage == Stage::Asked && self.current.epoch == epoch {
            self.dial(cx);
        } else {
            self.ignore();
        }
    }

    fn on_hint<R: Rng>(&mut self, cx: &mut Context<'_, R>, hint: Hint) {
        match hint {
            Hint::Online => {
                self.offline = false;
                self.look_again(cx);
            }
            Hint::Offline => {
                self.offline = true;
                match self.stage {
                    Stage::Due | Stage::Asked | Stage::Pausing => self.park(cx, None),
                    // The dial under way may prove the hint wrong, so may the open connection.
                    _ => self.check(cx),
                }
            }
            Hint::Visible => {
                self.hidden = false;
                self.look_again(cx);
            }
            Hint::Hidden => self.hidden = true,
            Hint::NetworkChanged => self.move_network(cx),
            Hint::GoingAway(epoch, within) => {
                if self.is_up(epoch) {
                    self.current.leaving_at = self.now + within;
                } else {
                    self.ignore();
                }
            }
        }
    }

    fn on_command<R: Rng>(&mut self, cx: &mut Context<'_, R>, command: Command) {
        match command {
            Command::Start => match self.stage {
                Stage::Closed | Stage::Failed | Stage::Closing => self.restart(cx),
                _ => self.ignore(),
            },
            Command::Reconnect => match self.stage {
                Stage::Closed | Stage::Failed | Stage::Closing => self.restart(cx),
                _ => self.redial(cx),
            },
            Command::Disconnect => self.disconnect(cx, Cause::Requested),
            Command::Drain(within) => self.drain(cx, within),
            // The owner of the outbox has dropped the messages already.
            Command::Clear => {}
        }
    }

    /// Online or visible again: check what is open, hurry what waits.
    fn look_again<R: Rng>(&mut self, cx: &mut Context<'_, R>) {
        match self.stage {
            Stage::Up => self.check(cx),
            Stage::Parked if !self.offline => self.hurry(cx),
            Stage::Due => self.hurry(cx),
            _ => {}
        }
    }

    /// Pings what is open at once; the answer decides.
    fn check<R: Rng>(&mut self, cx: &mut Context<'_, R>) {
        if self.stage == Stage::Up {
            let beat = self
                .current
                .heartbeat
                .check(cx.config.heartbeat(), self.now);
            if beat == Beat::Ping {
                self.outputs.bits |= bit::SEND_PING;
            }
        }
    }

    pub(super) const fn ignore(&mut self) {
        self.stale = self.stale.saturating_add(1);
    }

    /// Fires every deadline that has passed, each once. A stage whose deadline fires enters
    /// one whose deadline lies ahead, so this ends.
    fn fire<R: Rng>(&mut self, cx: &mut Context<'_, R>) {
        if self.draining && self.drain_until <= self.now {
            self.drained(cx, Cause::DrainTimeout);
        }
        if self.stage == Stage::Up {
            self.prove(cx.config);
            match self
                .current
                .heartbeat
                .fire(cx.config.heartbeat(), self.hidden, self.now)
            {
                Beat::Wait => {}
                Beat::Ping => self.outputs.bits |= bit::SEND_PING,
                // Nobody is there to answer a close handshake.
                Beat::Dead => self.timed_out(cx, Cause::PongTimeout),
            }
            return;
        }
        if self.due > self.now {
            return;
        }
        match self.stage {
            Stage::Closed | Stage::Failed | Stage::Up => {}
            Stage::Due if self.owing => {
                self.owing = false;
                self.hints.charge(self.now, cx.config.0.hints.refill);
                self.begin(cx, None);
            }
            Stage::Due | Stage::Pausing | Stage::Parked => self.begin(cx, None),
            Stage::Asked => self.ask(cx),
            Stage::Probing => {
                self.drop_current();
                self.probe_failed(cx);
            }
            Stage::Dialling => self.timed_out(cx, Cause::ConnectTimeout),
            Stage::Reached => self.timed_out(cx, Cause::HandshakeTimeout),
            Stage::Opened => self.timed_out(cx, Cause::ReadyTimeout),
            Stage::Closing => self.timed_out(cx, Cause::CloseTimeout),
        }
    }

    fn timed_out<R: Rng>(&mut self, cx: &mut Context<'_, R>, cause: Cause) {
        self.drop_current();
        self.ended(cx, cause.into());
    }

    fn next_wake(&self, config: &Config) -> Instant {
        let stage = match self.stage {
            Stage::Closed | Stage::Failed => return Instant::NEVER,
            Stage::Up => {
                let pulse = config.heartbeat();
                let beat = self.current.heartbeat.deadline(pulse, self.hidden);
                beat.unwrap_or(Instant::NEVER).min(self.proof_due(config))
            }
            _ => self.due,
        };
        if self.draining {
            stage.min(self.drain_until)
        } else {
            stage
        }
    }

    /// A new connection in place of the current one.
    pub(super) fn allot(&mut self) {
        self.booked = false;
        self.current = Connection::begin(self.next_epoch, self.now);
        self.next_epoch = self.next_epoch.next();
        self.outputs.bits &= !bit::OF_CONNECTION;
    }
}
