//! What happens next: the words of a case as steps of the world.

use core::time::Duration;

use redial::session::SessionId;
use redial::{Command, Event, Instant};

use super::client::Want;
use super::draw::Draw;
use super::ledger::Item;
use super::net::Word;
use super::{Tested, World, law, tell};

impl World {
    /// One thing happens, and all that follows from it at once.
    pub fn step(&mut self, mut draw: Draw) -> Tested {
        let draw = &mut draw;
        let kind = draw.below(56);
        // In a calm world memory is rarely lost, and connections last.
        let calm = self.calm && !draw.once_in(8);
        match kind {
            28..=31 | 36..=38 if calm => self.settle_pipes(),
            0..=3 => self.open_line(),
            4..=8 => self.deliver(draw, true),
            9..=13 => self.deliver(draw, false),
            14..=18 => {
                for _ in 0..=draw.below(3) {
                    self.client_send(draw)?;
                }
                Ok(())
            }
            19..=22 => match self.some_session(draw) {
                Some(id) => {
                    for _ in 0..=draw.below(3) {
                        self.server_send(id, draw)?;
                    }
                    Ok(())
                }
                None => Ok(()),
            },
            23 | 24 => self.flush_client(draw.once_in(2)),
            25 | 26 => match self.some_session(draw) {
                Some(id) => self.flush_server(id, draw.once_in(2)),
                None => Ok(()),
            },
            27..=29 => self.cut(draw),
            30 => self.end_client(draw),
            31 => self.end_server(draw),
            32..=35 => self.pass(draw, calm),
            36 => self.command(draw),
            37 => self.restart_client(draw),
            38 => self.restart_server(draw),
            39 | 40 => self.declare(draw),
            41 => self.refuse(draw),
            43 => self.store(),
            44 => {
                self.client.room = draw.pick(&[0, 1, 3, usize::MAX]);
                Ok(())
            }
            45 => {
                if let Some(id) = self.some_session(draw) {
                    self.seat(id)?.room = draw.pick(&[0, 1, 3, usize::MAX]);
                }
                Ok(())
            }
            42 | 46 | 48 | 49 => self.take_back(draw),
            50 | 51 => {
                let (at, up) = (draw.count(self.pipes.len()), draw.once_in(2));
                let which = draw.count(3);
                if let Some(pipe) = self.pipes.iter_mut().rev().nth(at / 4) {
                    pipe.double(up, which);
                }
                Ok(())
            }
            // A quiet moment: all that is in transit arrives.
            _ => self.settle_pipes(),
        }
    }

    fn open_line(&mut self) -> Tested {
        if let Some((at, epoch)) = self.client.line(&self.pipes) {
            if !self.pipes[at].open {
                self.pipes[at].open = true;
                return self.client_opened(at, epoch);
            }
        }
        Ok(())
    }

    /// Some of what is in transit on some connection arrives.
    fn deliver(&mut self, draw: &mut Draw, up: bool) -> Tested {
        let holds = |at: &usize| {
            let pipe = &self.pipes[*at];
            let words = if up { &pipe.up } else { &pipe.down };
            !words.is_empty()
        };
        let filled: Vec<usize> = (0..self.pipes.len()).filter(holds).collect();
        if filled.is_empty() {
            return self.open_line();
        }
        let at = draw.pick(&filled);
        for _ in 0..=draw.below(6) {
            if !self.hand_over(at, up)? {
                break;
            }
        }
        Ok(())
    }

    fn hand_over(&mut self, at: usize, up: bool) -> Result<bool, String> {
        let pipe = &mut self.pipes[at];
        let word = if up {
            pipe.up.pop_front()
        } else {
            pipe.down.pop_front()
        };
        match word {
            None => return Ok(false),
            Some(word) if up => self.server_hears(at, word)?,
            Some(word) => self.client_hears(at, word)?,
        }
        Ok(true)
    }

    /// All that is in transit arrives, and ends are told.
    pub fn settle_pipes(&mut self) -> Tested {
        self.open_line()?;
        for at in 0..self.pipes.len() {
            // Not what is said meanwhile.
            let (up, down) = (self.pipes[at].up.len(), self.pipes[at].down.len());
            for _ in 0..up {
                self.hand_over(at, true)?;
            }
            for _ in 0..down {
                self.hand_over(at, false)?;
            }
            let pipe = &self.pipes[at];
            if pipe.cut && pipe.up.is_empty() && pipe.down.is_empty() {
                self.server_closed(at)?;
                self.client_closed(at)?;
            }
        }
        self.open_line()
    }

    /// A connection breaks.
    fn cut(&mut self, draw: &mut Draw) -> Tested {
        let whole = |at: &usize| !self.pipes[*at].cut;
        let whole: Vec<usize> = (0..self.pipes.len()).filter(whole).collect();
        if let Some(at) = whole.last() {
            let (up, down) = (self.pipes[*at].up.len(), self.pipes[*at].down.len());
            let (up, down) = (draw.count(up + 1), draw.count(down + 1));
            tell(|| format!("  {at} is cut, {up} and {down} words arrive"));
            self.pipes[*at].cut(up, down);
            if draw.once_in(2) {
                self.client_closed(*at)?;
            }
        }
        Ok(())
    }

    /// An end is told of its connection's end: the one that broke, or that just ends now.
    fn end_client(&mut self, draw: &mut Draw) -> Tested {
        match self.client.line(&self.pipes) {
            Some((at, _)) if self.pipes[at].cut || draw.once_in(3) => self.client_closed(at),
            _ => Ok(()),
        }
    }

    fn end_server(&mut self, draw: &mut Draw) -> Tested {
        let there = |at: &usize| self.pipes[*at].server && self.pipes[*at].cut;
        let there: Vec<usize> = (0..self.pipes.len()).filter(there).collect();
        if there.is_empty() {
            return Ok(());
        }
        let at = draw.pick(&there);
        self.server_closed(at)
    }

    fn pass(&mut self, draw: &mut Draw, calm: bool) -> Tested {
        let time = draw.pick(&[0, 1, 20, 60, 250, 1_000, 1_000, 5_000, 130_000]);
        let time = if calm { time.min(60) } else { time };
        let until = self.now + Duration::from_millis(time);
        // On time, or nobody is awake until then.
        if !draw.once_in(4) {
            for turn in 0.. {
                law(4, turn < 10_000, || {
                    format!("no end of ticks before {until:?}")
                })?;
                let Some(due) = self.due().filter(|due| *due <= until) else {
                    break;
                };
                self.now = self.now.max(due);
                self.tick()?;
            }
        }
        self.now = until;
        self.tick()
    }

    pub fn due(&self) -> Option<Instant> {
        let sessions = self.sessions.values();
        let sessions = sessions
            .filter_map(|seat| seat.session.poll_timeout())
            .min();
        let client = self.client.link.poll_timeout();
        client.into_iter().chain(sessions).min()
    }

    pub fn tick(&mut self) -> Tested {
        self.client_event(Event::Tick)?;
        for id in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.server_event(id, Event::Tick)?;
        }
        Ok(())
    }

    fn command(&mut self, draw: &mut Draw) -> Tested {
        let session = self.some_session(draw);
        match (draw.below(10), session) {
            (0, Some(id)) => self.server_event(id, Event::Command(Command::Disconnect)),
            (1, Some(id)) => self.server_event(id, Event::Command(Command::Clear)),
            (2, _) => self.client_event(Event::Command(Command::Clear)),
            (3, _) => self.client_event(Event::Command(Command::Disconnect)),
            (4, _) => self.client_event(Event::Command(Command::Drain(Duration::from_secs(3)))),
            (5 | 6, _) => self.client_event(Event::Command(Command::Reconnect)),
            _ => self.client_event(Event::Command(Command::Start)),
        }
    }

    fn declare(&mut self, draw: &mut Draw) -> Tested {
        if draw.once_in(3) && !self.client.wants.is_empty() {
            let which = draw.count(self.client.wants.len());
            let want = self.client.wants.remove(which);
            let back = self.client.link.withdraw(want.id);
            tell(|| format!("  client withdraws {want:?}: {back:?}"));
            return law(6, back.is_some_and(|item| item.index == want.index), || {
                format!("{want:?} was withdrawn as {back:?}")
            });
        }
        let index = self.client.declared;
        let item = Item {
            writer: self.client.writer,
            index,
            size: 1,
        };
        if let Ok(id) = self.client.link.declare(self.now, item) {
            tell(|| format!("  client declares {id:?}"));
            self.client.declared += 1;
            self.client.wants.push(Want {
                id,
                index,
                number: None,
                until: None,
            });
            return self.client_acts();
        }
        Ok(())
    }

    /// The server refuses an intent that it got.
    fn refuse(&mut self, draw: &mut Draw) -> Tested {
        let Some(id) = self.some_session(draw) else {
            return Ok(());
        };
        let wants = self.client.wants.clone();
        let current = self.client.session.map(|(session, _)| session) == Some(id);
        let seat = self.seat(id)?;
        let Some(pipe) = seat.pipe.filter(|_| current && !seat.session.is_over()) else {
            return Ok(());
        };
        let got = |entry: &&mut (usize, u32, u32)| entry.1 == entry.2 + 1;
        let Some(entry) = seat.reader.intents.iter_mut().rev().find(got) else {
            return Ok(());
        };
        let known = wants.iter().find(|want| want.index == entry.0);
        if let Some(number) = known.and_then(|want| want.number) {
            entry.2 += 1;
            tell(|| format!("  server refuses the intent with number {number}"));
            self.pipes[pipe].say_down(Word::Refuse(number));
        }
        Ok(())
    }

    /// The transport of the client knows that it did not write the last words, and ends.
    fn take_back(&mut self, draw: &mut Draw) -> Tested {
        let Some((at, epoch)) = self.client.line(&self.pipes) else {
            return Ok(());
        };
        if self.pipes[at].doubled {
            return self.client_closed(at);
        }
        let flushed = self.client.flushed.map_or(0, redial::MessageId::number);
        let up = &mut self.pipes[at].up;
        let last = up.iter().rev();
        let free = last.take_while(
            |word| matches!(word, Word::Message { item, .. } if item.index as u64 >= flushed),
        );
        let most = free.count();
        let taken = draw.count(most + 1);
        let back = up.split_off(up.len() - taken);
        let writer = self.client.writer;
        let mine = |item: &Item| item.writer == writer;
        if let Some(Word::Message { item, .. }) = back.front() {
            if mine(item) && self.client.link.state().is_up(epoch) {
                tell(|| format!("  client takes back from {item:?}"));
                self.writers[writer].taken_back(item.index, at);
                let from = redial::MessageId::from_number(item.index as u64 + 1);
                self.client.link.take_back(epoch, from);
            }
        }
        self.client_closed(at)
    }

    /// The stores have everything.
    pub fn store(&mut self) -> Tested {
        let last = self.writers[self.client.writer].letters.len() as u64;
        let last = redial::MessageId::from_number(last);
        self.client_event(Event::Stored(last))?;
        for id in self.sessions.keys().copied().collect::<Vec<_>>() {
            let writer = self.seat(id)?.writer;
            let last = self.writers[writer].letters.len() as u64;
            let last = redial::MessageId::from_number(last);
            self.server_event(id, Event::Stored(last))?;
        }
        Ok(())
    }

    /// The transport of the client has flushed, or takes more.
    pub fn flush_client(&mut self, all: bool) -> Tested {
        let Some((_, epoch)) = self.client.line(&self.pipes) else {
            return Ok(());
        };
        match self.client.committed {
            Some(last) if all => {
                // What was written before an intent is flushed with it.
                self.client.flushed = self.client.written;
                self.client_event(Event::Flushed(epoch, last))
            }
            _ => self.client_event(Event::Progress(epoch, 1)),
        }
    }

    pub fn flush_server(&mut self, id: SessionId, all: bool) -> Tested {
        let seat = self.seat(id)?;
        let Some(epoch) = seat.session.epoch() else {
            return Ok(());
        };
        match seat.committed {
            Some(last) if all => self.server_event(id, Event::Flushed(epoch, last)),
            _ => self.server_event(id, Event::Progress(epoch, 1)),
        }
    }

    fn some_session(&self, draw: &mut Draw) -> Option<SessionId> {
        // Mostly the one that is in use.
        let current = self.client.session.map(|(id, _)| id);
        let current = current.filter(|id| self.sessions.contains_key(id));
        let which = draw.count(self.sessions.len());
        let other = self.sessions.keys().nth(which).copied();
        if draw.once_in(5) {
            other
        } else {
            current.or(other)
        }
    }
}
