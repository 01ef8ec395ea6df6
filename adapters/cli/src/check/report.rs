//! What is shown of a check: a line for each step as it ends, or one JSON object.

use super::{Step, Tried};
use crate::args::CheckOptions;
use crate::words;
use console::style;
use serde_json::{Value, json};
use std::io::{self, Write};

/// The report of one check, written as it goes.
pub(super) struct Report {
    url: String,
    tls: bool,
    json: bool,
    tried: Vec<Tried>,
}

impl Report {
    pub(super) fn begin(options: &CheckOptions) -> Self {
        let report = Self {
            url: options.url.to_string(),
            tls: options.url.scheme().is_secure(),
            json: options.json,
            tried: Vec::new(),
        };
        report.line(&format!("Checking {}", style(&report.url).bold()));
        report
    }

    /// Shows a step; whether it worked.
    pub(super) fn add(&mut self, tried: Tried) -> bool {
        let name = tried.step.name();
        let took = words::time(tried.took);
        match &tried.outcome {
            Ok(detail) => {
                let mark = style("ok  ").green();
                self.line(&format!("  {mark}  {name:<10}  {took:>8}  {detail}"));
            }
            Err(failure) => {
                let (cause, detail) = (failure.closure.cause, &failure.detail);
                let mark = style("FAIL").red().bold();
                self.line(&format!("  {mark}  {name:<10}  {took:>8}  {cause}"));
                let indent = " ".repeat(28);
                if !detail.is_empty() {
                    self.line(&format!("{indent}detail:   {detail}"));
                }
                let category = words::category(cause.category());
                self.line(&format!("{indent}category: {category}"));
                self.line(&format!("{indent}advice:   {}", cause.advice()));
            }
        }
        let went = tried.outcome.is_ok();
        self.tried.push(tried);
        went
    }

    /// Shows what was not tried, and gives the exit code.
    pub(super) fn end(self) -> io::Result<u8> {
        let untried: Vec<_> = Step::of(self.tls).skip(self.tried.len()).collect();
        for step in &untried {
            let mark = style("--  ").dim();
            self.line(&format!(
                "  {mark}  {:<10}  {:>8}  not tried",
                step.name(),
                ""
            ));
        }
        let ok = untried.is_empty() && self.tried.iter().all(|tried| tried.outcome.is_ok());
        if ok {
            self.line(&format!("{}", style("Everything works.").green()));
        }
        if self.json {
            let mut steps: Vec<Value> = self.tried.iter().map(as_json).collect();
            steps.extend(
                untried
                    .iter()
                    .map(|step| json!({"step": step.name(), "ok": null})),
            );
            let object = json!({"url": self.url, "ok": ok, "steps": steps});
            writeln!(io::stdout(), "{object}")?;
        }
        Ok(u8::from(!ok))
    }

    fn line(&self, line: &str) {
        if !self.json {
            // Who no longer listens still gets the exit code.
            let _ = writeln!(io::stdout(), "{line}");
        }
    }
}

fn as_json(tried: &Tried) -> Value {
    let mut step = json!({
        "step": tried.step.name(),
        "ok": tried.outcome.is_ok(),
        "ms": (tried.took.as_secs_f64() * 1e6).round() / 1e3,
    });
    match &tried.outcome {
        Ok(detail) => step["detail"] = json!(detail),
        Err(failure) => {
            let (cause, detail) = (failure.closure.cause, &failure.detail);
            step["detail"] = json!(detail);
            step["cause"] = json!(cause.to_string());
            step["category"] = json!(words::category(cause.category()));
            step["advice"] = json!(cause.advice());
        }
    }
    step
}
