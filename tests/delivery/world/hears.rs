//! What the client hears of the server, and whether what it makes of it is right.

use redial::inbox::{Gap, Header, Inbound};
use redial::session::{Fresh, Resumption};
use redial::{Ack, Epoch, Event, Frame, Phase, Welcome};

use super::draw::INTENT_RETRY;
use super::ledger::{Item, Letter, Reader};
use super::net::Word;
use super::{Tested, World, law, tell};

impl World {
    /// A word of the server arrives.
    pub fn client_hears(&mut self, at: usize, word: Word) -> Tested {
        let Some(epoch) = self.pipes[at].client else {
            return Ok(());
        };
        tell(|| format!("  client hears {word:?} on {at}"));
        match word {
            Word::Welcome(welcome) => self.client_welcomed(epoch, &welcome)?,
            Word::Message {
                item,
                sequence,
                resent,
            } => {
                self.client_event(Event::Frame(epoch, Frame::Data))?;
                self.client_reads(epoch, item, sequence, resent)?;
            }
            Word::Ack { sequence, intents } => {
                let ack = Ack::Through { sequence, intents };
                self.client_event(Event::Acked(epoch, ack))?;
            }
            Word::Refuse(number) => {
                let refused = self.client.link.refuse_intent(self.now, epoch, number);
                let until = self.now + INTENT_RETRY;
                let heard = self.client.greeted == Some(at);
                let mut wants = self.client.wants.iter_mut();
                let want = wants.find(|want| heard && want.number == Some(number));
                law(8, refused == want.is_some(), || {
                    format!("the refusal of {number} is {refused}, it names {want:?}")
                })?;
                if let Some(want) = want {
                    want.number = None;
                    want.until = Some(until);
                }
            }
            Word::Bye => return self.client_closed(at),
            Word::Hello(_) | Word::Intent { .. } => {}
        }
        self.client_acts()
    }

    fn client_welcomed(&mut self, epoch: Epoch, welcome: &Welcome) -> Tested {
        let (held, server) = (self.client.session, welcome.server);
        let restarted = held.is_some_and(|(_, before)| before != server);
        let before = self.client.link.outbox().account().1;
        let Some(told) = self.client.link.welcome(self.now, epoch, welcome) else {
            // Late for a connection that is closed already.
            let phase = self.client.link.phase();
            return law(8, phase == Phase::Closing, || {
                format!("{welcome:?} was not taken in {phase}")
            });
        };
        tell(|| format!("    client is told {told:?}"));
        let unknown = self.client.link.outbox().account().1 - before;
        law(8, told.restarted() == restarted, || {
            format!("{told:?}, the server before was {held:?}")
        })?;
        let (offered, unanswered) = (self.client.offering, self.client.unanswered);
        self.client.offering = false;
        self.client.unanswered = 0;
        match told {
            Resumption::Resumed {
                missed, forgotten, ..
            } => {
                law(8, welcome.resumed && forgotten.is_none(), || {
                    format!("{told:?} by {welcome:?}")
                })?;
                if let Some(gap) = missed {
                    self.client_missed(gap)?;
                }
                let next = self.client.reader.as_ref().map(|reader| reader.next);
                law(8, next.is_some_and(|next| next >= welcome.first), || {
                    format!("{next:?} is next, {welcome:?}: what is missing was not told")
                })?;
                for want in &mut self.client.wants {
                    want.number = want.number.filter(|number| *number <= welcome.intents);
                }
            }
            Resumption::Fresh {
                reason,
                unknown: told_unknown,
                resent,
                ..
            } => {
                let most = u32::from(self.attempts);
                let likely = match reason {
                    Fresh::First => held.is_none(),
                    Fresh::Forgotten => held.is_some() && offered,
                    Fresh::GaveUp => held.is_some() && !offered && unanswered >= most,
                    _ => false,
                };
                law(8, likely && !welcome.resumed, || {
                    format!("{told:?} by {welcome:?}, {held:?}, {unanswered} unanswered")
                })?;
                let writer = &mut self.writers[self.client.writer];
                writer.fresh();
                let again = |l: &&Letter| l.fate.is_none() && l.resent;
                let open = writer.letters.iter().filter(again).count();
                let sum = told_unknown + resent;
                let right = sum == open && unknown == told_unknown as u64;
                law(8, right && (told_unknown == 0 || resent == 0), || {
                    format!("{told:?}, and {open} were open, {unknown} got a fate")
                })?;
                let writer = self.sessions.get(&welcome.session).map(|seat| seat.writer);
                let Some(writer) = writer.or_else(|| self.past.get(&welcome.session).copied())
                else {
                    return Err(format!("law 8: {welcome:?} names no session"));
                };
                self.client.reader = Some(Reader::new(writer, welcome.first));
                self.client.numbers = 0;
                for want in &mut self.client.wants {
                    want.number = None;
                }
            }
        }
        self.client.session = Some((welcome.session, server));
        self.client.greeted = self.client.pipe;
        self.client_fates()
    }

    fn client_missed(&mut self, gap: Gap) -> Tested {
        let Some(reader) = &mut self.client.reader else {
            return Err(format!("law 8: {gap:?} where nothing was read"));
        };
        reader.missed(gap, &self.writers[reader.writer])
    }

    fn client_reads(
        &mut self,
        epoch: Epoch,
        item: Item,
        sequence: Option<u64>,
        resent: bool,
    ) -> Tested {
        if let Some(sequence) = sequence {
            let header = Header::Sequence(sequence);
            let link = &mut self.client.link;
            match link.receive(self.now, epoch, header, item.size) {
                Inbound::Deliver => {}
                Inbound::Gap(gap) => self.client_missed(gap)?,
                Inbound::Duplicate => {
                    let next = self.client.reader.as_ref().map(|reader| reader.next);
                    return law(8, next.is_some_and(|next| sequence < next), || {
                        format!("{sequence} is a duplicate, {next:?} is next")
                    });
                }
                Inbound::Stale => {
                    let up = self.client.link.state().is_up(epoch);
                    return law(8, !up, || format!("{sequence} is stale while connected"));
                }
            }
            let now = self.now;
            self.client.owes.get_or_insert(now);
        } else if !self.client.link.state().is_up(epoch) {
            // Without a place it is for the driver to drop.
            return Ok(());
        }
        let told = self.client.greeted == self.client.pipe;
        let Some(reader) = self.client.reader.as_mut().filter(|_| told) else {
            return Err(format!("law 8: {item:?} came before its session was told"));
        };
        reader.got(item, sequence, resent, &mut self.writers[item.writer])
    }
}
