//! One thread that waits for sockets, timers and commands, and hands them to a machine.
//!
//! A single owner of all sockets is what makes a mode change immediate and a reset exact: no
//! other thread holds a descriptor, so that closing one really sends the RST.

use mio::event::Event;
use mio::{Events, Poll, Registry, Token, Waker};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The token of a machine's listening socket.
pub(crate) const LISTENER: Token = Token(usize::MAX - 1);
const WAKER: Token = Token(usize::MAX);

/// What runs on the thread of an [`Engine`].
pub(crate) trait Machine: Send + 'static {
    /// What other threads may ask of it.
    type Command: Send + 'static;

    /// Does what another thread asked; that thread waits until this returns.
    fn command(&mut self, cx: &mut Context, command: Self::Command);

    /// Takes note that a socket became ready, and uses it.
    fn ready(&mut self, cx: &mut Context, event: &Event);

    /// Goes on with `key`: its timer is due, or it asked for another turn.
    fn run(&mut self, cx: &mut Context, key: usize);
}

/// What a machine may use while it is called.
pub(crate) struct Context {
    pub(crate) registry: Registry,
    pub(crate) now: Instant,
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    // The earliest timer of each key that has one: asking again and again costs no memory.
    armed: HashMap<usize, Instant>,
    again: Vec<usize>,
}

impl Context {
    /// Asks for `run(key)` at `at` or before; the machine then checks its deadline and asks anew.
    pub(crate) fn wake_at(&mut self, at: Instant, key: usize) {
        if self.armed.get(&key).is_none_or(|&armed| at < armed) {
            self.armed.insert(key, at);
            self.timers.push(Reverse((at, key)));
        }
    }

    /// Asks for `run(key)` after the others had their turn.
    pub(crate) fn again(&mut self, key: usize) {
        self.again.push(key);
    }

    fn patience(&self) -> Option<Duration> {
        if !self.again.is_empty() {
            return Some(Duration::ZERO);
        }
        let Reverse((at, _)) = self.timers.peek()?;
        Some(at.saturating_duration_since(Instant::now()))
    }

    fn due(&mut self) -> Vec<usize> {
        let mut due = std::mem::take(&mut self.again);
        while let Some(&Reverse((at, key))) = self.timers.peek() {
            if at > self.now {
                break;
            }
            self.timers.pop();
            if self.armed.get(&key) == Some(&at) {
                self.armed.remove(&key);
            }
            due.push(key);
        }
        due
    }
}

/// The handle of the thread; dropping it ends the thread and everything the machine holds.
#[derive(Debug)]
pub(crate) struct Engine<C> {
    // Taken on drop: a closed channel is what tells the thread to end.
    commands: Option<Sender<(C, SyncSender<()>)>>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl<C: Send + 'static> Engine<C> {
    pub(crate) fn start<M: Machine<Command = C>>(
        name: &str,
        build: impl FnOnce(&Registry) -> io::Result<M>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let machine = build(poll.registry())?;
        let context = Context {
            registry: poll.registry().try_clone()?,
            now: Instant::now(),
            timers: BinaryHeap::new(),
            armed: HashMap::new(),
            again: Vec::new(),
        };
        let (commands, inbox) = channel();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || turn(poll, context, machine, &inbox))?;
        Ok(Self {
            commands: Some(commands),
            waker,
            thread: Some(thread),
        })
    }

    /// Hands `command` to the machine and returns when it has been carried out.
    pub(crate) fn call(&self, command: C) {
        let (done, wait) = sync_channel(1);
        let Some(commands) = &self.commands else {
            return;
        };
        if commands.send((command, done)).is_ok() && self.waker.wake().is_ok() {
            // An error means that the thread is gone, and with it all that could be changed.
            let _ = wait.recv();
        }
    }
}

impl<C> Drop for Engine<C> {
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn turn<M: Machine>(
    mut poll: Poll,
    mut cx: Context,
    mut machine: M,
    inbox: &Receiver<(M::Command, SyncSender<()>)>,
) {
    let mut events = Events::with_capacity(256);
    loop {
        match poll.poll(&mut events, cx.patience()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        }
        cx.now = Instant::now();
        for event in &events {
            if event.token() != WAKER {
                machine.ready(&mut cx, event);
            }
        }
        for key in cx.due() {
            machine.run(&mut cx, key);
        }
        loop {
            match inbox.try_recv() {
                Ok((command, done)) => {
                    cx.now = Instant::now();
                    machine.command(&mut cx, command);
                    let _ = done.send(());
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }
}
