//! The server of the demonstration, and how its process and ours talk.
//!
//! It runs in a process of its own so that a kill is a kill. Each message that it gets is told
//! at once over its stdout, so what it has counted outlives it. One JSON object a line:
//!
//! ```text
//! it: {"listening":"127.0.0.1:40123"}   once, when it can be dialled
//! it: {"got":[17,18]}                   the numbers of messages, in order of arrival
//! we: {"count":true}                    how many in all?
//! it: {"counted":18}                    after all of them have been told
//! ```
//!
//! It ends when its stdin ends: with us, however we end.

use redial_faults::{Behaviour, Server};
use serde_json::{Value, json};
use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How soon the thread that reports looks whether the process is to end.
const LOOK: Duration = Duration::from_millis(100);

/// Runs the server until stdin ends.
pub(crate) fn serve(listen: SocketAddr) -> ExitCode {
    match serve_until_eof(listen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("redial demo-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve_until_eof(listen: SocketAddr) -> io::Result<()> {
    let server = Arc::new(Server::start_on(listen, Behaviour::Echo)?);
    tell(&json!({"listening": server.addr().to_string()}))?;
    let ask = Arc::new(AtomicBool::new(false));
    let reporter = {
        let (server, ask) = (Arc::clone(&server), Arc::clone(&ask));
        move || report(&server, &ask)
    };
    std::thread::spawn(reporter);
    for line in io::stdin().lock().lines() {
        if let Ok(Value::Object(order)) = serde_json::from_str(&line?) {
            if order.contains_key("count") {
                ask.store(true, Ordering::Release);
            }
        }
    }
    Ok(())
}

/// Tells every message as it comes, until nobody listens.
fn report(server: &Server, ask: &AtomicBool) -> io::Result<()> {
    let mut told = 0_usize;
    loop {
        let asked = ask.swap(false, Ordering::AcqRel);
        let fresh = server.received_after(told);
        if !fresh.is_empty() {
            told += fresh.len();
            let numbers: Vec<_> = fresh.iter().filter_map(|payload| number(payload)).collect();
            tell(&json!({"got": numbers}))?;
        }
        if asked {
            tell(&json!({"counted": told}))?;
        }
        server.wait_received(told as u64 + 1, LOOK);
    }
}

/// The number that a message begins with.
fn number(payload: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(payload).ok()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}

fn tell(value: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{value}")?;
    stdout.flush()
}
