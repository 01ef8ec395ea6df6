//! The server of the demonstration, and how its process and ours talk.
//!
//! It runs in a process of its own so that a kill is a kill. It keeps its sessions on disk, and
//! with them what the application behind each got; a message counts when that is written down.
//! Then it is told at once over stdout, so what was counted outlives the process; after a start
//! with a store it is all told again. One JSON object a line:
//!
//! ```text
//! it: {"listening":"127.0.0.1:40123"}             once, when it can be dialled
//! it: {"session":"5f0c9a11","at":16,"got":[17,18,{"gap":[19,23]},24]}
//!                                                 what its application got, from the 17th on
//! we: {"count":true}                              how many messages in all?
//! it: {"counted":19}                              after all of them have been told
//! ```
//!
//! It ends when its stdin ends: with us, however we end; and then removes its store.

use redial_faults::sessions::{Client, Feed, Got, SessionOptions, SessionServer, Store};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Between two messages of the server's own.
pub(super) const BETWEEN_TICKS: Duration = Duration::from_millis(50);
/// How soon the thread that reports looks whether it was asked for its count.
const LOOK: Duration = Duration::from_millis(100);

/// Runs the server until stdin ends.
pub(crate) fn serve(listen: SocketAddr, store: &Path) -> ExitCode {
    match serve_until_eof(listen, store) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("redial demo-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve_until_eof(listen: SocketAddr, store: &Path) -> io::Result<()> {
    let options = SessionOptions {
        address: listen,
        store: Some(Store::new(store)),
        ..SessionOptions::default()
    };
    let server = Arc::new(SessionServer::start_with(&options)?);
    server.feed(Some(Feed::new(u64::MAX).every(BETWEEN_TICKS)));
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
    std::fs::remove_dir_all(store)
}

/// Tells every message as it comes, until nobody listens.
fn report(server: &SessionServer, ask: &AtomicBool) -> io::Result<()> {
    // How many items of each session were told.
    let told = RefCell::new(Vec::new());
    let mut counted = 0;
    loop {
        let asked = ask.swap(false, Ordering::AcqRel);
        let within = if asked { Duration::ZERO } else { LOOK };
        let lines = RefCell::new(Vec::new());
        server.wait_clients(within, |clients| {
            let fresh = news(clients, &mut told.borrow_mut());
            lines.replace(fresh);
            !lines.borrow().is_empty()
        });
        for (line, messages) in lines.take() {
            tell(&line)?;
            counted += messages;
        }
        if asked {
            tell(&json!({"counted": counted}))?;
        }
    }
}

/// What the applications behind all sessions got since the last time, and how many messages are
/// among it.
fn news(clients: &[Client], told: &mut Vec<usize>) -> Vec<(Value, u64)> {
    told.resize(clients.len(), 0);
    let mut lines = Vec::new();
    for (client, told) in clients.iter().zip(told) {
        let Some(fresh) = client.got.get(*told..).filter(|fresh| !fresh.is_empty()) else {
            continue;
        };
        let messages = fresh.iter().filter_map(Got::message).count() as u64;
        let items: Vec<_> = fresh.iter().map(item).collect();
        let line = json!({"session": name(client), "at": *told, "got": items});
        *told = client.got.len();
        lines.push((line, messages));
    }
    lines
}

fn item(got: &Got) -> Value {
    match got {
        // No message is 0: one without a number does not add up.
        Got::Message { content, .. } => json!(number(content.bytes()).unwrap_or(0)),
        Got::Intent { .. } => json!(0),
        Got::Gap(gap) => json!({"gap": [gap.from, gap.to]}),
    }
}

/// A session's full name is a secret.
fn name(client: &Client) -> String {
    let [a, b, c, d, ..] = client.session.bytes();
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}

/// The number that a message is.
fn number(payload: &[u8]) -> Option<u64> {
    std::str::from_utf8(payload).ok()?.parse().ok()
}

fn tell(value: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{value}")?;
    stdout.flush()
}
