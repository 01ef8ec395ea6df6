//! Runs the program, with a deadline.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a finished run left.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit code; -1 where a signal ended it.
    pub(crate) code: i32,
    /// All of stdout.
    pub(crate) out: String,
    /// All of stderr.
    pub(crate) err: String,
}

/// A run under way.
pub(crate) struct Running {
    child: Child,
    /// Stdin, until it is dropped.
    pub(crate) input: Option<ChildStdin>,
    pub(crate) out: Text,
    pub(crate) err: Text,
}

/// Starts the program.
pub(crate) fn start(args: &[&str]) -> Running {
    let mut running = start_deaf(args);
    running.out = Text::collect(running.child.stdout.take());
    running
}

/// Starts the program, and does not read its stdout; [`Running::close_stdout`] closes it.
pub(crate) fn start_deaf(args: &[&str]) -> Running {
    let mut child = Command::new(env!("CARGO_BIN_EXE_redial"))
        .args(args)
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Running {
        input: child.stdin.take(),
        out: Text::collect(None::<std::io::Empty>),
        err: Text::collect(child.stderr.take()),
        child,
    }
}

/// Runs the program to its end, with this for stdin.
pub(crate) fn run(args: &[&str], input: &[u8]) -> Run {
    let mut running = start(args);
    let mut pipe = running.input.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // It may have ended without reading.
        let _ = pipe.write_all(&input);
    });
    let run = running.finish();
    writer.join().unwrap();
    run
}

impl Running {
    /// Ends stdin and waits for the end.
    pub(crate) fn finish(mut self) -> Run {
        drop(self.input.take());
        let deadline = Instant::now() + PATIENCE;
        while self.is_running() {
            assert!(Instant::now() < deadline, "the program does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        let status = self.child.wait().unwrap();
        Run {
            code: status.code().unwrap_or(-1),
            out: self.out.all(),
            err: self.err.all(),
        }
    }

    /// Closes our end of stdout.
    pub(crate) fn close_stdout(&mut self) {
        self.child.stdout = None;
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came out of a pipe, read on a thread so that the pipe never fills up.
pub(crate) struct Text {
    shared: Arc<(Mutex<Vec<u8>>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl Text {
    fn collect(pipe: Option<impl Read + Send + 'static>) -> Self {
        let shared = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let fill = Arc::clone(&shared);
        let reader = pipe.map(|mut pipe| {
            std::thread::spawn(move || {
                let mut chunk = [0; 4096];
                while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                    fill.0.lock().unwrap().extend_from_slice(&chunk[..count]);
                    fill.1.notify_all();
                }
            })
        });
        Self { shared, reader }
    }

    /// Waits until `part` has come.
    pub(crate) fn wait(&self, part: &str) {
        let (bytes, grown) = &*self.shared;
        let lacks = |bytes: &mut Vec<u8>| !String::from_utf8_lossy(bytes).contains(part);
        let bytes = bytes.lock().unwrap();
        let (bytes, waited) = grown.wait_timeout_while(bytes, PATIENCE, lacks).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!waited.timed_out(), "{part:?} did not come: {text:?}");
    }

    /// Everything, once the pipe has ended.
    fn all(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        String::from_utf8_lossy(&self.shared.0.lock().unwrap()).into_owned()
    }
}
