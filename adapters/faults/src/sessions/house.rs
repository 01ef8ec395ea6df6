//! All sessions of a server: who has which, what they say, and that it is written down first.

use super::content::{Content, Got};
use super::disk::{Disk, Pages};
use super::held::Held;
use super::ids::Ids;
use super::options::{Feed, Memory, SessionOptions};
use super::record::{News, Record};
use crate::tally::Tally;
use redial::outbox::RefusedReason;
use redial::server::{Denied, Session, Settings};
use redial::session::{Hello, ServerId, SessionId, Welcome};
use redial::wire::{Detail, Frame, Refusal, WireError};
use redial::{Ack, Action, Cause, Closure, Command, Epoch, Event, Instant, MessageId, SendOptions};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Instant as Moment;

/// The sessions.
pub(super) struct House {
    origin: Moment,
    settings: Settings,
    ids: Ids,
    server: ServerId,
    disk: Option<Disk>,
    feed: Option<Feed>,
    refusal: Option<Refusal>,
    // So many intents are still to be declined.
    declines: u64,
    sessions: HashMap<SessionId, Held>,
    // The keys of their timers.
    slots: HashMap<usize, SessionId>,
    next_slot: usize,
    tally: Arc<Tally<Record>>,
    asked: Vec<Asked>,
    crashed: bool,
}

/// The place of a connection in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    session: SessionId,
    epoch: Epoch,
}

/// What a session asks of whoever owns the connections and timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// End this connection at once.
    Abort(usize),
    /// End this connection in order.
    Close(usize),
    /// Come back to this slot at this time.
    Wake(usize, Instant),
}

/// The store failed: nothing may be said any more, and the server has to come up anew.
#[derive(Debug)]
pub(super) struct Crashed;

impl House {
    /// Comes up with what the store has.
    pub(super) fn new(options: &SessionOptions, tally: Arc<Tally<Record>>) -> io::Result<Self> {
        let disk = options.store.clone().map(Disk::new).transpose()?;
        let mut house = Self {
            origin: Moment::now(),
            settings: options.settings.clone(),
            ids: Ids::new(options.seed),
            server: ServerId::new([0; 16]),
            disk,
            feed: None,
            refusal: None,
            declines: 0,
            sessions: HashMap::new(),
            slots: HashMap::new(),
            next_slot: 0,
            tally,
            asked: Vec::new(),
            crashed: false,
        };
        house.up(Instant::ORIGIN, Memory::Keep)?;
        Ok(house)
    }

    /// The time as the sessions have it.
    pub(super) fn at(&self, now: Moment) -> Instant {
        Instant::from_origin(now.saturating_duration_since(self.origin))
    }

    /// The time as the machine has it.
    pub(super) fn moment(&self, at: Instant) -> Moment {
        self.origin + at.since_origin()
    }

    /// Everything in memory is gone.
    pub(super) fn down(&mut self) {
        self.sessions.clear();
        self.slots.clear();
        self.asked.clear();
        self.crashed = false;
        self.tally.update(Record::stopped);
    }

    /// Comes up as another run, with what the store has or with nothing.
    pub(super) fn up(&mut self, now: Instant, memory: Memory) -> io::Result<()> {
        self.server = ServerId::new(self.ids.draw()?);
        let found = match (&self.disk, memory) {
            (None, _) => Vec::new(),
            (Some(disk), Memory::Keep) => disk.load()?,
            (Some(disk), Memory::Wipe) => {
                disk.wipe()?;
                Vec::new()
            }
        };
        let mut got = Vec::new();
        for found in found {
            let session = found.session.restored(now, found.away);
            got.push((session.id(), found.got));
            self.hold(session, Some(found.file), found.fed, now);
        }
        if memory == Memory::Keep {
            self.tally.update(|record| {
                for (session, got) in got {
                    record.restored(session, got);
                }
                record.recount();
            });
        }
        Ok(())
    }

    /// A connection says hello: the session it carries from now on, and the answer.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        connection: usize,
        hello: &Hello,
    ) -> Result<(Seat, Welcome), Refusal> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        if let Some(admitted) = self.resume(now, connection, hello)? {
            return Ok(admitted);
        }
        let name = self
            .ids
            .draw()
            .map_err(|_| Refusal::Busy { retry_after: 0 })?;
        let (session, epoch, welcome) = Session::open(
            now,
            SessionId::new(name),
            self.server,
            self.settings.clone(),
            hello,
        );
        let held = self.hold(session, None, 0, now);
        held.line = Some((epoch, connection));
        held.dirty = true;
        held.news.moved = true;
        self.tally.update(|record| record.fresh += 1);
        let session = welcome.session;
        Ok((Seat { session, epoch }, welcome))
    }

    fn resume(
        &mut self,
        now: Instant,
        connection: usize,
        hello: &Hello,
    ) -> Result<Option<(Seat, Welcome)>, Refusal> {
        let Some(name) = hello.session else {
            return Ok(None);
        };
        let Some(held) = self.sessions.get_mut(&name) else {
            return Ok(None);
        };
        let resumed = match held.session.resume(now, self.server, hello) {
            Ok(resumed) => resumed,
            // A later connection has the session.
            Err(Denied::Overtaken { .. }) => return Err(Refusal::Busy { retry_after: 0 }),
            Err(_) => {
                // Neither end can use it any more, and a new one takes its place.
                held.session
                    .handle(now, Event::Command(Command::Disconnect));
                self.run(now, name, &mut Vec::new());
                let _ = self.settle_session(name);
                return Ok(None);
            }
        };
        held.before = held.line.replace((resumed.epoch, connection));
        held.news.got.extend(resumed.missed.map(Got::Gap));
        held.news.moved = true;
        held.dirty = true;
        let session = held.session.id();
        self.tally.update(|record| {
            record.resumed += 1;
            record.client(session).resumed += 1;
        });
        let epoch = resumed.epoch;
        Ok(Some((Seat { session, epoch }, resumed.welcome)))
    }

    /// A frame came in after the hello; what is to be answered at once goes to `replies`.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        seat: Seat,
        frame: &Frame<'_>,
        replies: &mut Vec<Vec<u8>>,
    ) -> Result<(), Refusal> {
        let Some(held) = self.sessions.get_mut(&seat.session) else {
            return Ok(());
        };
        match *frame {
            Frame::Data { .. } => {
                held.take(now, seat.epoch, frame);
            }
            Frame::Intent { number, .. } => {
                if held.take(now, seat.epoch, frame) && self.declines > 0 {
                    self.declines -= 1;
                    let detail = Detail::new("as was asked for");
                    replies.push(Frame::Decline { number, detail }.to_vec());
                }
            }
            Frame::Batch(batch) => {
                for part in batch.frames() {
                    self.hear(now, seat, &part, replies)?;
                }
            }
            Frame::Ack { sequence, intents } => {
                let ack = Ack::Through { sequence, intents };
                held.session.handle(now, Event::Acked(seat.epoch, ack));
            }
            Frame::Ping { nonce } => replies.push(Frame::Pong { nonce }.to_vec()),
            Frame::Pong { .. } => {}
            // These are the server's to say, and a hello comes once.
            Frame::Hello(_) | Frame::Welcome(_) | Frame::Refuse { .. } | Frame::Decline { .. } => {
                return Err(Refusal::Malformed);
            }
        }
        Ok(())
    }

    /// What a session has to say now, as frames; gives the last message among them.
    pub(super) fn say(
        &mut self,
        now: Instant,
        seat: Seat,
        frames: &mut Vec<Vec<u8>>,
    ) -> Option<MessageId> {
        if let Some(held) = self.sessions.get_mut(&seat.session) {
            held.feed(now, self.feed);
        }
        self.run(now, seat.session, frames)
    }

    /// The transport has everything up to this message.
    pub(super) fn flushed(&mut self, now: Instant, seat: Seat, through: MessageId) {
        if let Some(held) = self.sessions.get_mut(&seat.session) {
            held.session
                .handle(now, Event::Flushed(seat.epoch, through));
        }
    }

    /// The connection has ended.
    pub(super) fn left(&mut self, now: Instant, seat: Seat) {
        if let Some(held) = self.sessions.get_mut(&seat.session) {
            let ended = Closure::from(Cause::Lost);
            held.session.handle(now, Event::Closed(seat.epoch, ended));
            if held.line.is_some_and(|(epoch, _)| epoch == seat.epoch) {
                held.line = None;
                held.news.moved = true;
            }
        }
        let _ = self.settle(seat);
    }

    /// Writes down what has changed, then tells it. Until then nothing may be said.
    pub(super) fn settle(&mut self, seat: Seat) -> Result<(), Crashed> {
        self.settle_session(seat.session)
    }

    fn settle_session(&mut self, session: SessionId) -> Result<(), Crashed> {
        if self.crashed {
            return Err(Crashed);
        }
        let Some(held) = self.sessions.get_mut(&session) else {
            return Ok(());
        };
        while let Some(fate) = held.session.poll_fate() {
            held.news.fates.count(fate.outcome);
        }
        let over = held.session.is_over();
        if held.dirty && !over {
            if let Some(disk) = &mut self.disk {
                if held.write(disk, &self.tally).is_err() {
                    self.crashed = true;
                    return Err(Crashed);
                }
            }
        }
        held.dirty = false;
        if let Some(disk) = self.disk.as_ref().filter(|_| over) {
            // It may have ended before it was ever written.
            let _ = disk.remove(session);
        }
        if over || !held.news.is_empty() {
            let news = std::mem::take(&mut held.news);
            let open = held.line.is_some() && !over;
            self.tally
                .update(|record| record.enter(session, news, open, over));
        }
        if let Some(at) = held.alarm(self.feed).filter(|_| !over) {
            self.asked.push(Asked::Wake(held.slot, at));
        }
        if over {
            let slot = held.slot;
            self.slots.remove(&slot);
            self.sessions.remove(&session);
        }
        Ok(())
    }

    /// The timer of a slot has come: the connection that has to be driven, if there is one.
    pub(super) fn tick(&mut self, now: Instant, slot: usize) -> Option<usize> {
        let session = *self.slots.get(&slot)?;
        let held = self.sessions.get_mut(&session)?;
        held.session.handle(now, Event::Tick);
        self.turn(now, session)
    }

    /// The application sends a message.
    pub(super) fn send(
        &mut self,
        now: Instant,
        session: SessionId,
        content: Content,
        options: SendOptions,
    ) -> (Result<MessageId, RefusedReason>, Option<usize>) {
        let Some(held) = self.sessions.get_mut(&session) else {
            return (Err(RefusedReason::NoSession), None);
        };
        let sent = held.session.send(now, content, options);
        held.dirty |= sent.is_ok();
        let sent = sent.map_err(|refused| refused.reason);
        (sent, self.turn(now, session))
    }

    /// The application ends a session.
    pub(super) fn end(&mut self, now: Instant, session: SessionId) {
        if let Some(held) = self.sessions.get_mut(&session) {
            held.session
                .handle(now, Event::Command(Command::Disconnect));
            self.run(now, session, &mut Vec::new());
            let _ = self.settle_session(session);
        }
    }

    /// What came in was no frame.
    pub(super) fn refused(&self, error: WireError) {
        self.tally.update(|record| record.refused.push(error));
    }

    pub(super) fn set_feed(&mut self, now: Instant, feed: Option<Feed>) {
        self.feed = feed;
        for held in self.sessions.values_mut() {
            held.due = now;
        }
    }

    pub(super) fn set_refusal(&mut self, refusal: Option<Refusal>) {
        self.refusal = refusal;
    }

    pub(super) fn set_declines(&mut self, count: u64) {
        self.declines = count;
    }

    pub(super) fn tear(&mut self, after: u64, bytes: usize) -> bool {
        if let Some(disk) = &mut self.disk {
            disk.tear(after, bytes);
        }
        self.disk.is_some()
    }

    /// What was asked for since the last time.
    pub(super) fn asked(&mut self) -> Vec<Asked> {
        std::mem::take(&mut self.asked)
    }

    pub(super) const fn has_crashed(&self) -> bool {
        self.crashed
    }

    pub(super) fn slots(&self) -> Vec<usize> {
        self.slots.keys().copied().collect()
    }

    pub(super) fn names(&self) -> Vec<SessionId> {
        self.sessions.keys().copied().collect()
    }

    /// Lets a session go on: by its connection, which is to be driven, or without one.
    fn turn(&mut self, now: Instant, session: SessionId) -> Option<usize> {
        let held = self.sessions.get_mut(&session)?;
        if let Some((_, connection)) = held.line.filter(|_| !held.session.is_over()) {
            return Some(connection);
        }
        held.feed(now, self.feed);
        self.run(now, session, &mut Vec::new());
        let _ = self.settle_session(session);
        None
    }

    /// Carries out what a session asks for.
    fn run(
        &mut self,
        now: Instant,
        session: SessionId,
        frames: &mut Vec<Vec<u8>>,
    ) -> Option<MessageId> {
        let held = self.sessions.get_mut(&session)?;
        let mut last = None;
        while let Some(action) = held.session.poll_action() {
            match action {
                Action::SendAck {
                    sequence, intents, ..
                } => frames.push(Frame::Ack { sequence, intents }.to_vec()),
                Action::Flush(epoch) => last = held.flush(now, epoch, frames).or(last),
                Action::Abort(epoch) => {
                    let line = held.before.filter(|(before, _)| *before == epoch);
                    let asked = line.map(|(_, connection)| Asked::Abort(connection));
                    self.asked.extend(asked);
                }
                Action::Close(epoch) => {
                    let line = held.line.filter(|(now, _)| *now == epoch);
                    let asked = line.map(|(_, connection)| Asked::Close(connection));
                    self.asked.extend(asked);
                }
                _ => {}
            }
        }
        last
    }

    fn hold(
        &mut self,
        session: Session<Content>,
        pages: Option<Pages>,
        fed: u64,
        now: Instant,
    ) -> &mut Held {
        let slot = self.next_slot;
        self.next_slot += 1;
        let name = session.id();
        self.slots.insert(slot, name);
        if let Some(at) = session.poll_timeout() {
            self.asked.push(Asked::Wake(slot, at));
        }
        self.sessions
            .entry(name)
            .insert_entry(Held {
                session,
                slot,
                line: None,
                before: None,
                news: News::default(),
                dirty: false,
                pages,
                fed,
                due: now,
            })
            .into_mut()
    }
}
