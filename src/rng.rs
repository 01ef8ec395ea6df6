//! The one door by which randomness enters: any [`Rng`], by default a counter-based one.
//!
//! The machines draw only when a delay is drawn, one `next_u64` a decision. [`Seeded`] is
//! `ChaCha8` keyed by a seed, with the link as its stream and the number of draws as its
//! position: what a link draws never depends on another link, and two integers restore it.

pub use rand_core::Rng;

/// An integer in `0..=max`, from exactly one `next_u64`.
///
/// Multiply-and-shift: the bias is below `max / 2^64`, which no delay can show.
pub(crate) fn up_to<R: Rng>(rng: &mut R, max: u64) -> u64 {
    let product = u128::from(rng.next_u64()) * (u128::from(max) + 1);
    (product >> 64) as u64
}

#[cfg(feature = "chacha")]
pub use self::seeded::{Draws, Seed, Seeded};

#[cfg(feature = "chacha")]
mod seeded {
    use core::convert::Infallible;
    use core::fmt;

    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng, TryRng};

    /// The key that all links of one process may share.
    ///
    /// Take it from the operating system for production, fix it for a test.
    #[derive(Clone, Copy, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct Seed([u8; 32]);

    impl Seed {
        /// A seed from 32 bytes.
        pub const fn new(bytes: [u8; 32]) -> Self {
            Self(bytes)
        }

        /// A seed from a number, for tests and demonstrations.
        pub const fn from_number(number: u64) -> Self {
            let mut bytes = [0; 32];
            let number = number.to_le_bytes();
            let mut i = 0;
            while i < 8 {
                #[expect(
                    clippy::indexing_slicing,
                    reason = "i is below 8, checked by the compiler as a constant too"
                )]
                {
                    bytes[i] = number[i];
                }
                i += 1;
            }
            Self(bytes)
        }
    }

    impl fmt::Debug for Seed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Seed(..)")
        }
    }

    /// What one link has drawn: its stream and its position, 16 bytes.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct Draws {
        stream: u64,
        taken: u64,
    }

    const _: () = assert!(size_of::<Draws>() == 16);

    impl Draws {
        /// The draws of the link with the number `stream`, none taken yet.
        pub const fn of(stream: u64) -> Self {
            Self { stream, taken: 0 }
        }

        /// How many numbers were drawn.
        pub const fn taken(&self) -> u64 {
            self.taken
        }

        /// The next number under `seed`.
        pub fn next(&mut self, seed: &Seed) -> u64 {
            let mut chacha = ChaCha8Rng::from_seed(seed.0);
            chacha.set_stream(self.stream);
            // A draw is two 32-bit words.
            chacha.set_word_pos(u128::from(self.taken) * 2);
            self.taken = self.taken.wrapping_add(1);
            chacha.next_u64()
        }
    }

    /// The default generator: `ChaCha8` by (seed, stream, position).
    ///
    /// Golden vectors in the tests fix its output on every platform.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct Seeded {
        seed: Seed,
        draws: Draws,
    }

    impl Seeded {
        /// The generator of the link with the number `stream` under `seed`.
        pub const fn new(seed: Seed, stream: u64) -> Self {
            Self {
                seed,
                draws: Draws::of(stream),
            }
        }

        /// What was drawn so far.
        pub const fn draws(&self) -> Draws {
            self.draws
        }
    }

    impl TryRng for Seeded {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the lower half is what is asked for"
            )]
            let low = self.draws.next(&self.seed) as u32;
            Ok(low)
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(self.draws.next(&self.seed))
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            for chunk in bytes.chunks_mut(8) {
                let number = self.draws.next(&self.seed).to_le_bytes();
                for (to, from) in chunk.iter_mut().zip(number) {
                    *to = from;
                }
            }
            Ok(())
        }
    }
}
