//! `redial check`: tells step by step what of a WebSocket address works.
//!
//! - `probe`: the steps themselves;
//! - `report`: what of them a person, or a program, is shown;
//! - `transport`: the connection, and how the server's answer on it began.

mod probe;
mod report;
mod transport;

use crate::args::CheckOptions;
use crate::words;
use probe::Probe;
use redial::cause::Cause;
use redial_adapter::Failure;
use report::Report;
use std::io;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// The steps, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Name,
    Tcp,
    Tls,
    Upgrade,
    RoundTrip,
    Close,
}

impl Step {
    fn of(tls: bool) -> impl Iterator<Item = Self> {
        use Step::{Close, Name, RoundTrip, Tcp, Tls, Upgrade};
        [Name, Tcp, Tls, Upgrade, RoundTrip, Close]
            .into_iter()
            .filter(move |step| tls || *step != Tls)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Upgrade => "upgrade",
            Self::RoundTrip => "round trip",
            Self::Close => "close",
        }
    }

    /// The cause where its time passed.
    fn overdue(self) -> Cause {
        match self {
            Self::Name | Self::Tcp => Cause::ConnectTimeout,
            Self::Tls | Self::Upgrade => Cause::HandshakeTimeout,
            Self::RoundTrip => Cause::PongTimeout,
            Self::Close => Cause::CloseTimeout,
        }
    }
}

/// What came of a step that was tried.
#[derive(Debug)]
struct Tried {
    step: Step,
    took: Duration,
    outcome: Result<String, Failure>,
}

/// Runs the check; 0 where every step worked.
pub(crate) async fn run(options: CheckOptions) -> io::Result<u8> {
    let mut probe = Probe::new(&options.url, options.url.request(&options.headers)?);
    let mut report = Report::begin(&options);
    for step in Step::of(options.url.scheme().is_secure()) {
        let begun = Instant::now();
        let outcome = match timeout(options.timeout, probe.go(step)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::new(
                step.overdue(),
                format!("nothing came within {}", words::time(options.timeout)),
            )),
        };
        let went = report.add(Tried {
            step,
            took: begun.elapsed(),
            outcome,
        });
        if !went {
            break;
        }
    }
    report.end()
}
