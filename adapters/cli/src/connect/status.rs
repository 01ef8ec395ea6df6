//! What is told on stderr: a line for each turn that the link takes.

use crate::args::ConnectOptions;
use crate::words::{complain, number, time};
use redial::{Phase, Status};
use redial_tokio::{Handle, Message};

/// Tells how the link is doing, unless nobody wants to know.
pub(super) struct Teller {
    url: String,
    quiet: bool,
    max_retries: Option<u32>,
}

/// What became of the messages of one run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) written: u64,
    pub(super) received: u64,
    /// Given away when a connection ended: they may have arrived or not.
    pub(super) unknown: u64,
    /// Accepted or read, and never given away.
    pub(super) unsent: u64,
}

impl Teller {
    pub(super) fn new(options: &ConnectOptions) -> Self {
        Self {
            url: options.url.to_string(),
            quiet: options.quiet,
            max_retries: options.max_retries,
        }
    }

    /// The link entered a phase.
    pub(super) fn entered(&self, status: &Status, handle: &Handle<Message>) {
        let Status { phase, attempt, .. } = *status;
        let cause = status.last_cause;
        match phase {
            Phase::Connected => self.tell(&format!("connected to {}", self.url)),
            Phase::Waiting => {
                let why = cause.map_or_else(|| "not connected".to_owned(), |c| c.to_string());
                let wait = status.next_attempt_at.map_or_else(String::new, |at| {
                    format!(" in {}", time(at.since(handle.now())))
                });
                self.tell(&format!("{why}; attempt {attempt}{wait}"));
            }
            Phase::Failed => {
                let Some(cause) = cause else {
                    return complain("failed for good");
                };
                // With --quiet too: this is why it ends.
                match self.max_retries {
                    Some(1) if attempt > 2 => complain(&format!("gave up after 1 retry: {cause}")),
                    Some(retries) if attempt.saturating_sub(1) > retries => {
                        complain(&format!("gave up after {retries} retries: {cause}"));
                    }
                    _ => complain(&format!("failed for good: {cause}")),
                }
                let detail = handle.last_error().filter(|_| !self.quiet);
                if let Some(detail) = detail {
                    complain(&format!("the last attempt said: {detail}"));
                }
                complain(cause.advice());
            }
            _ => {}
        }
    }

    /// It is over.
    pub(super) fn ended(&self, count: &Count) {
        let Count {
            written,
            received,
            unknown,
            unsent,
        } = *count;
        self.tell(&format!(
            "ended: {} written, {} received",
            number(written),
            number(received)
        ));
        if unknown > 0 {
            complain(&format!(
                "in doubt: {} (a connection broke while they were written)",
                number(unknown)
            ));
        }
        if unsent > 0 {
            complain(&format!("not sent: {}", number(unsent)));
        }
    }

    fn tell(&self, line: &str) {
        if !self.quiet {
            complain(line);
        }
    }
}
