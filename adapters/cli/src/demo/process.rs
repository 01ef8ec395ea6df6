//! Our end of the server's process: start, follow, kill.

use super::account::{Account, Item};
use redial::Gap;
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the process may take to say something that it was asked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The account of the whole demonstration, which every life of the server adds to.
pub(super) type Shared = Arc<Mutex<Account>>;

/// One life of the server. Dropping it kills it.
pub(super) struct Process {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<Answer>,
    reader: Option<JoinHandle<u64>>,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

enum Answer {
    Listening(SocketAddr),
    Counted(u64),
}

impl Process {
    /// Starts this very program again as a server with this store, and waits until it can be
    /// dialled.
    pub(super) fn start(listen: SocketAddr, store: &Path, account: &Shared) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        // What ends us by the terminal ends it by its stdin, so that it can tidy up.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .args(["demo-server", "--listen", &listen.to_string(), "--store"])
            .arg(store)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(orders), Some(told)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the server has no pipes"));
        };
        let (tell, answers) = channel();
        let account = Arc::clone(account);
        let reader = std::thread::spawn(move || follow(told, &account, &tell));
        let mut process = Self {
            child,
            orders,
            answers,
            reader: Some(reader),
            address: listen,
        };
        match process.answers.recv_timeout(PATIENCE) {
            Ok(Answer::Listening(address)) => process.address = address,
            _ => return Err(io::Error::other("the server did not start")),
        }
        Ok(process)
    }

    /// The number of the process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process at once, as `kill -9` does, and enters what it had told until then.
    pub(super) fn kill(mut self) -> io::Result<()> {
        self.end()
    }

    /// Waits until everything that it has received is entered; how many messages it counted.
    pub(super) fn count(&mut self) -> io::Result<u64> {
        writeln!(self.orders, "{{\"count\":true}}")?;
        match self.answers.recv_timeout(PATIENCE) {
            Ok(Answer::Counted(counted)) => Ok(counted),
            _ => Err(io::Error::other("the server did not give its count")),
        }
    }

    /// Waits until everything that it has received is entered, then ends it. Gives whether it
    /// counted as many as were told.
    pub(super) fn settle(mut self) -> io::Result<bool> {
        let counted = self.count()?;
        self.child.kill()?;
        self.child.wait()?;
        Ok(self.read() == Some(counted))
    }

    fn end(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.read();
        Ok(())
    }

    /// Waits for the end of its stdout; how many messages it told.
    fn read(&mut self) -> Option<u64> {
        self.reader.take()?.join().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before; then there is nothing left to do.
        let _ = self.end();
    }
}

/// Enters all that was got, passes on every answer; gives how many messages there were.
fn follow(told: ChildStdout, account: &Shared, tell: &Sender<Answer>) -> u64 {
    let mut arrivals = 0;
    for line in BufReader::new(told).lines() {
        let Ok(line) = line else {
            break;
        };
        // A line that the kill cut short was not told.
        let Ok(value) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        if let (Some(session), Some(got)) = (value["session"].as_str(), value["got"].as_array()) {
            let at = value["at"].as_u64().and_then(|at| usize::try_from(at).ok());
            let items: Vec<_> = got.iter().map(item).collect();
            arrivals += items
                .iter()
                .filter(|item| matches!(item, Item::Message(_)))
                .count() as u64;
            let mut account = account.lock().unwrap_or_else(PoisonError::into_inner);
            // A place that is none does not add up.
            account.got(session, at.unwrap_or(usize::MAX / 2), &items);
        }
        let listening = value["listening"].as_str().and_then(|a| a.parse().ok());
        let answer = listening
            .map(Answer::Listening)
            .or_else(|| value["counted"].as_u64().map(Answer::Counted));
        if let Some(answer) = answer {
            // Nobody waits for it any more: fine.
            let _ = tell.send(answer);
        }
    }
    arrivals
}

/// What a session's application got; something else is a message that was never sent.
fn item(value: &Value) -> Item {
    let gap = |value: &Value| {
        let (from, to) = (value[0].as_u64()?, value[1].as_u64()?);
        Some(Item::Gap(Gap { from, to }))
    };
    gap(&value["gap"]).unwrap_or_else(|| Item::Message(value.as_u64().unwrap_or(0)))
}
