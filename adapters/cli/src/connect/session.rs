//! What goes on between stdin, stdout and the link.

use super::status::{Count, Teller};
use crate::args::ConnectOptions;
use crate::pipe::{self, Input, Output};
use crate::words::complain;
use redial::outbox::RefusedReason;
use redial::{Fate, Outcome, Phase, Resumption, Status};
use redial_tokio::{Fates, Handle, Incoming, Message, Received};
use std::io;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const LEFT: u8 = 3;
const INTERRUPTED: u8 = 130;

/// How far the end of the session has come.
enum Course {
    /// Stdin goes on, or is over and this goes on without it.
    Flowing,
    /// Stdin is over; what was read is being written until then.
    Draining(Instant),
    /// Everything is written; answers may come until then.
    Lingering(Instant),
    /// The link was told to end.
    Leaving(JoinHandle<Vec<Message>>),
}

/// One run.
pub(super) struct Session {
    handle: Handle<Message>,
    incoming: Incoming<Message>,
    fates: Fates<Message>,
    status: watch::Receiver<Status>,
    teller: Teller,
    input: Option<mpsc::Receiver<Input>>,
    output: Output,
    /// Read from stdin, and there was no room for it yet.
    held: Option<Message>,
    /// Received, and stdout had no room for it yet.
    unwritten: Option<Vec<u8>>,
    course: Course,
    /// Accepted, and nothing is known yet of what became of them.
    open: u64,
    count: Count,
    connected: bool,
    wrong_input: bool,
    options: ConnectOptions,
}

impl Session {
    pub(super) fn new(
        handle: Handle<Message>,
        incoming: Incoming<Message>,
        teller: Teller,
        options: ConnectOptions,
    ) -> Self {
        Self {
            fates: handle.fates(),
            status: handle.watch(),
            handle,
            incoming,
            teller,
            input: Some(pipe::stdin(options.binary)),
            output: Output::start(),
            held: None,
            unwritten: None,
            course: Course::Flowing,
            open: 0,
            count: Count::default(),
            connected: false,
            wrong_input: false,
            options,
        }
    }

    /// Runs to the end; the exit code.
    pub(super) async fn run(mut self) -> io::Result<u8> {
        let mut phase = self.enter();
        let mut interrupt = Box::pin(tokio::signal::ctrl_c());
        while !phase.is_final() {
            let until = match self.course {
                Course::Draining(until) | Course::Lingering(until) => Some(until),
                _ => None,
            };
            tokio::select! {
                _ = &mut interrupt => {
                    interrupt = Box::pin(tokio::signal::ctrl_c());
                    if matches!(self.course, Course::Leaving(_)) {
                        return Ok(INTERRUPTED);
                    }
                    self.leave();
                }
                _ = self.status.changed() => phase = self.enter(),
                Some(fate) = self.fates.recv() => self.settle(&fate),
                piece = read(&mut self.input), if self.held.is_none() => self.take(piece),
                Some(received) = self.incoming.recv_told(), if self.unwritten.is_none() => {
                    self.hear(received);
                }
                open = room(&self.output), if self.unwritten.is_some() => self.write(open),
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {
                    self.leave();
                }
            }
            self.advance();
        }
        self.end(phase).await
    }

    /// A piece of stdin, or its end.
    fn take(&mut self, piece: Option<Input>) {
        match piece {
            Some(Input::Line(line)) => self.send(Message::text(line)),
            Some(Input::Chunk(chunk)) => self.send(Message::binary(chunk)),
            Some(Input::NotText(line)) => {
                complain(&format!("line {line} of stdin is not UTF-8; use --binary"));
                self.wrong_input = true;
                self.input_ended(false);
            }
            Some(Input::Failed(error)) => {
                complain(&format!("stdin: {error}"));
                self.wrong_input = true;
                self.input_ended(false);
            }
            None => self.input_ended(self.options.listen),
        }
    }

    fn input_ended(&mut self, stay: bool) {
        self.input = None;
        if !stay && matches!(self.course, Course::Flowing) {
            self.course = Course::Draining(Instant::now() + self.options.drain);
        }
    }

    fn send(&mut self, message: Message) {
        match self.handle.try_send(message) {
            Ok(_) => self.open += 1,
            Err(refused) => match refused.reason {
                RefusedReason::Full => self.held = Some(refused.payload),
                reason => {
                    complain(&reason.to_string());
                    self.count.unsent += 1;
                }
            },
        }
    }

    fn settle(&mut self, fate: &Fate<Message>) {
        self.open = self.open.saturating_sub(1);
        match fate.outcome {
            Outcome::Written => self.count.written += 1,
            Outcome::Acked => self.count.acked += 1,
            Outcome::Unknown => self.count.unknown += 1,
            _ => self.count.unsent += 1,
        }
        // There may be room now.
        if let Some(message) = self.held.take() {
            self.send(message);
        }
    }

    fn hear(&mut self, received: Received<Message>) {
        match received {
            Received::Message(message) => self.receive(message),
            Received::Gap(gap) => self.count.missed += gap.len(),
            Received::Session(resumption) => {
                self.teller.session(&resumption);
                if let Resumption::Resumed {
                    missed: Some(gap), ..
                } = resumption
                {
                    self.count.missed += gap.len();
                }
            }
        }
    }

    fn receive(&mut self, message: Message) {
        self.count.received += 1;
        let mut piece = Vec::from(message.into_bytes());
        if !self.options.binary {
            piece.push(b'\n');
        }
        self.unwritten = Some(piece);
        if let Course::Lingering(until) = &mut self.course {
            *until = Instant::now() + self.options.linger;
        }
    }

    /// Stdout has room, or is closed: then whoever reads it has enough.
    fn write(&mut self, open: bool) {
        let sent = self
            .unwritten
            .take()
            .map(|piece| self.output.pieces.try_send(piece));
        if !open || matches!(sent, Some(Err(_))) {
            self.leave();
        }
    }

    /// The link entered a phase.
    fn enter(&mut self) -> Phase {
        let status = *self.status.borrow_and_update();
        self.connected |= status.phase == Phase::Connected;
        self.teller.entered(&status, &self.handle);
        status.phase
    }

    /// From draining to lingering, once everything is written.
    fn advance(&mut self) {
        let idle = self.open == 0 && self.held.is_none() && self.connected;
        if idle && matches!(self.course, Course::Draining(_)) {
            self.course = Course::Lingering(Instant::now() + self.options.linger);
        }
    }

    /// Ends the link, which hands back what it has not written.
    fn leave(&mut self) {
        self.input = None;
        if !matches!(self.course, Course::Leaving(_)) {
            let handle = self.handle.clone();
            self.course = Course::Leaving(tokio::spawn(async move { handle.disconnect().await }));
        }
    }

    /// Takes what is left, and makes the exit code of it.
    async fn end(mut self, phase: Phase) -> io::Result<u8> {
        if let Course::Leaving(leaving) = &mut self.course {
            // What it gives back is told as fates too.
            leaving.await?;
        }
        self.count.unsent += u64::from(self.held.take().is_some());
        while let Some(fate) = self.fates.try_recv() {
            self.settle(&fate);
        }
        while let Some(received) = self.incoming.try_recv_told() {
            if let Some(piece) = self.unwritten.take() {
                let _ = self.output.pieces.send(piece).await;
            }
            self.hear(received);
        }
        if let Some(piece) = self.unwritten.take() {
            // A closed stdout wants no more.
            let _ = self.output.pieces.send(piece).await;
        }
        self.count.unsent += self.open;
        self.output.finish().await?;
        self.teller.ended(&self.count);
        Ok(if self.wrong_input {
            USAGE
        } else if phase == Phase::Failed {
            FAILED
        } else if self.count.unknown + self.count.unsent > 0 || !self.connected {
            LEFT
        } else {
            0
        })
    }
}

/// The next piece of stdin; never, where there is none any more.
async fn read(input: &mut Option<mpsc::Receiver<Input>>) -> Option<Input> {
    match input {
        Some(input) => input.recv().await,
        None => std::future::pending().await,
    }
}

/// Waits until stdout takes another piece; false if it never will.
async fn room(output: &Output) -> bool {
    output.pieces.reserve().await.is_ok()
}
