//! The client's driver, its application, and what the model expects of them.

use redial::outbox::RefusedReason;
use redial::rng::{Seed, Seeded};
use redial::session::{ServerId, SessionId};
use redial::{Action, Command, Config, Epoch, Event, Instant, IntentId, Link, MessageId, Phase};

use super::draw::{Draw, Terms};
use super::ledger::{Item, Reader};
use super::net::{Pipe, Word};
use super::{Tested, World, law, tell};

/// An intent as the application sees it.
#[derive(Clone, Debug)]
pub struct Want {
    pub id: IntentId,
    pub index: usize,
    /// Its number in this session, once it is written.
    pub number: Option<u64>,
    /// Refused: it waits until then.
    pub until: Option<Instant>,
}

pub struct Client {
    pub link: Link<Item, Seeded>,
    pub writer: usize,
    pub reader: Option<Reader>,
    pub session: Option<(SessionId, ServerId)>,
    pub wants: Vec<Want>,
    pub declared: usize,
    /// How far the transport has flushed.
    pub flushed: Option<MessageId>,
    /// The highest number of an intent in this session.
    pub numbers: u64,
    /// The pipe of the last dial, and the last one that was welcomed.
    pub pipe: Option<usize>,
    pub greeted: Option<usize>,
    pub committed: Option<MessageId>,
    /// The last message among what was.
    pub written: Option<MessageId>,
    /// Hellos that asked for the session and were not answered.
    pub unanswered: u32,
    pub offering: bool,
    /// How many more messages the transport takes.
    pub room: usize,
    /// Since when something received is not acknowledged.
    pub owes: Option<Instant>,
    pub lives: u64,
}

impl Client {
    pub fn new(config: Config, writer: usize, lives: u64) -> Self {
        Self {
            link: Link::new(config, Seeded::new(Seed::from_number(7), lives)),
            writer,
            reader: None,
            session: None,
            wants: Vec::new(),
            declared: 0,
            numbers: 0,
            pipe: None,
            greeted: None,
            committed: None,
            written: None,
            flushed: None,
            unanswered: 0,
            offering: false,
            room: usize::MAX,
            owes: None,
            lives,
        }
    }

    /// The pipe of the connection that is alive, with its epoch.
    pub fn line(&self, pipes: &[Pipe]) -> Option<(usize, Epoch)> {
        let at = self.pipe?;
        pipes[at].client.map(|epoch| (at, epoch))
    }
}

impl World {
    pub fn client_event(&mut self, event: Event) -> Tested {
        tell(|| format!("  client {:?}: {event:?}", self.now));
        if let Event::Command(command) = event {
            let writer = &mut self.writers[self.client.writer];
            let all = writer.letters.len();
            match command {
                Command::Clear => writer.cleared = all,
                Command::Disconnect | Command::Drain(_) => {
                    writer.ended = all;
                    writer.unsure = true;
                }
                _ => {}
            }
        }
        self.client.link.handle(self.now, event);
        self.client_acts()
    }

    /// The connection of the client ends, by what it is told.
    pub fn client_closed(&mut self, at: usize) -> Tested {
        let Some(epoch) = self.pipes[at].client else {
            return Ok(());
        };
        self.pipes[at].leave_client();
        self.client_event(Event::Closed(epoch, redial::Cause::Lost.into()))
    }

    pub fn client_send(&mut self, draw: &mut Draw) -> Tested {
        let terms = Terms::new(draw);
        let writer = self.client.writer;
        let index = self.writers[writer].letters.len();
        let item = Item {
            writer,
            index,
            size: terms.size,
        };
        let limits = self.client.link.config().outbox().clone();
        let phase = self.client.link.phase();
        let sent = self.client.link.send(self.now, item, terms.options());
        tell(|| format!("  client sends {terms:?}: {sent:?}"));
        match sent {
            Ok(id) => {
                let open = !phase.is_final() && phase != Phase::Closing && phase != Phase::Draining;
                law(9, open, || format!("accepted in {phase}"))?;
                self.writers[writer].accepted(id, item, terms, &limits, self.now)?;
            }
            Err(refused) => {
                law(6, refused.payload == item, || {
                    "another payload came back".into()
                })?;
                let known = refused.reason != RefusedReason::NoSession;
                law(6, known, || "there is a session".into())?;
            }
        }
        self.client_acts()
    }

    /// The driver takes every action, writes, and takes every fate.
    pub fn client_acts(&mut self) -> Tested {
        for turn in 0.. {
            law(11, turn < 100, || "actions of a client without end".into())?;
            let Some(action) = self.client.link.poll_action() else {
                break;
            };
            tell(|| format!("    client {action:?}"));
            match action {
                Action::Connect { epoch, .. } => {
                    self.client_lost();
                    self.pipes.push(Pipe::new(epoch));
                    self.client.pipe = Some(self.pipes.len() - 1);
                }
                Action::Abort(epoch) => {
                    if let Some((at, alive)) = self.client.line(&self.pipes) {
                        law(1, alive == epoch, || {
                            format!("abort of {epoch}, not {alive}")
                        })?;
                        self.pipes[at].leave_client();
                    }
                }
                Action::Close(epoch) => {
                    if let Some((at, _)) = self.client.line(&self.pipes).filter(|l| l.1 == epoch) {
                        self.pipes[at].say_up(Word::Bye);
                    }
                }
                Action::SendAck {
                    epoch,
                    sequence,
                    intents,
                } => {
                    self.client.owes = None;
                    let next = self.client.reader.as_ref().map(|reader| reader.next);
                    law(8, next == Some(sequence + 1) && intents == 0, || {
                        format!("acknowledges {sequence}, {next:?} is next")
                    })?;
                    let line = self.client.line(&self.pipes);
                    law(1, line.is_some_and(|l| l.1 == epoch), || {
                        format!("acknowledges on {epoch}, alive is {line:?}")
                    })?;
                    if let Some((at, _)) = line {
                        self.pipes[at].say_up(Word::Ack { sequence, intents });
                    }
                }
                Action::Flush(epoch) => self.client_writes(epoch)?,
                _ => {}
            }
        }
        if self.client.line(&self.pipes).is_none() {
            self.client_lost();
        }
        let phase = self.client.link.phase();
        let ended = matches!(phase, Phase::Closed | Phase::Closing);
        if ended {
            let writer = &mut self.writers[self.client.writer];
            writer.ended = writer.letters.len();
            writer.unsure = true;
        }
        self.client_fates()?;
        if !ended {
            self.writers[self.client.writer].unsure = false;
        }
        Ok(())
    }

    pub fn client_fates(&mut self) -> Tested {
        let limits = self.client.link.config().outbox().clone();
        let writer = &mut self.writers[self.client.writer];
        while let Some(fate) = self.client.link.poll_fate() {
            tell(|| format!("    client's {} is {:?}", fate.id, fate.outcome));
            writer.fate(&fate, &limits, self.now)?;
        }
        Ok(())
    }

    fn client_lost(&mut self) {
        self.writers[self.client.writer].lost();
        self.client.committed = None;
        self.client.written = None;
        self.client.flushed = None;
        self.client.owes = None;
        if core::mem::take(&mut self.client.offering) {
            self.client.unanswered += 1;
        }
    }

    fn client_writes(&mut self, epoch: Epoch) -> Tested {
        let Some((at, _)) = self.client.line(&self.pipes).filter(|line| line.1 == epoch) else {
            return Ok(());
        };
        while self.client.room > 0 {
            let Some(next) = self.client.link.peek(self.now, epoch) else {
                break;
            };
            let (id, item, sequence) = (next.id, *next.payload, next.sequence);
            let (intent, resent) = (next.intent, next.resent);
            // What was due by now may have got its fate.
            self.client_fates()?;
            tell(|| format!("      client writes {item:?} {sequence:?} {intent:?}"));
            if let Some(number) = intent {
                self.client_writes_intent(number, item)?;
                self.pipes[at].say_up(Word::Intent {
                    number,
                    index: item.index,
                });
            } else {
                let now = self.now;
                let due = |w: &&Want| w.number.is_none() && w.until.is_none_or(|at| at <= now);
                let before = self.client.wants.iter().find(due);
                law(8, before.is_none(), || {
                    format!("{item:?} is written before {before:?}")
                })?;
                let writer = &mut self.writers[self.client.writer];
                writer.offered(item, sequence, resent, at)?;
                writer.committed(item.index, at);
                self.pipes[at].say_up(Word::Message {
                    item,
                    sequence,
                    resent,
                });
            }
            let done = self.client.link.commit(self.now, epoch, id);
            law(6, done, || format!("{id} was offered and not committed"))?;
            self.client.committed = Some(id);
            if id.intent().is_none() {
                self.client.written = Some(id);
            }
            self.client.room -= 1;
        }
        self.client_fates()
    }

    fn client_writes_intent(&mut self, number: u64, item: Item) -> Tested {
        let now = self.now;
        let due = |w: &&mut Want| w.number.is_none() && w.until.is_none_or(|at| at <= now);
        let next = self.client.wants.iter_mut().find(due);
        let Some(next) = next.filter(|want| want.index == item.index) else {
            return Err(format!("law 8: intent {item:?} is written out of its turn"));
        };
        let numbers = self.client.numbers;
        law(8, number > numbers, || {
            format!("intent {item:?} has number {number} after {numbers}")
        })?;
        self.client.numbers = number;
        next.number = Some(number);
        next.until = None;
        Ok(())
    }

    /// The transport has opened: the hello is said.
    pub fn client_opened(&mut self, at: usize, epoch: Epoch) -> Tested {
        self.client_event(Event::Opened(epoch))?;
        if let Some(hello) = self.client.link.hello(epoch) {
            tell(|| format!("    client says {hello:?}"));
            let known = self.client.session.map(|(id, _)| id);
            law(8, hello.session.is_none() || hello.session == known, || {
                format!("{hello:?}, the session is {known:?}")
            })?;
            let next = self.client.reader.as_ref().map_or(1, |reader| reader.next);
            let seen = hello.session.map_or(0, |_| next - 1);
            law(8, hello.last_seen == seen, || {
                format!("{hello:?}, {next} is the next")
            })?;
            let writer = &self.writers[self.client.writer];
            let mut open = writer.letters.iter().filter(|letter| letter.fate.is_none());
            let first = open.find_map(|letter| letter.sequence);
            let first = first.unwrap_or(writer.sequences + 1);
            law(8, hello.first == first, || {
                format!("{hello:?}, the first open one is {first}")
            })?;
            self.client.offering = hello.session.is_some();
            self.pipes[at].say_up(Word::Hello(hello));
        }
        Ok(())
    }
}
