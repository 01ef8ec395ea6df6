//! How long to wait before the next dial: schedules, jitter, and their bounds.
//!
//! A [`Backoff`] is configuration, valid by construction and shared by any number of links.
//! A [`Cursor`] is where one link stands in it: 16 bytes that go into the link's state. The
//! caller decides when a cursor is put back to [`Cursor::new`]; nothing here resets itself.
//!
//! - Every delay lies in `[floor, max_delay()]`, whatever the cursor holds.
//! - Jitter is applied after the cap, so it never disappears there. [`Jitter::Proportional`]
//!   and [`Jitter::Additive`] may therefore exceed the cap; [`Backoff::max_delay`] says by
//!   how much.
//! - One decision draws exactly one `next_u64`, and none under [`Jitter::None`].
//! - Integers only, nothing overflows, nothing loops over the number of attempts.
//!
//! What lives here is arithmetic on durations. What a failure means is [`crate::cause`]'s;
//! when a delay begins and ends is the link's.

mod bound;
mod error;
mod jitter;
mod schedule;
mod stratified;

use core::time::Duration;

pub use self::error::BackoffError;
pub use self::jitter::Jitter;
pub use self::schedule::{Ratio, Schedule};

use self::stratified::Windows;
use crate::rng::{Rng, up_to};
use crate::time::nanos;

/// A schedule with its jitter and its floor, valid by construction.
///
/// The default is the stratified schedule: windows from 0.5 s, cap 20 s, floor 20 ms.
///
/// ```
/// use core::time::Duration;
/// use redial::backoff::{Backoff, Contention, Cursor, Jitter, Schedule};
/// # use redial::rng::{Seed, Seeded};
///
/// let backoff = Backoff::new(
///     Schedule::Fixed { delay: Duration::from_secs(5) },
///     Jitter::Proportional { percent: 20 },
///     Duration::from_millis(20),
/// )?;
/// let mut cursor = Cursor::new();
/// # let mut rng = Seeded::new(Seed::from_number(1), 0);
/// let delay = backoff.next(&mut cursor, Contention::Down, &mut rng);
/// assert!(delay >= Duration::from_secs(4) && delay <= backoff.max_delay());
/// # Ok::<(), redial::backoff::BackoffError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "error::Unchecked")
)]
pub struct Backoff {
    schedule: Schedule,
    jitter: Jitter,
    floor: Duration,
}

impl Backoff {
    /// The longest duration that a configuration may name: 366 days.
    ///
    /// It keeps every sum far from saturation, where jitter would be lost.
    pub const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

    /// A schedule, the jitter on it, and the least delay that it may yield.
    ///
    /// # Errors
    /// One variant of [`BackoffError`] per rule that is broken, with the offending values.
    pub fn new(schedule: Schedule, jitter: Jitter, floor: Duration) -> Result<Self, BackoffError> {
        error::check(&schedule, jitter, floor)?;
        Ok(Self {
            schedule,
            jitter,
            floor,
        })
    }

    /// The delay before the next dial; advances `cursor`.
    ///
    /// Only a stratified schedule distinguishes contention; the others are what their user
    /// wrote down. Draws one `next_u64`, none under [`Jitter::None`].
    pub fn next<R: Rng>(
        &self,
        cursor: &mut Cursor,
        contention: Contention,
        rng: &mut R,
    ) -> Duration {
        let floor = nanos(self.floor);
        let delay = match &self.schedule {
            Schedule::Stratified { .. } => match Windows::of(&self.schedule) {
                Some(windows) => windows.next(cursor, contention, floor, rng),
                None => floor,
            },
            Schedule::Exponential { base, cap, .. } if self.jitter == Jitter::Decorrelated => {
                let (base, cap) = (nanos(*base), nanos(*cap));
                let previous = match (cursor.step, cursor.carry) {
                    (0, _) => base,
                    (_, 0) => cap,
                    (_, carry) => carry,
                };
                let delay = jitter::decorrelated(base, cap, previous, rng);
                cursor.step = cursor.step.saturating_add(1);
                cursor.carry = delay;
                delay
            }
            schedule => {
                let delay = schedule.delay(cursor.step, cursor.carry);
                cursor.carry = schedule.carry_after(delay);
                cursor.step = cursor.step.saturating_add(1);
                self.jitter.apply(delay, rng)
            }
        };
        self.within(delay)
    }

    /// The delay of a quick retry: the schedule's first step, and no cursor moves.
    ///
    /// Draws one `next_u64`, none under [`Jitter::None`].
    pub fn first<R: Rng>(&self, rng: &mut R) -> Duration {
        match &self.schedule {
            Schedule::Stratified { first, .. } => self.within(up_to(rng, nanos(*first))),
            _ => self.next(&mut Cursor::new(), Contention::Down, rng),
        }
    }

    /// The longest delay that this configuration can yield, under any cursor and contention.
    ///
    /// | schedule | longest delay |
    /// | --- | --- |
    /// | stratified | `2 * contended_cap`: the rest of one window and the whole of the next |
    /// | fixed, table, exponential | the largest delay, or the cap; with [`Jitter::Proportional`] times `(100 + percent) / 100`, with [`Jitter::Additive`] plus `above` |
    ///
    /// Never below the floor.
    pub fn max_delay(&self) -> Duration {
        Duration::from_nanos(bound::max_delay(&self.schedule, self.jitter).max(nanos(self.floor)))
    }

    /// An upper bound on how many delays of one run end within `window`.
    ///
    /// A run begins with a fresh cursor, at its first failure, and the cursor is not reset
    /// in between; in a window that begins later in it there may be one more. Every dial comes after a delay, so this bounds the dials of the run,
    /// however long or short each takes to fail and whatever the contention is:
    ///
    /// - all forms: `window / floor`;
    /// - stratified: `k` delays need at least the windows before the `k`-th, and half of the
    ///   cap for each poll;
    /// - the others: `k` delays need at least the sum of the least delays of steps `0..k`; in a
    ///   table each step counts as the shortest delay from there on.
    ///
    /// The result is the smaller of the two, and saturates.
    pub fn max_dials(&self, window: Duration) -> u64 {
        bound::max_dials(
            &self.schedule,
            self.jitter,
            nanos(self.floor),
            nanos(window),
        )
    }

    /// The schedule.
    pub const fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The jitter.
    pub const fn jitter(&self) -> Jitter {
        self.jitter
    }

    /// The least delay.
    pub const fn floor(&self) -> Duration {
        self.floor
    }

    fn within(&self, delay: u64) -> Duration {
        Duration::from_nanos(delay).max(self.floor)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            schedule: Schedule::DEFAULT,
            jitter: Jitter::Full,
            floor: Duration::from_millis(20),
        }
    }
}

/// Where one link stands in its schedule: 16 bytes, meaningful to one [`Backoff`] only.
///
/// A cursor of another schedule, or of an older configuration, is harmless: delays stay
/// within their bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cursor {
    step: u32,
    /// Stratified: the rest of the window that the last dial lay in. Exponential: the next
    /// delay before jitter. Decorrelated: the previous delay. In nanoseconds, 0 for none.
    carry: u64,
}

impl Cursor {
    /// The beginning of every schedule.
    pub const fn new() -> Self {
        Self { step: 0, carry: 0 }
    }

    /// A cursor as after `step` delays, for tests and demonstrations.
    ///
    /// Exact for [`Schedule::Fixed`] and [`Schedule::Table`], and for
    /// [`Schedule::Exponential`] where `step` is at most 64 or the cap is reached within 64
    /// steps (else it is taken as reached). A stratified cursor is at the beginning of its
    /// window `step` instead of somewhere within the one before. A decorrelated one is as
    /// after a delay of the cap.
    pub const fn at(step: u32) -> Self {
        Self { step, carry: 0 }
    }

    /// How many delays were taken, except that a stratified schedule jumps ahead under
    /// contention and stays at the step where it has reached its cap; saturates.
    pub const fn step(&self) -> u32 {
        self.step
    }

    /// Whether no delay was taken since [`Cursor::new`].
    pub const fn is_fresh(&self) -> bool {
        self.step == 0
    }
}

const _: () = assert!(size_of::<Cursor>() <= 16);

/// What the last failure says about the server's load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Contention {
    /// Nothing: refused, unreachable, lost. One more dial costs a dead host nothing.
    #[default]
    Down,
    /// The server said that it is busy, without saying until when.
    Busy,
    /// The host was reached, and then the handshake was not answered: its queue is full.
    Silent,
}

impl Contention {
    /// Whether dials are what the server suffers from.
    pub const fn is_contended(self) -> bool {
        !matches!(self, Self::Down)
    }
}
