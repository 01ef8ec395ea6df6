//! What is told on stderr: a line for each turn that the link takes.

use crate::args::ConnectOptions;
use crate::words::{complain, number, time};
use redial::session::Fresh;
use redial::{Phase, Resumption, Status};
use redial_tokio::{Handle, Message};

/// Tells how the link is doing, unless nobody wants to know.
pub(super) struct Teller {
    url: String,
    quiet: bool,
    acknowledged: bool,
    max_retries: Option<u32>,
}

/// What became of the messages of one run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) written: u64,
    /// The server has them.
    pub(super) acked: u64,
    pub(super) received: u64,
    /// Messages of the server that will not come.
    pub(super) missed: u64,
    /// Given away when a connection or a session ended: they may have arrived or not.
    pub(super) unknown: u64,
    /// Accepted or read, and never given away.
    pub(super) unsent: u64,
}

impl Teller {
    pub(super) fn new(options: &ConnectOptions) -> Self {
        Self {
            url: options.url.to_string(),
            quiet: options.quiet,
            acknowledged: options.session,
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

    /// What became of the session on a new connection.
    pub(super) fn session(&self, resumption: &Resumption) {
        if let Resumption::Fresh { reason, .. } = resumption {
            match reason {
                Fresh::First => {}
                Fresh::Sessionless => self.tell("the server has no sessions"),
                _ => self.tell("the server has lost the session; a fresh one begins"),
            }
        }
    }

    /// It is over.
    pub(super) fn ended(&self, count: &Count) {
        let Count {
            written,
            acked,
            received,
            missed,
            unknown,
            unsent,
        } = *count;
        let (sent, word) = if self.acknowledged {
            (acked, "acknowledged")
        } else {
            (written, "written")
        };
        self.tell(&format!(
            "ended: {} {word}, {} received",
            number(sent),
            number(received)
        ));
        if unknown > 0 {
            let why = if self.acknowledged {
                "they were written and not acknowledged when the session was lost"
            } else {
                "a connection broke while they were written"
            };
            complain(&format!("in doubt: {} ({why})", number(unknown)));
        }
        if missed > 0 {
            complain(&format!("missed: {} of the server", number(missed)));
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
