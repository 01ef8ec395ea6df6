//! After a failure: what its verdict means for the next dial.

use core::time::Duration;

use super::input::Context;
use super::state::{Backlog, Stage, State};
use crate::backoff::Contention;
use crate::cause::{Cause, Outcome, RetryAfter, Verdict};
use crate::event::Closure;
use crate::rng::{Rng, up_to};
use crate::time::nanos;

/// How the next dial follows.
enum Next {
    /// After this delay, the failure counted.
    Counted(Duration),
    /// After this delay, without touching the count.
    Free(Duration),
    /// Not at all.
    Never,
}

impl State {
    /// An attempt, a connection or a probe failed: decides about the next dial.
    ///
    /// Draws at most two numbers: one of the schedule, one of the spread.
    pub(super) fn fail<R: Rng>(&mut self, cx: &mut Context<'_, R>, closure: Closure) {
        let cause = closure.cause;
        let was_up = self.stage == Stage::Up;
        if self.last_cause != Some(cause) {
            // Limits of retries are for one cause in a row.
            self.limited = 0;
        }
        self.last_cause = Some(cause);
        self.note_failing();
        if self.draining && cx.backlog == Backlog::Empty {
            return self.finish(cx, Stage::Closed, cause);
        }
        let verdict = cx.config.verdicts().of(cause);
        cx.effects.struck |= verdict.outcome() == Outcome::TooBig;
        let stop = match verdict.outcome() {
            Outcome::Stop => Some(Stage::Closed),
            Outcome::Fail => Some(Stage::Failed),
            Outcome::RefreshIfAble if !cx.config.0.credentials => Some(Stage::Failed),
            _ => None,
        };
        if let Some(stage) = stop {
            return self.finish(cx, stage, cause);
        }
        if let Some(most) = verdict.retries() {
            // Compared before it is counted up: the count saturates at the greatest limit.
            if self.limited >= most {
                return self.finish(cx, Stage::Failed, cause);
            }
            self.limited = self.limited.saturating_add(1);
        }
        if self.offline {
            // No network, says the hint: what fails now proves nothing about the server. But
            // whoever refused the credentials has seen them.
            self.refresh |= matches!(verdict.outcome(), Outcome::Refresh | Outcome::RefreshIfAble);
            return self.park(cx, Some(cause));
        }
        let next = match verdict.outcome() {
            Outcome::Refresh | Outcome::RefreshIfAble => self.after_refusal(cx, &verdict),
            _ => self.after_failure(cx, &verdict, closure.retry_after, was_up),
        };
        let delay = match next {
            Next::Never => return self.finish(cx, Stage::Failed, cause),
            Next::Free(delay) => delay,
            Next::Counted(delay) => {
                self.failures = self.failures.saturating_add(1);
                if cx
                    .config
                    .0
                    .max_retries
                    .is_some_and(|most| self.failures > most)
                {
                    return self.finish(cx, Stage::Failed, Cause::AttemptsSpent);
                }
                delay
            }
        };
        if let Some(most) = cx.config.0.max_elapsed {
            if self.now + delay > self.failing_since + most {
                return self.finish(cx, Stage::Failed, Cause::TimeSpent);
            }
        }
        self.wait(delay, Some(cause));
    }

    fn after_failure<R: Rng>(
        &mut self,
        cx: &mut Context<'_, R>,
        verdict: &Verdict,
        hint: Option<RetryAfter>,
        was_up: bool,
    ) -> Next {
        let floor = cx.config.backoff().floor();
        if let Some(hint) = hint {
            self.booked = true;
            let free = self.hinted < cx.config.0.free_hints;
            self.hinted = self.hinted.saturating_add(1);
            let asked = hint.delay.min(cx.config.0.hint_max);
            let width = hint
                .resolution
                .clamp(HINT_SPREAD, cx.config.0.hint_max.max(HINT_SPREAD));
            let asked = asked.saturating_add(Duration::from_nanos(up_to(cx.rng, nanos(width))));
            if free {
                return Next::Free(asked.max(floor));
            }
            // A server that keeps sending us away is failing: the schedule counts too.
            return Next::Counted(asked.max(self.scheduled(cx, verdict)));
        }
        let plain = verdict.contention() == Contention::Down && verdict.spread().is_none();
        if was_up && plain && self.spend(cx.config) {
            return Next::Free(cx.config.backoff().first(cx.rng));
        }
        let scheduled = self.scheduled(cx, verdict);
        let delay = match verdict.spread() {
            None => scheduled,
            Some((least, most)) => {
                let width = nanos(most.saturating_sub(least));
                let spread = least.saturating_add(Duration::from_nanos(up_to(cx.rng, width)));
                scheduled.max(spread)
            }
        };
        Next::Counted(delay)
    }

    /// Credentials were refused: once at once with fresh ones, then with the schedule.
    fn after_refusal<R: Rng>(&mut self, cx: &mut Context<'_, R>, verdict: &Verdict) -> Next {
        self.refresh = true;
        let before = self.refused;
        self.refused = self.refused.saturating_add(1);
        if before >= cx.config.0.auth_limit {
            Next::Never
        } else if before == 0 {
            Next::Free(cx.config.backoff().floor())
        } else {
            Next::Counted(self.scheduled(cx, verdict))
        }
    }

    fn scheduled<R: Rng>(&mut self, cx: &mut Context<'_, R>, verdict: &Verdict) -> Duration {
        cx.config
            .backoff()
            .next(&mut self.cursor, verdict.contention(), cx.rng)
    }

    /// The end. A drain that meets one has nothing left to wait for, so it closes.
    fn finish<R: Rng>(&mut self, cx: &mut Context<'_, R>, stage: Stage, cause: Cause) {
        let stage = if self.draining { Stage::Closed } else { stage };
        self.draining = false;
        cx.effects.hand_back |= stage == Stage::Closed;
        self.rest(stage, cause);
    }
}

/// The least spread of a dial that follows a hint: everybody else was told the same.
const HINT_SPREAD: Duration = Duration::from_millis(500);
