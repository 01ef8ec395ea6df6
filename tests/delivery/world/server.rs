//! The server's driver, with its sessions and their applications.

use redial::inbox::{Gap, Header, Inbound};
use redial::server::{Denied, Session};
use redial::session::SessionId;
use redial::{Ack, Action, Command, Epoch, Event, Hello, Instant, MessageId};

use super::draw::{Draw, Terms};
use super::ledger::{Item, Reader, Writer};
use super::net::Word;
use super::{Tested, World, law, tell};

/// A session, its writing and its reading application.
#[derive(Clone)]
pub struct Seat {
    pub session: Session<Item>,
    pub writer: usize,
    pub reader: Reader,
    /// The pipe of its connection, and the newest one that it ever had.
    pub pipe: Option<usize>,
    pub newest: usize,
    pub committed: Option<MessageId>,
    pub room: usize,
    pub owes: Option<Instant>,
    /// When its client has been away for too long.
    pub expires: Option<Instant>,
}

impl World {
    /// A word of the client arrives.
    pub fn server_hears(&mut self, at: usize, word: Word) -> Tested {
        if !self.pipes[at].server {
            return Ok(());
        }
        tell(|| format!("  server hears {word:?} on {at}"));
        if let Word::Hello(hello) = word {
            return self.server_greeted(at, &hello);
        }
        let Some((id, epoch)) = self.pipes[at].seat else {
            return Ok(());
        };
        match word {
            Word::Message {
                item,
                sequence,
                resent,
            } => self.server_reads(id, epoch, item, sequence, resent)?,
            Word::Intent { number, index } => {
                let header = Header::Intent(number);
                let now = self.now;
                let seat = self.seat(id)?;
                match seat.session.receive(now, epoch, header, 1) {
                    Inbound::Deliver => seat.reader.intent(index)?,
                    Inbound::Duplicate | Inbound::Stale => {}
                    Inbound::Gap(gap) => {
                        return Err(format!("law 8: {gap:?} among intents"));
                    }
                }
                seat.owes.get_or_insert(now);
            }
            Word::Ack { sequence, intents } => {
                let ack = Ack::Through { sequence, intents };
                self.server_event(id, Event::Acked(epoch, ack))?;
            }
            Word::Bye => return self.server_closed(at),
            Word::Hello(_) | Word::Welcome(_) | Word::Refuse(_) => {}
        }
        self.server_acts(id)
    }

    fn server_greeted(&mut self, at: usize, hello: &Hello) -> Tested {
        if let Some(id) = hello.session.filter(|id| self.sessions.contains_key(id)) {
            let (server, now) = (self.server, self.now);
            let seat = self.seat(id)?;
            let gone = seat.session.is_over() || seat.expires.is_some_and(|end| end <= now);
            match seat.session.resume(now, server, hello) {
                Ok(resumed) => {
                    law(8, !gone, || format!("{id:?} is resumed after its end"))?;
                    let seat = self.seat(id)?;
                    let old = seat.pipe.replace(at);
                    law(8, at > seat.newest, || {
                        format!(
                            "{hello:?} of {at} takes the session back from {}",
                            seat.newest
                        )
                    })?;
                    seat.newest = at;
                    law(8, resumed.forgotten.is_none(), || {
                        format!("{resumed:?}, and nothing was forgotten")
                    })?;
                    (seat.owes, seat.expires, seat.committed) = (None, None, None);
                    let writer = seat.writer;
                    self.writers[writer].lost();
                    if let Some(old) = old {
                        let epoch = self.pipes[old].seat.map(|(_, epoch)| epoch);
                        let told = self.seat(id)?.session.poll_action();
                        law(1, told == epoch.map(Action::Abort), || {
                            format!("{told:?} where {epoch:?} is replaced")
                        })?;
                        self.pipes[old].leave_server();
                    }
                    if let Some(gap) = resumed.missed {
                        self.server_missed(id, gap)?;
                    }
                    let next = self.seat(id)?.reader.next;
                    law(8, next >= hello.first && resumed.welcome.resumed, || {
                        format!("{hello:?}: {next} is next, and what is missing was not told")
                    })?;
                    law(8, resumed.welcome.last_seen == next - 1, || {
                        format!("{:?}, {next} is next", resumed.welcome)
                    })?;
                    self.pipes[at].seat = Some((id, resumed.epoch));
                    self.pipes[at].say_down(Word::Welcome(resumed.welcome));
                    return self.server_acts(id);
                }
                // It speaks of the past, and nobody waits for an answer.
                Err(Denied::Overtaken { .. }) if !gone => {
                    law(8, at < seat.newest, || {
                        format!("{hello:?} of {at} is the newest, and was turned away")
                    })?;
                    return self.server_acts(id);
                }
                Err(denied) => {
                    law(8, gone && denied == Denied::Over, || {
                        format!("{id:?} is not resumed: {denied:?}")
                    })?;
                    self.server_acts(id)?;
                }
            }
        }
        self.names += 1;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.names.to_le_bytes());
        let id = SessionId::new(bytes);
        let settings = self.settings.clone();
        let (session, epoch, welcome) = Session::open(self.now, id, self.server, settings, hello);
        self.writers.push(Writer::default());
        let seat = Seat {
            session,
            writer: self.writers.len() - 1,
            reader: Reader::new(self.client.writer, hello.first),
            pipe: Some(at),
            newest: at,
            committed: None,
            room: usize::MAX,
            owes: None,
            expires: None,
        };
        self.sessions.insert(id, seat);
        self.pipes[at].seat = Some((id, epoch));
        self.pipes[at].say_down(Word::Welcome(welcome));
        self.server_acts(id)
    }

    fn server_reads(
        &mut self,
        id: SessionId,
        epoch: Epoch,
        item: Item,
        sequence: Option<u64>,
        resent: bool,
    ) -> Tested {
        let now = self.now;
        let seat = self.seat(id)?;
        let current = seat.session.epoch() == Some(epoch);
        if let Some(sequence) = sequence {
            let header = Header::Sequence(sequence);
            match seat.session.receive(now, epoch, header, item.size) {
                Inbound::Deliver => {}
                Inbound::Gap(gap) => self.server_missed(id, gap)?,
                Inbound::Duplicate => {
                    let next = seat.reader.next;
                    return law(8, sequence < next, || {
                        format!("{sequence} is a duplicate, {next} is next")
                    });
                }
                Inbound::Stale => {
                    let gone = !current || seat.session.is_over();
                    return law(8, gone, || format!("{sequence} is stale on {epoch}"));
                }
            }
            self.seat(id)?.owes.get_or_insert(now);
        } else if !current {
            return Ok(());
        }
        let writer = &mut self.writers[item.writer];
        let seat = self.sessions.get_mut(&id).ok_or("no session")?;
        seat.reader.got(item, sequence, resent, writer)
    }

    fn server_missed(&mut self, id: SessionId, gap: Gap) -> Tested {
        let seat = self.sessions.get_mut(&id).ok_or("no session")?;
        let writer = &self.writers[seat.reader.writer];
        seat.reader.missed(gap, writer)
    }

    pub fn server_send(&mut self, id: SessionId, draw: &mut Draw) -> Tested {
        let terms = Terms::new(draw);
        let now = self.now;
        let writer = self.seat(id)?.writer;
        let item = Item {
            writer,
            index: self.writers[writer].letters.len(),
            size: terms.size,
        };
        let seat = self.seat(id)?;
        let taken = seat.session.send(now, item, terms.options());
        tell(|| format!("  server sends {terms:?} in {id:?}: {taken:?}"));
        match taken {
            Ok(message) => {
                let limits = seat.session.settings().outbox.clone();
                law(9, !seat.session.is_over(), || {
                    "accepted after the end".into()
                })?;
                self.writers[writer].accepted(message, item, terms, &limits, now)?;
            }
            Err(refused) => {
                law(6, refused.payload == item, || {
                    "another payload came back".into()
                })?;
            }
        }
        self.server_acts(id)
    }

    pub fn server_event(&mut self, id: SessionId, event: Event) -> Tested {
        let now = self.now;
        if event != Event::Tick {
            tell(|| format!("  server {now:?}: {event:?} in {id:?}"));
        }
        let seat = self.seat(id)?;
        let writer = seat.writer;
        seat.session.handle(now, event);
        if event == Event::Command(Command::Clear) {
            self.writers[writer].cleared = self.writers[writer].letters.len();
        }
        self.server_acts(id)
    }

    /// The server is told that a connection ended.
    pub fn server_closed(&mut self, at: usize) -> Tested {
        let seat = self.pipes[at].seat;
        self.pipes[at].leave_server();
        let Some((id, epoch)) = seat else {
            return Ok(());
        };
        if let Some(seat) = self
            .sessions
            .get_mut(&id)
            .filter(|seat| seat.pipe == Some(at))
        {
            seat.pipe = None;
            let window = seat.session.settings().window;
            seat.expires = Some(self.now + window).filter(|_| !seat.session.is_over());
            (seat.committed, seat.owes) = (None, None);
            self.writers[seat.writer].lost();
        }
        if !self.sessions.contains_key(&id) {
            return Ok(());
        }
        self.server_event(id, Event::Closed(epoch, redial::Cause::Lost.into()))
    }

    pub fn server_acts(&mut self, id: SessionId) -> Tested {
        for turn in 0.. {
            law(11, turn < 100, || "actions of a session without end".into())?;
            let seat = self.seat(id)?;
            let Some(action) = seat.session.poll_action() else {
                break;
            };
            tell(|| format!("    {id:?} {action:?}"));
            let pipe = seat.pipe;
            match action {
                Action::SendAck {
                    epoch,
                    sequence,
                    intents,
                } => {
                    let next = seat.reader.next;
                    law(8, sequence + 1 == next, || {
                        format!("acknowledges {sequence}, {next} is next")
                    })?;
                    seat.owes = None;
                    let at = self.on(pipe, epoch)?;
                    self.pipes[at].say_down(Word::Ack { sequence, intents });
                }
                Action::Flush(epoch) => {
                    let at = self.on(pipe, epoch)?;
                    self.server_writes(id, at, epoch)?;
                }
                Action::Close(epoch) => {
                    let at = self.on(pipe, epoch)?;
                    self.pipes[at].say_down(Word::Bye);
                    self.pipes[at].leave_server();
                    self.seat(id)?.pipe = None;
                }
                other => return Err(format!("law 1: {other:?} of a session")),
            }
        }
        let over = {
            let seat = self.seat(id)?;
            let writer = seat.writer;
            let over = seat.session.is_over();
            if over {
                seat.expires = None;
                let writer = &mut self.writers[writer];
                (writer.unsure, writer.ended) = (true, writer.letters.len());
                writer.lost();
            }
            over
        };
        self.server_fates(id)?;
        let seat = self.seat(id)?;
        law(6, !over || seat.session.outbox().is_empty(), || {
            format!("{id:?} is over, and messages have no fate")
        })
    }

    fn server_fates(&mut self, id: SessionId) -> Tested {
        let now = self.now;
        let seat = self.sessions.get_mut(&id).ok_or("no session")?;
        let limits = seat.session.settings().outbox.clone();
        let writer = &mut self.writers[seat.writer];
        while let Some(fate) = seat.session.poll_fate() {
            tell(|| format!("    {id:?}'s {} is {:?}", fate.id, fate.outcome));
            writer.fate(&fate, &limits, now)?;
        }
        Ok(())
    }

    fn server_writes(&mut self, id: SessionId, at: usize, epoch: Epoch) -> Tested {
        let now = self.now;
        while self.seat(id)?.room > 0 {
            let Some(next) = self.seat(id)?.session.peek(now, epoch) else {
                break;
            };
            let (message, item, sequence) = (next.id, *next.payload, next.sequence);
            let (intent, resent) = (next.intent, next.resent);
            self.server_fates(id)?;
            tell(|| format!("      server writes {item:?} {sequence:?}"));
            law(8, intent.is_none() && !resent, || {
                format!("a server's {item:?} is an intent or resent")
            })?;
            let writer = self.seat(id)?.writer;
            self.writers[writer].offered(item, sequence, resent, at)?;
            self.writers[writer].committed(item.index, at);
            self.pipes[at].say_down(Word::Message {
                item,
                sequence,
                resent,
            });
            let seat = self.seat(id)?;
            let done = seat.session.commit(now, epoch, message);
            law(6, done, || {
                format!("{message} was offered and not committed")
            })?;
            seat.committed = Some(message);
            seat.room -= 1;
        }
        self.server_fates(id)
    }

    /// The pipe at which the session sits, by the epoch that it names.
    fn on(&self, pipe: Option<usize>, epoch: Epoch) -> Result<usize, String> {
        let seated = |at: &usize| {
            self.pipes[*at]
                .seat
                .is_some_and(|(_, named)| named == epoch)
        };
        pipe.filter(seated)
            .ok_or_else(|| format!("law 1: epoch {epoch} of a session is named, on {pipe:?}"))
    }

    pub fn seat(&mut self, id: SessionId) -> Result<&mut Seat, String> {
        self.sessions
            .get_mut(&id)
            .ok_or_else(|| format!("there is no session {id:?}"))
    }
}
