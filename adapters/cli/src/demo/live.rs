//! What is seen while the demonstration runs: lines that stay, and below them one that moves.
//!
//! Everything goes to stderr. Where that is no terminal there are only lines that stay.

use super::script::{Fault, Outcome};
use crate::words::{number, time};
use console::style;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use redial::{Cause, Phase, Status};
use std::time::{Duration, Instant};

/// Longest name of an outage.
const NAME: usize = 20;

/// The screen of a running demonstration.
pub(super) struct Live {
    bar: ProgressBar,
    begun: Instant,
}

/// What the moving line says.
pub(super) struct Now {
    pub(super) status: Status,
    pub(super) next_attempt: Option<Duration>,
    pub(super) sent: u64,
    pub(super) acked: u64,
}

impl Live {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(
            Some(Fault::ALL.len() as u64),
            ProgressDrawTarget::stderr_with_hz(20),
        );
        let style = ProgressStyle::with_template("{bar:7.green/dim} {pos}/{len}  {wide_msg}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("━━─"));
        }
        Self {
            bar,
            begun: Instant::now(),
        }
    }

    /// Writes a line that stays.
    pub(super) fn say(&self, line: &str) {
        if self.bar.is_hidden() {
            eprintln!("{line}");
        } else {
            self.bar.println(line);
        }
    }

    /// Moves the line on.
    pub(super) fn show(&self, now: &Now) {
        if !self.bar.is_hidden() {
            self.bar.set_message(now.line());
        }
    }

    /// An outage begins.
    pub(super) fn begin(&self, fault: Fault) {
        let name = format!("{:<NAME$}", fault.name());
        self.stamped(&format!("{}  {}", style(name).bold(), fault.story()));
    }

    /// The link knows of it.
    pub(super) fn noticed(&self, after: Duration, cause: Option<Cause>) {
        let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
        self.aside(&format!("noticed after {}{cause}", time(after)));
    }

    /// An outage is over, one way or the other.
    pub(super) fn end(&self, outcome: &Outcome) {
        let dials = outcome.dials;
        let plural = if dials == 1 { "" } else { "s" };
        for cause in outcome.causes.iter().skip(1) {
            self.aside(&format!("then: {cause}"));
        }
        match outcome.recovered {
            Some(after) => {
                let after = if after.is_zero() {
                    "as soon as".to_owned()
                } else {
                    format!("{} after", time(after))
                };
                let back = style("back").green();
                self.aside(&format!("{back} {after} it was over, {dials} dial{plural}"));
            }
            None => self.aside(&format!(
                "{}, {dials} dial{plural}",
                style("did not come back").red().bold()
            )),
        }
        let (resumed, fresh) = outcome.sessions;
        if fresh > 0 {
            let lost = style("a fresh session").yellow();
            self.aside(&format!("{lost}: the server did not know the one before"));
        } else if resumed > 0 {
            self.aside("the session went on");
        }
        self.bar.inc(1);
    }

    /// Takes the moving line away.
    pub(super) fn done(&self) {
        self.bar.finish_and_clear();
    }

    fn stamped(&self, text: &str) {
        let stamp = format!("{:>5.1} s", self.begun.elapsed().as_secs_f64());
        self.say(&format!("{}  {text}", style(stamp).dim()));
    }

    fn aside(&self, text: &str) {
        self.say(&format!("{:7}  {:NAME$}  {text}", "", ""));
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.done();
    }
}

impl Now {
    fn line(&self) -> String {
        let Status { phase, attempt, .. } = self.status;
        let mark = match phase {
            Phase::Connected => style("●").green(),
            Phase::Waiting | Phase::Connecting | Phase::Reconnecting => style("◐").yellow(),
            _ => style("○").red(),
        };
        let attempt = match (phase, self.next_attempt) {
            (Phase::Connected, _) => String::new(),
            (_, Some(wait)) => format!(", attempt {attempt} in {}", time(wait)),
            (_, None) => format!(", attempt {attempt}"),
        };
        let state = format!("{}{attempt}", phase.name());
        // What may be cut off on a narrow screen is at the end.
        format!(
            "in flight {:>3}  queued {:>3}  acked {:>5} of {:>5}  {mark} {state}",
            self.status.in_flight,
            self.status.queued,
            number(self.acked),
            number(self.sent),
        )
    }
}
