//! Names that nobody has had before.

use std::io;

/// Where names come from: a seed, or the operating system.
#[derive(Debug)]
pub(super) struct Ids(Option<u64>);

impl Ids {
    pub(super) fn new(seed: Option<u64>) -> Self {
        Self(seed)
    }

    /// The next name.
    pub(super) fn draw(&mut self) -> io::Result<[u8; 16]> {
        let mut name = [0; 16];
        match &mut self.0 {
            None => getrandom::fill(&mut name)?,
            Some(state) => {
                for half in name.chunks_exact_mut(8) {
                    half.copy_from_slice(&split_mix(state).to_le_bytes());
                }
            }
        }
        Ok(name)
    }
}

/// `SplitMix64`, by its published constants (Steele, Lea and Flood, 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
