//! One checker for the laws of the design: words in, the first broken law out.
//!
//! It knows of a link only what a driver can see. Shared by the property test and the fuzzer,
//! so nothing here needs either of them. A case is a list of words: the first ones are the
//! configuration and the kind of driver, each of the others is one input.

mod conduct;
mod decode;
mod dials;
mod driver;
mod messages;
mod probes;
mod sessions;
mod tempers;

use core::sync::atomic::{AtomicBool, Ordering};

use redial::rng::{Seed, Seeded};
use redial::{Instant, Link, Phase};

pub use self::decode::CONFIG_WORDS;
use self::decode::Draw;
use self::driver::{Driver, Temper};
use self::messages::Parcel;

/// Which law is broken, and how.
pub type Broken = String;
pub type Tested = Result<(), Broken>;
pub type Subject = Link<Parcel, Seeded>;

/// The law `number` holds here.
pub fn law(number: u8, holds: bool, how: impl FnOnce() -> String) -> Tested {
    if holds {
        Ok(())
    } else {
        Err(format!("law {number}: {}", how()))
    }
}

/// Whether cases are told step by step, as a broken one should be.
pub static TOLD: AtomicBool = AtomicBool::new(false);

fn tell(what: impl FnOnce() -> String) {
    if TOLD.load(Ordering::Relaxed) {
        println!("{}", what());
    }
}

/// What a case did, for statistics over many.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub inputs: u64,
    pub dials: u64,
    pub connected: u64,
    pub messages: u64,
    /// Sessions resumed and begun, messages acknowledged and received again.
    pub sessions: [u64; 4],
    /// The most dials in a window, in percent of the bound.
    pub fullest: u64,
    /// Changes of phase that were told one by one.
    pub changes: Vec<(Phase, Phase)>,
}

/// Any bytes as a case, as the fuzzer gives them.
pub fn words(bytes: &[u8]) -> Vec<u64> {
    let word = |chunk: &[u8]| {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(chunk) {
            *to = *from;
        }
        u64::from_le_bytes(bytes)
    };
    bytes.chunks(8).map(word).collect()
}

/// Runs a case to its end.
///
/// # Errors
///
/// The first law that is broken, after how many inputs, and how.
pub fn run(words: &[u64]) -> Result<Report, Broken> {
    let mut head = [0; CONFIG_WORDS + 1];
    for (to, from) in head.iter_mut().zip(words) {
        *to = *from;
    }
    let [a, b, c, d, kind] = head;
    let (config, recheck) = decode::config([a, b, c, d]);
    tell(|| format!("{config:?}"));
    let mut draw = Draw::new(kind);
    let temper = draw.pick(&[Temper::Fair, Temper::Chaotic, Temper::Lazy, Temper::Storm]);
    let rng = Seeded::new(Seed::from_number(draw.below(1 << 32)), draw.below(8));
    let mut driver = Driver::new(Link::new(config, rng), temper, recheck);
    for (index, word) in words.iter().skip(head.len()).enumerate() {
        driver
            .step(Draw::new(*word))
            .map_err(|broken| format!("input {index}: {broken}"))?;
    }
    Ok(driver.report())
}

/// A time to which a test can add hours without coming near the end of time.
pub fn far(at: Instant) -> bool {
    at.since_origin().as_secs() > 200 * 365 * 86_400
}
