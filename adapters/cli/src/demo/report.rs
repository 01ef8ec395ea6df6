//! What stays of a demonstration: a table and an account, or one JSON object.

use super::account::Totals;
use super::script::{Fault, Outcome};
use crate::words::{milliseconds, number, soon};
use console::{Alignment, pad_str, style};
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// The result of one run.
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) totals: Totals,
    /// Whether the link ended in order, with nothing left.
    pub(super) ended: bool,
    /// Whether the server's own count is the number of arrivals that it told.
    pub(super) counted: bool,
}

impl Report {
    /// Whether all went as it should; losses are allowed where they are owned up to.
    pub(super) fn passed(&self) -> bool {
        self.recovered() == Fault::ALL.len()
            && self.ended
            && self.counted
            && self.totals.duplicated == 0
            && self.totals.adds_up()
    }

    fn recovered(&self) -> usize {
        let outcomes = self.outcomes.iter();
        outcomes.filter(|o| o.recovered.is_some()).count()
    }

    /// The object of `--json`.
    pub(super) fn json(&self) -> Value {
        let outage = |outcome: &Outcome| {
            let causes: Vec<_> = outcome.causes.iter().map(ToString::to_string).collect();
            json!({
                "name": outcome.fault.name(),
                "detected_ms": outcome.detected.map(milliseconds),
                "recovered_ms": outcome.recovered.map(milliseconds),
                "dials": outcome.dials,
                "missing": outcome.missing,
                "causes": causes,
            })
        };
        let totals = &self.totals;
        json!({
            "seed": self.seed,
            "passed": self.passed(),
            "sent": totals.sent,
            "delivered": totals.delivered,
            "lost": totals.lost,
            "unknown": totals.unknown,
            "unknown_delivered": totals.unknown_delivered,
            "unsent": totals.unsent,
            "duplicated": totals.duplicated,
            "late": totals.late,
            "outages": self.outcomes.iter().map(outage).collect::<Vec<_>>(),
        })
    }

    /// The report for a person.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.table(&mut text);
        self.account(&mut text);
        self.verdict(&mut text);
        text
    }

    fn table(&self, text: &mut String) {
        let heading = format!(
            "  {:<19}{:>15}{:>15}{:>9}{:>11}",
            "outage", "noticed after", "back after", "dials", "missing"
        );
        line(text, &style(heading).bold().to_string());
        let duration = |duration: Option<Duration>| {
            let text = duration.map_or_else(|| style("never").red().to_string(), soon);
            pad_str(&text, 15, Alignment::Right, None).into_owned()
        };
        for outcome in &self.outcomes {
            line(
                text,
                &format!(
                    "  {:<19}{}{}{:>9}{:>11}",
                    outcome.fault.name(),
                    duration(outcome.detected),
                    duration(outcome.recovered),
                    outcome.dials,
                    number(outcome.missing),
                ),
            );
        }
        for note in [
            "  noticed: since it began. back: since it was over. dials: since it began.",
            "  missing: messages of its time that did not arrive, lost or unknown.",
        ] {
            line(text, &style(note).dim().to_string());
        }
    }

    fn account(&self, text: &mut String) {
        let t = &self.totals;
        let missing = t.unknown - t.unknown_delivered;
        let unknown = match t.unknown {
            0 => "in doubt, by the link's own word".to_owned(),
            _ => format!(
                "in doubt, by the link's own word: {} arrived, {} did not",
                number(t.unknown_delivered),
                number(missing)
            ),
        };
        line(text, "");
        line(text, &style("  messages").bold().to_string());
        let rows = [
            ("sent", t.sent, "the link took them, connected or not"),
            ("delivered", t.delivered, "the server counted them"),
            ("unknown", t.unknown, unknown.as_str()),
            (
                "lost",
                t.lost,
                "written, by the link's word, and never arrived (*)",
            ),
            ("duplicated", t.duplicated, "nothing is sent twice"),
        ];
        for (name, count, story) in rows {
            line(
                text,
                &format!("    {name:<12}{:>7}   {story}", number(count)),
            );
        }
        if t.unsent > 0 {
            let unsent = "not sent, by the link's word";
            line(
                text,
                &format!("    {:<12}{:>7}   {unsent}", "unsent", number(t.unsent)),
            );
        }
        let mut sum = format!(
            "{} sent = {} delivered + {} lost + {} unknown and not arrived",
            number(t.sent),
            number(t.delivered),
            number(t.lost),
            number(missing)
        );
        if t.unsent > 0 {
            let _ = write!(sum, " + {} unsent", number(t.unsent));
        }
        line(text, &format!("    {sum}"));
        for note in [
            "  (*) \"Written\" means that this machine's system took a message; it says nothing of",
            "      the peer. Whoever can't lose one lets the peer acknowledge it.",
        ] {
            line(text, &style(note).dim().to_string());
        }
    }

    fn verdict(&self, text: &mut String) {
        line(text, "");
        let mut troubles = Vec::new();
        let lasting = Fault::ALL.len() - self.recovered();
        if lasting > 0 {
            troubles.push(format!("the link did not come back from {lasting} outages"));
        }
        if !self.ended {
            troubles.push("the link did not end in order".to_owned());
        }
        if self.totals.duplicated > 0 {
            troubles.push("messages arrived twice".to_owned());
        }
        if !self.totals.adds_up() {
            let Totals { open, wrong, .. } = self.totals;
            troubles.push(format!(
                "the account does not add up ({open} without a fate, {wrong} that can't be)"
            ));
        }
        if !self.counted {
            troubles.push("the server's own count differs".to_owned());
        }
        let verdict = if troubles.is_empty() {
            style(format!(
                "  Passed: back from {0} of {0} outages, nothing twice, and the account adds up.",
                Fault::ALL.len()
            ))
            .green()
        } else {
            style(format!("  Failed: {}.", troubles.join("; "))).red()
        };
        line(text, &verdict.bold().to_string());
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
