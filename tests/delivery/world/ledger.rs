//! The reference model: what each application sent and what each got, in plain lists.
//!
//! It knows no windows, cursors or cadences, only promises: what may become of a message, what a
//! reader may be given next.

use redial::inbox::Gap;
use redial::outbox::{DropReason, Limits, Overflow};
use redial::{Fate, Instant, MessageId, Outcome, Payload};

use super::draw::Terms;
use super::{Tested, law};

/// A message, or an intent: who wrote it and its place in the writer's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Item {
    pub writer: usize,
    pub index: usize,
    pub size: usize,
}

impl Payload for Item {
    fn size(&self) -> usize {
        self.size
    }
}

/// A message that an application sent.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its place among the acknowledged ones.
    pub sequence: Option<u64>,
    pub volatile: bool,
    pub expires: Option<Instant>,
    /// On which connection it was given to the transport, as far as it is still there.
    pub on: Option<usize>,
    /// How often it was given to a transport, and not taken back.
    pub out: u32,
    pub tries: u16,
    pub fate: Option<Outcome>,
    /// How often the other application got it.
    pub got: u32,
    /// It may have been sent in a session that is gone.
    pub resent: bool,
}

/// One writing application: a client's life, or a server's session.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    pub letters: Vec<Letter>,
    pub sequences: u64,
    /// What was accepted before a clear.
    pub cleared: usize,
    /// The queue was handed back: what was accepted before an end.
    pub ended: usize,
    /// Acknowledged messages may be unknown now: a fresh session, or the end.
    pub unsure: bool,
    /// The memory is gone: its messages have no fate any more.
    pub wiped: bool,
}

impl Writer {
    pub fn accepted(
        &mut self,
        id: MessageId,
        item: Item,
        terms: Terms,
        limits: &Limits,
        now: Instant,
    ) -> Tested {
        law(6, id.number() == item.index as u64 + 1, || {
            format!("message {id} where {} was the next", item.index + 1)
        })?;
        let sequence = terms.is_acknowledged(limits).then(|| {
            self.sequences += 1;
            self.sequences
        });
        self.letters.push(Letter {
            sequence,
            volatile: terms.is_volatile(),
            expires: terms.expires(limits, now),
            on: None,
            out: 0,
            tries: 0,
            fate: None,
            got: 0,
            resent: false,
        });
        Ok(())
    }

    /// The outbox offers this one on connection `on`: is it the next?
    pub fn offered(&self, item: Item, sequence: Option<u64>, resent: bool, on: usize) -> Tested {
        let mut waiting = self.letters.iter().enumerate();
        let first = waiting.find(|(_, letter)| letter.fate.is_none() && letter.on != Some(on));
        law(7, first.is_some_and(|(at, _)| at == item.index), || {
            format!("{item:?} is offered where {first:?} is next")
        })?;
        let letter = &self.letters[item.index];
        law(8, letter.sequence == sequence, || {
            format!("{item:?} is offered as {sequence:?}, and is {letter:?}")
        })?;
        law(8, letter.resent == resent, || {
            format!("{item:?} is offered with resent {resent}: {letter:?}")
        })
    }

    pub fn committed(&mut self, index: usize, on: usize) {
        let letter = &mut self.letters[index];
        letter.on = Some(on);
        letter.out += 1;
        letter.tries += 1;
    }

    /// The transport says that it did not write this one and those after it.
    pub fn taken_back(&mut self, from: usize, on: usize) {
        for letter in self.letters.iter_mut().skip(from) {
            if letter.on == Some(on) {
                letter.on = None;
                letter.out -= 1;
            }
        }
    }

    /// The connection is gone.
    pub fn lost(&mut self) {
        for letter in &mut self.letters {
            letter.on = None;
        }
    }

    /// The session is a new one.
    pub fn fresh(&mut self) {
        self.unsure = true;
        for letter in &mut self.letters {
            letter.resent |= letter.fate.is_none() && letter.out > 0 && letter.sequence.is_some();
        }
    }

    /// A fate was taken: is it one that this message can have?
    pub fn fate(&mut self, fate: &Fate<Item>, limits: &Limits, now: Instant) -> Tested {
        let index = usize::try_from(fate.id.number())
            .unwrap_or(0)
            .wrapping_sub(1);
        let (unsure, cleared, ended) = (self.unsure, self.cleared, self.ended);
        let Some(letter) = self.letters.get_mut(index) else {
            return Err(format!("law 6: {} was never accepted", fate.id));
        };
        law(6, letter.fate.is_none(), || {
            format!("message {} has two fates: {letter:?}", fate.id)
        })?;
        let acknowledged = letter.sequence.is_some();
        let out = letter.out > 0;
        let unseen = letter.got == 0;
        let possible = match fate.outcome {
            Outcome::Written => !acknowledged && out,
            // Only what the other application got.
            Outcome::Acked => acknowledged && letter.got > 0,
            Outcome::Unknown => out && (!acknowledged || unsure || letter.resent),
            Outcome::Returned => !out && unseen && index < ended,
            Outcome::Expired => {
                let late = letter.expires.is_some_and(|at| at <= now);
                unseen && (letter.volatile || late) && (!out || acknowledged)
            }
            Outcome::Dropped(DropReason::Overflow) => {
                unseen && !out && limits.overflow != Overflow::RejectNew
            }
            Outcome::Dropped(DropReason::Cleared) => unseen && !out && index < cleared,
            Outcome::Dropped(DropReason::Tries) => {
                unseen && limits.max_tries.is_some_and(|most| letter.tries >= most)
            }
            _ => false,
        };
        let number = if acknowledged || fate.outcome != Outcome::Unknown {
            8
        } else {
            6
        };
        law(number, possible, || {
            format!(
                "message {} can't be {:?}: {letter:?}",
                fate.id, fate.outcome
            )
        })?;
        let back = matches!(fate.outcome, Outcome::Returned | Outcome::Unknown);
        let payload = fate.payload.map(|item| item.index);
        law(6, payload == back.then_some(index), || {
            format!("message {} is {:?} with {payload:?}", fate.id, fate.outcome)
        })?;
        letter.fate = Some(fate.outcome);
        Ok(())
    }
}

/// One reading application, in one session.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Whose messages it reads.
    pub writer: usize,
    /// The next sequence.
    pub next: u64,
    /// The last message that it got.
    pub last: Option<usize>,
    /// Intents that it got, and how often they were refused.
    pub intents: Vec<(usize, u32, u32)>,
}

impl Reader {
    pub const fn new(writer: usize, next: u64) -> Self {
        Self {
            writer,
            next,
            last: None,
            intents: Vec::new(),
        }
    }

    /// These are told as gone: are they, and are they all that were missing?
    pub fn missed(&mut self, gap: Gap, writer: &Writer) -> Tested {
        law(8, gap.from == self.next && gap.to >= gap.from, || {
            format!("{gap:?} is told where {} was the next", self.next)
        })?;
        let range = gap.from..=gap.to;
        let letters = writer.letters.iter();
        let alive = letters
            .filter(|letter| letter.sequence.is_some_and(|s| range.contains(&s)))
            .find(|letter| {
                !writer.wiped
                    && matches!(letter.fate, None | Some(Outcome::Acked | Outcome::Written))
            });
        law(8, alive.is_none(), || {
            format!("{gap:?} is told as gone, and holds {alive:?}")
        })?;
        self.next = gap.to + 1;
        Ok(())
    }

    /// The application is given a message.
    pub fn got(
        &mut self,
        item: Item,
        sequence: Option<u64>,
        resent: bool,
        writer: &mut Writer,
    ) -> Tested {
        law(8, item.writer == self.writer, || {
            format!("{item:?} came to a reader of {}", self.writer)
        })?;
        law(7, self.last.is_none_or(|last| last < item.index), || {
            format!("{item:?} came after {:?}", self.last)
        })?;
        self.last = Some(item.index);
        if let Some(sequence) = sequence {
            law(8, sequence == self.next, || {
                format!("{sequence} came where {} was the next", self.next)
            })?;
            self.next += 1;
        }
        let letter = &mut writer.letters[item.index];
        letter.got += 1;
        law(8, letter.got == 1 || resent, || {
            format!("{item:?} came twice: {letter:?}")
        })?;
        let unsent = matches!(
            letter.fate,
            Some(Outcome::Expired | Outcome::Returned | Outcome::Dropped(_))
        );
        law(8, !unsent, || {
            format!("{item:?} came, and was told as unsent: {letter:?}")
        })
    }

    /// The application is given an intent.
    pub fn intent(&mut self, index: usize) -> Tested {
        match self.intents.iter_mut().find(|(which, ..)| *which == index) {
            None => self.intents.push((index, 1, 0)),
            Some((_, got, refused)) => {
                *got += 1;
                let (got, refused) = (*got, *refused);
                law(8, got <= refused + 1, || {
                    format!("intent {index} came {got} times, refused {refused} times")
                })?;
            }
        }
        Ok(())
    }
}
