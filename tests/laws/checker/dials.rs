//! Law 2: the dials of any window stay below the bound that the configuration documents.

use core::time::Duration;

use redial::{Config, Instant};

use super::{Tested, law};

const WINDOWS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(20),
    Duration::from_secs(600),
    Duration::from_secs(3600),
];

/// Dials and manual commands, with their times.
pub struct Dials {
    times: Vec<Instant>,
    /// Commands out of a final phase: each begins a new run of the schedule.
    restarts: Vec<Instant>,
    /// Other commands that dial: one dial each.
    redials: Vec<Instant>,
    pub fullest: u64,
    bounds: [u64; WINDOWS.len()],
    /// The bounds where no connection proved stable: one run of the schedule.
    unproved: [u64; WINDOWS.len()],
    proved: Option<Instant>,
}

impl Dials {
    pub fn new(config: &Config) -> Self {
        let builder = config.to_builder();
        let never = builder.stable_after(Duration::from_secs(7200)).build();
        let never = never.expect("a valid configuration");
        Self {
            unproved: WINDOWS.map(|window| never.max_dials(window)),
            proved: None,
            times: Vec::new(),
            restarts: Vec::new(),
            redials: Vec::new(),
            fullest: 0,
            bounds: WINDOWS.map(|window| config.max_dials(window)),
        }
    }

    pub fn restarted(&mut self, now: Instant) {
        self.restarts.push(now);
    }

    pub fn asked(&mut self, now: Instant) {
        self.redials.push(now);
    }

    /// A connection was up for as long as proves it.
    pub fn proved(&mut self, now: Instant) {
        self.proved = Some(now);
    }

    pub fn count(&self) -> usize {
        self.times.len()
    }

    /// One more dial, and all windows that end with it.
    pub fn dialled(&mut self, now: Instant) -> Tested {
        self.times.push(now);
        let bounds = self.bounds.into_iter().zip(self.unproved);
        for (window, (bound, unproved)) in WINDOWS.into_iter().zip(bounds) {
            let proved = self.proved.is_some_and(|at| now.since(at) < window);
            let bound = if proved { bound } else { bound.min(unproved) };
            let within = |times: &[Instant]| {
                let recent = times.iter().rev().take_while(|at| now.since(**at) < window);
                recent.count() as u64
            };
            let dials = within(&self.times);
            let manual = within(&self.redials);
            let runs = within(&self.restarts) + 1;
            let most = bound.saturating_mul(runs).saturating_add(manual);
            if most > 20 {
                self.fullest = self.fullest.max(dials * 100 / most);
            }
            law(2, dials <= most, || {
                format!("{dials} dials in {window:?}, at most {most} by the formula")
            })?;
        }
        Ok(())
    }
}
