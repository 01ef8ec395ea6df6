//! The server of the tests as a process: the npm package `graphql-ws`, see `server.mjs`.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything here should take, by far.
const LONG: Duration = Duration::from_secs(60);

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    process: Child,
    commands: ChildStdin,
    said: Arc<Said>,
}

/// What it has told so far.
#[derive(Default)]
struct Said {
    events: Mutex<Vec<Value>>,
    more: Condvar,
}

/// Where server and packages are.
fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graphql_ws")
}

/// Whether there is a server to test against; if not, says so where everybody sees it.
pub(crate) fn is_there() -> bool {
    let node = Command::new("node").arg("--version").output();
    let reason = match node {
        Ok(node) if !node.status.success() => "node does not run",
        Err(_) => "there is no node",
        Ok(_) if !home().join("node_modules/graphql-ws").is_dir() => "there is no graphql-ws",
        Ok(_) => return true,
    };
    let how = "install nodejs 20 or later and run: npm ci --prefix";
    // Not by a macro: the harness keeps to itself what those print.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: {reason}; {how} {}",
        home().display()
    );
    false
}

impl Server {
    /// Starts one that lets everybody in.
    pub(crate) fn start() -> Self {
        Self::with(None)
    }

    /// Starts one that wants this token.
    pub(crate) fn with(token: Option<&str>) -> Self {
        let mut command = Command::new("node");
        command.arg(home().join("server.mjs")).env_remove("TOKEN");
        command.envs(token.map(|token| ("TOKEN", token)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let commands = process.stdin.take().unwrap();
        let said = Arc::new(Said::default());
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap();
                heard.events.lock().unwrap().push(event);
                heard.more.notify_all();
            }
        });
        Self {
            process,
            commands,
            said,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        let first = self.wait(1, |event| event["event"] == "listening");
        let port = first[0]["port"].as_u64().unwrap();
        ([127, 0, 0, 1], u16::try_from(port).unwrap()).into()
    }

    /// Gives it a command.
    pub(crate) fn command(&mut self, line: &str) {
        writeln!(self.commands, "{line}").unwrap();
    }

    /// The events of a kind so far.
    pub(crate) fn events(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let events = self.said.events.lock().unwrap();
        events
            .iter()
            .filter(|event| wanted(event))
            .cloned()
            .collect()
    }

    /// The events of a kind, as soon as there are so many.
    pub(crate) fn wait(&self, count: usize, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let until = Instant::now() + LONG;
        let mut events = self.said.events.lock().unwrap();
        loop {
            let found = events.iter().filter(|event| wanted(event));
            if found.clone().count() >= count {
                return found.cloned().collect();
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {count} of those in {events:#?}");
            events = self.said.more.wait_timeout(events, left).unwrap().0;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
