//! The stratified schedule: one dial inside each window, the rest of it waited.
//!
//! Window `k` is `first * (1, 2, 1, 4, 2, 8, 4, ..)`: `w(0) = first`,
//! `w(2j - 1) = first * 2^j`, `w(2j) = first * 2^(j - 1)`. It is a sawtooth of two levels
//! ("back-on", after Bender, Farach-Colton, He, Kuszmaul and Leiserson, SPAA 2005): a crowd
//! thins out as fast as with doubling, and a lone link comes back sooner. Regular polls at
//! the cap rather than full jitter, because the mean wait for the next poll is
//! `mean * (1 + cv^2) / 2`.

use super::{Contention, Cursor, Schedule};
use crate::rng::{Rng, up_to};
use crate::time::nanos;

/// The parameters of a stratified schedule, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    first: u64,
    cap: u64,
    contended_floor: u64,
    contended_cap: u64,
}

impl Windows {
    /// The windows of `schedule`, if it is stratified.
    pub(super) fn of(schedule: &Schedule) -> Option<Self> {
        match schedule {
            Schedule::Stratified {
                first,
                cap,
                contended_floor,
                contended_cap,
            } => Some(Self {
                first: nanos(*first).max(1),
                cap: nanos(*cap),
                contended_floor: nanos(*contended_floor),
                contended_cap: nanos(*contended_cap),
            }),
            _ => None,
        }
    }

    /// The next delay, at least `floor`; exactly one draw.
    pub(super) fn next<R: Rng>(
        self,
        cursor: &mut Cursor,
        contention: Contention,
        floor: u64,
        rng: &mut R,
    ) -> u64 {
        let (step, window, cap) = if contention.is_contended() {
            let step = cursor.step.max(self.reaching(self.contended_floor));
            let window = self.window(step).max(self.contended_floor);
            let polls = step >= self.reaching(self.contended_cap) || window >= self.contended_cap;
            (step, (!polls).then_some(window), self.contended_cap)
        } else {
            let polls = cursor.step >= self.polls_from();
            let window = (!polls).then(|| self.window(cursor.step));
            (cursor.step, window, self.cap)
        };
        // No rest is longer than this but in a cursor that another schedule has left.
        let rest = cursor.carry.min(self.contended_cap);
        cursor.step = step;
        let Some(window) = window else {
            cursor.carry = 0;
            let half = cap / 2;
            return rest
                .saturating_add(half)
                .saturating_add(up_to(rng, cap - half))
                .max(floor);
        };
        cursor.step = step.saturating_add(1);
        let delay = rest.saturating_add(up_to(rng, window)).max(floor);
        // Counted from the delay and not from the draw: a dial that the floor moved is
        // further on in its window, and the next window begins where it should.
        cursor.carry = window.saturating_sub(delay.saturating_sub(rest));
        delay
    }

    /// The window of `step`, without cap, saturating.
    pub(super) fn window(self, step: u32) -> u64 {
        let doublings = if step % 2 == 1 {
            step / 2 + 1
        } else {
            (step / 2).saturating_sub(1)
        };
        match 1_u64.checked_shl(doublings) {
            Some(factor) => self.first.saturating_mul(factor),
            None => u64::MAX,
        }
    }

    /// The first step whose window reaches the cap.
    pub(super) fn polls_from(self) -> u32 {
        self.reaching(self.cap)
    }

    /// The least wait between two polls of a server that is down.
    pub(super) const fn least_poll(self) -> u64 {
        self.cap / 2
    }

    /// The first step whose window is at least `length`.
    fn reaching(self, length: u64) -> u32 {
        match length.div_ceil(self.first) {
            0 | 1 => 0,
            // With j the least number for which 2^j >= times, the window 2j - 1.
            times => (u64::BITS - (times - 1).leading_zeros()) * 2 - 1,
        }
    }
}
