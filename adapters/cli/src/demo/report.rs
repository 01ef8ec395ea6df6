//! What stays of a demonstration: a table and an account, or one JSON object.

use super::account::{Totals, Wiped};
use super::pace::BETWEEN_MESSAGES;
use super::script::{Fault, Outcome};
use super::server::BETWEEN_TICKS;
use super::ticks::Heard;
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
    pub(super) ticks: Heard,
    /// Whether the link ended in order, with nothing left.
    pub(super) ended: bool,
    /// Whether the server's own count is the number of arrivals that it told.
    pub(super) counted: bool,
}

impl Report {
    /// Whether all went as it should.
    pub(super) fn passed(&self) -> bool {
        self.troubles().is_empty()
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
                "in_flight": outcome.in_flight,
                "resumed": outcome.sessions.0,
                "fresh": outcome.sessions.1,
                "missing": outcome.missing,
                "causes": causes,
            })
        };
        let (totals, wiped, ticks) = (&self.totals, &self.totals.wiped, &self.ticks);
        let gaps: Vec<_> = wiped.gaps.iter().map(|gap| [gap.from, gap.to]).collect();
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
            "wiped": {
                "unknown": wiped.unknown,
                "unknown_delivered": wiped.delivered,
                "resent": wiped.resent,
                "gap": wiped.gap(),
                "gap_ranges": gaps,
            },
            "ticks": {
                "delivered": ticks.delivered,
                "lost": ticks.lost,
                "duplicated": ticks.duplicated,
                "late": ticks.late,
            },
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
            "  {:<20}{:>15}{:>13}{:>8}{:>12}{:>10}",
            "outage", "noticed after", "back after", "dials", "in flight", "missing"
        );
        line(text, &style(heading).bold().to_string());
        let duration = |duration: Option<Duration>, width| {
            let text = duration.map_or_else(|| style("never").red().to_string(), soon);
            pad_str(&text, width, Alignment::Right, None).into_owned()
        };
        for outcome in &self.outcomes {
            line(
                text,
                &format!(
                    "  {:<20}{}{}{:>8}{:>12}{:>10}",
                    outcome.fault.name(),
                    duration(outcome.detected, 15),
                    duration(outcome.recovered, 13),
                    outcome.dials,
                    number(outcome.in_flight),
                    number(outcome.missing),
                ),
            );
        }
        for note in [
            "  noticed: since it began. back: since it was over. dials: since it began.",
            "  in flight: not acknowledged when it was noticed; replayed, where the server knows the",
            "  session. missing: messages of its time that did not arrive.",
        ] {
            line(text, &style(note).dim().to_string());
        }
    }

    fn account(&self, text: &mut String) {
        let t = &self.totals;
        let rate = 1_000 / BETWEEN_MESSAGES.as_millis();
        head(text, &format!("to the server, {rate} messages a second"));
        let unknown = match t.unknown {
            0 => "given up by the link as in doubt".to_owned(),
            _ => in_doubt(t.unknown, t.unknown_delivered),
        };
        row(text, "sent", t.sent, "the link took them, connected or not");
        row(
            text,
            "delivered",
            t.delivered,
            "the server's application got them",
        );
        row(text, "lost", t.lost, "acknowledged, and never arrived");
        row(text, "unknown", t.unknown, &unknown);
        row(
            text,
            "duplicated",
            t.duplicated,
            "got twice by the application",
        );
        let away = t.unknown - t.unknown_delivered;
        let mut sum = format!(
            "{} sent = {} delivered + {} lost + {} unknown and not arrived",
            number(t.sent),
            number(t.delivered),
            number(t.lost),
            number(away)
        );
        if t.unsent > 0 {
            row(text, "unsent", t.unsent, "not sent, by the link's word");
            let _ = write!(sum, " + {} unsent", number(t.unsent));
        }
        line(text, &format!("    {sum}"));
        self.wiped(text);
        let rate = 1_000 / BETWEEN_TICKS.as_millis();
        head(text, &format!("from the server, {rate} messages a second"));
        let Heard {
            delivered,
            lost,
            duplicated,
            ..
        } = self.ticks;
        row(
            text,
            "delivered",
            delivered,
            "the client's application got them",
        );
        row(text, "lost", lost, "missing before a later one");
        row(
            text,
            "duplicated",
            duplicated,
            "got twice by the application",
        );
    }

    /// What was under way when the server lost its store.
    fn wiped(&self, text: &mut String) {
        let wiped = &self.totals.wiped;
        head(
            text,
            "apart from those, under way when the server lost its store",
        );
        let doubt = in_doubt(wiped.unknown, wiped.delivered);
        row(text, "unknown", wiped.unknown, &doubt);
        let policy = "the link was asked to report them, not to send them twice";
        row(text, "resent", wiped.resent, policy);
        let ranges: Vec<_> = wiped
            .gaps
            .iter()
            .map(|gap| format!("{} to {}", number(gap.from), number(gap.to)))
            .collect();
        let gap = match ranges.join(", ") {
            none if none.is_empty() => "the server's new session told none".to_owned(),
            ranges => format!("the server's new session: {ranges} will not come"),
        };
        row(text, "gap", wiped.gap(), &gap);
        for note in [
            "The network went silent just before, on purpose, so that there was something under",
            "way. What had arrived and what had not, only the lost store could tell.",
        ] {
            line(text, &style(format!("    {note}")).dim().to_string());
        }
    }

    /// What did not go as it should.
    fn troubles(&self) -> Vec<String> {
        let (totals, ticks) = (&self.totals, &self.ticks);
        let lasting = Fault::ALL.len() - self.recovered();
        let Wiped {
            unknown, given_up, ..
        } = totals.wiped;
        let troubles = [
            (
                lasting > 0,
                format!("the link did not come back from {lasting} outages"),
            ),
            (!self.ended, "the link did not end in order".to_owned()),
            (
                !totals.is_clean(),
                "not every message arrived once, in order".to_owned(),
            ),
            (
                !totals.adds_up(),
                format!(
                    "the account does not add up ({} without a fate, {} that can't be; store \
                     wiped: {unknown} told unknown, {given_up} given up, a gap of {})",
                    totals.open,
                    totals.wrong,
                    totals.wiped.gap()
                ),
            ),
            (
                lasting == 0 && unknown == 0,
                "nothing was under way when the store was wiped".to_owned(),
            ),
            (
                !ticks.is_clean(),
                "not every message of the server arrived once, in order".to_owned(),
            ),
            (!self.counted, "the server's own count differs".to_owned()),
        ];
        troubles
            .into_iter()
            .filter_map(|(is_so, trouble)| is_so.then_some(trouble))
            .collect()
    }

    fn verdict(&self, text: &mut String) {
        line(text, "");
        let troubles = self.troubles();
        let verdict = if troubles.is_empty() {
            style(format!(
                "  Passed: back from {0} of {0} outages, nothing lost, nothing twice; what the wiped\n  \
                 store made unknown is told, message by message. The account adds up.",
                Fault::ALL.len()
            ))
            .green()
        } else {
            style(format!("  Failed: {}.", troubles.join("; "))).red()
        };
        line(text, &verdict.bold().to_string());
    }
}

fn in_doubt(unknown: u64, delivered: u64) -> String {
    format!(
        "in doubt, by the link's own word: {} had arrived, {} had not",
        number(delivered),
        number(unknown - delivered)
    )
}

fn head(text: &mut String, title: &str) {
    line(text, "");
    line(text, &style(format!("  {title}")).bold().to_string());
}

fn row(text: &mut String, name: &str, count: u64, story: &str) {
    line(
        text,
        &format!("    {name:<12}{:>7}   {story}", number(count)),
    );
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
