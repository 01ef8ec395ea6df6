//! The command line: every command with its options, as `--help` tells them.

use crate::target::{Header, Target};
use clap::builder::styling::{AnsiColor, Style, Styles};
use clap::{ArgAction, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const HEADING: Style = AnsiColor::Green.on_default().bold();
const STYLES: Styles = Styles::styled()
    .header(HEADING)
    .usage(HEADING)
    .literal(AnsiColor::Cyan.on_default());

/// Keeps WebSocket connections alive, and shows how.
#[derive(Debug, Parser)]
#[command(name = "redial", version, styles = STYLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Log to stderr; twice or three times for more. `RUST_LOG` overrides it.
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoOptions),
    Connect(ConnectOptions),
    Check(CheckOptions),
    /// The server of the demonstration, in a process of its own that can be killed.
    #[command(hide = true)]
    DemoServer {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
        /// Where its sessions are kept; removed in the end.
        #[arg(long)]
        store: PathBuf,
    },
}

/// Watch a client live through eight outages, and count what they cost: nothing.
///
/// Everything runs on this machine: a server in a process of its own that keeps its sessions on
/// disk, a proxy that makes the faults, and a client that sends a hundred numbered messages a
/// second through them, to be acknowledged. The server sends twenty a second the other way.
///
/// What the applications on both ends really get is counted. The table at the end says for each
/// outage how soon it was noticed and how soon the link was back, and for the messages what
/// became of them. The server is killed twice: once its store is kept, and once it is wiped while
/// messages are under way. Those stand apart: the link reports each of them as unknown, and the
/// server's new session tells the gap.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes:
  0  the link came back from every outage, nothing was lost and nothing arrived twice but for
     what the wiped store made unknown, and the account adds up
  1  it did not

Fields of --json:
  sent, delivered, lost, unknown, unsent, duplicated, late
                    the client's messages, without those under way when the store was wiped:
                    accepted by the link; got by the server's application; acknowledged and
                    never got; given up as unknown (unknown_delivered of them got); never
                    written; got twice; got after a later one.
                    sent = delivered + lost + unknown - unknown_delivered + unsent
  wiped             those that were: unknown (unknown_delivered of them had been got), resent,
                    and gap, the messages that the server's new session says will not come
                    (gap_ranges, from and to). unknown = gap
  ticks             the server's messages, as the client's application got them
  outages           for each: in_flight, the messages not acknowledged when it was noticed;
                    missing, those of its time that never arrived; resumed and fresh, the
                    connections on which the session went on, and on which a new one began")]
pub(crate) struct DemoOptions {
    /// Seed of the jitter between dials; without it a new one each time.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Shorter outages and deadlines: about 13 seconds instead of 42.
    #[arg(long)]
    pub(crate) fast: bool,
    /// Print one JSON object to stdout, and all else to stderr.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Join stdin and stdout to a WebSocket that reconnects by itself.
///
/// Each line of stdin is sent as a text message; each message that comes is a line of stdout.
///
/// While the connection is away, lines wait (up to 1,000 of them, then stdin is not read on) and
/// are sent in order when it is back. After the end of stdin the rest is written, answers are
/// waited for, and the connection is closed. Ctrl-C closes it at once.
///
/// Delivery is at most once. "Written" means that the operating system took a message: one that
/// was on its way when a connection broke may be lost. One that is known to be in doubt is
/// reported and makes the exit code 3. With --session each message is acknowledged, and sent
/// again on the next connection until it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes:
  0  ended in order, by either side or Ctrl-C, and everything was written (with --session,
     acknowledged)
  1  failed for good: the server refused for a reason that a retry does not mend, or the
     retries are used up
  2  wrong usage, or input that is not UTF-8 without --binary
  3  ended with messages unsent or in doubt, or without ever having been connected

Example:
  tail -f events.log | redial connect wss://collector.example/ingest")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(crate) struct ConnectOptions {
    /// Where to: `ws://host[:port]/path` or `wss://host[:port]/path`.
    pub(crate) url: Target,
    /// Send stdin as it comes as binary messages, and write messages to stdout without line ends.
    #[arg(short, long)]
    pub(crate) binary: bool,
    /// A header for the request, such as 'Authorization: Bearer ..'; may be repeated.
    #[arg(short = 'H', long = "header", value_name = "K: V")]
    pub(crate) headers: Vec<Header>,
    /// Speak redial's wire protocol, for a server that does: a session over all connections, in
    /// which each message arrives once, in order, while the server remembers it.
    #[arg(short, long)]
    pub(crate) session: bool,
    /// Stay after the end of stdin, until Ctrl-C or until the server ends it.
    #[arg(short, long)]
    pub(crate) listen: bool,
    /// Print no status to stderr, only errors.
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Give up after so many failed retries in a row; without it, never.
    #[arg(long, value_name = "N")]
    pub(crate) max_retries: Option<u32>,
    /// How long one attempt may take, in seconds, handshake included.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = above_zero)]
    pub(crate) connect_timeout: Duration,
    /// Ping after so many seconds of silence.
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = above_zero)]
    pub(crate) ping: Duration,
    /// After the end of stdin: how long to try to get the rest written.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) drain: Duration,
    /// After the last message: leave once nothing has come for so long.
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds)]
    pub(crate) linger: Duration,
}

/// Tell, step by step, what of a WebSocket address works.
///
/// Looks up the name, connects, shakes hands (TLS, then WebSocket), sends a ping and closes.
///
/// Each step says how long it took; the first that fails says why, and what can be done.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes:
  0  every step worked
  1  one did not
  2  wrong usage")]
pub(crate) struct CheckOptions {
    /// What to check: `ws://host[:port]/path` or `wss://host[:port]/path`.
    pub(crate) url: Target,
    /// A header for the request, such as 'Authorization: Bearer ..'; may be repeated.
    #[arg(short = 'H', long = "header", value_name = "K: V")]
    pub(crate) headers: Vec<Header>,
    /// How long one step may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = above_zero)]
    pub(crate) timeout: Duration,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    Duration::try_from_secs_f64(number)
        .ok()
        .filter(|duration| *duration <= Duration::from_secs(86_400))
        .ok_or_else(|| "must lie between 0 and 86400".to_owned())
}

fn above_zero(text: &str) -> Result<Duration, String> {
    seconds(text).and_then(|duration| {
        if duration.is_zero() {
            Err("must be above 0".to_owned())
        } else {
            Ok(duration)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn seconds_have_bounds() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        for wrong in ["-1", "nan", "inf", "1e99", "x", ""] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        assert!(above_zero("0").is_err());
    }
}
