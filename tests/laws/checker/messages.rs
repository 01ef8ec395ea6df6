//! What a user and a driver know of the messages: laws 6 and 7 and the outbox's part of 11.

use core::time::Duration;

use redial::outbox::{DropReason, Limits, Overflow};
use redial::{Epoch, Fate, Instant, MessageId, Outcome, Payload};

use super::{Broken, Tested, law};

/// A payload that only has a size, and a number to know it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parcel {
    pub number: u64,
    pub size: usize,
}

impl Payload for Parcel {
    fn size(&self) -> usize {
        self.size
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Not written, or written and taken back.
    Queued,
    /// Written on that connection. To be acknowledged, it is replayed on the next.
    InFlight(Epoch),
    /// Its fate was taken.
    Done,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of a message"
)]
#[derive(Clone, Debug)]
struct Message {
    number: u64,
    acknowledged: bool,
    place: Place,
    /// The connections on which it was written and not taken back.
    out: u32,
    tries: u16,
    expires: Option<Instant>,
    volatile: bool,
    flushed: bool,
    rejected: bool,
    /// The driver's clears, ends and size errors before this was accepted.
    clears: u32,
    ends: u32,
    too_bigs: u32,
    acks: u32,
}

impl Message {
    /// Whether the transport of `epoch` could be given it.
    fn waits(&self, epoch: Epoch) -> bool {
        match self.place {
            Place::Queued => true,
            Place::InFlight(on) => self.acknowledged && on != epoch,
            Place::Done => false,
        }
    }
}

/// Every message that was ever accepted, in order.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    all: Vec<Message>,
    clears: u32,
    ends: u32,
    too_bigs: u32,
    acks: u32,
    taken: u64,
    /// Fates of intents that wait to be taken: they never were messages.
    refused_intents: u64,
}

impl Messages {
    pub fn accepted(
        &mut self,
        id: MessageId,
        parcel: Parcel,
        expires: Option<Instant>,
        volatile: bool,
        acknowledged: bool,
    ) -> Tested {
        let expected = self.all.len() as u64 + 1;
        law(6, id.number() == expected, || {
            format!("message {id} where {expected} was the next")
        })?;
        self.all.push(Message {
            number: parcel.number,
            acknowledged,
            place: Place::Queued,
            out: 0,
            tries: 0,
            expires,
            volatile,
            flushed: false,
            rejected: false,
            clears: self.clears,
            ends: self.ends,
            too_bigs: self.too_bigs,
            acks: self.acks,
        });
        Ok(())
    }

    /// The outbox offers this one to be written; `settled` if every fate was taken.
    pub fn peeked(
        &self,
        epoch: Epoch,
        id: MessageId,
        tries: u16,
        parcel: Parcel,
        settled: bool,
    ) -> Tested {
        let message = self.get(id)?;
        law(7, message.waits(epoch), || {
            format!("message {id} is offered, and is {:?}", message.place)
        })?;
        law(6, message.number == parcel.number, || {
            format!("message {id} carries another's payload")
        })?;
        law(6, message.tries == tries, || {
            format!("message {id}: {tries} tries, not {}", message.tries)
        })?;
        let after_last = self
            .all
            .iter()
            .rposition(|m| m.place == Place::InFlight(epoch));
        let index = usize::try_from(id.number()).unwrap_or(0) - 1;
        law(7, after_last.is_none_or(|last| last < index), || {
            format!("message {id} is offered after a later one went")
        })?;
        let first = self.all.iter().position(|m| m.waits(epoch));
        law(7, !settled || first == Some(index), || {
            format!("message {id} is offered before an earlier one")
        })
    }

    pub fn committed(&mut self, id: MessageId, epoch: Epoch) -> Tested {
        let message = self.get_mut(id)?;
        message.place = Place::InFlight(epoch);
        message.flushed = false;
        message.out += 1;
        message.tries = message.tries.saturating_add(1);
        Ok(())
    }

    pub fn rejected(&mut self, id: MessageId) -> Tested {
        self.get_mut(id)?.rejected = true;
        Ok(())
    }

    pub fn taken_back(&mut self, epoch: Epoch, from: MessageId) {
        for message in self.from(from) {
            if message.place == Place::InFlight(epoch) && !message.flushed {
                message.place = Place::Queued;
                message.out -= 1;
            }
        }
    }

    pub fn flushed(&mut self, epoch: Epoch, through: MessageId) {
        let through = usize::try_from(through.number()).unwrap_or(usize::MAX);
        for message in self.all.iter_mut().take(through) {
            if message.place == Place::InFlight(epoch) && !message.flushed {
                message.flushed = true;
            }
        }
    }

    pub fn cleared(&mut self) {
        self.clears += 1;
    }

    /// The link was told to end, or ended.
    pub fn ended(&mut self) {
        self.ends += 1;
    }

    /// The peer said that it has something.
    pub fn acked(&mut self) {
        self.acks += 1;
    }

    /// An intent was rejected: it has a fate, and was never a message.
    pub fn intent_rejected(&mut self) {
        self.refused_intents += 1;
    }

    pub fn intent_fate(&mut self, fate: &Fate<Parcel>) -> Tested {
        let possible = fate.outcome == Outcome::Dropped(DropReason::TooBig);
        law(6, possible && self.refused_intents > 0, || {
            format!("an intent can't be {fate:?}")
        })?;
        self.refused_intents -= 1;
        Ok(())
    }

    pub fn too_big(&mut self) {
        self.too_bigs += 1;
    }

    /// A fate was taken: is it one that this message can have?
    pub fn fate(&mut self, fate: &Fate<Parcel>, limits: &Limits, now: Instant) -> Tested {
        let (clears, ends, too_bigs) = (self.clears, self.ends, self.too_bigs);
        let acks = self.acks;
        let message = self.get_mut(fate.id)?;
        law(6, message.place != Place::Done, || {
            format!("message {} has two fates", fate.id)
        })?;
        let queued = message.out == 0;
        let acknowledged = message.acknowledged;
        // It may have had its fate before it was taken back.
        let tried = message.tries > 0;
        let heard = message.acks < acks;
        let late = message.expires.is_some_and(|at| at <= now);
        let possible = match fate.outcome {
            // What comes before an acknowledged one has left the transport too.
            Outcome::Written => !acknowledged && tried && (message.flushed || heard),
            Outcome::Acked => acknowledged && tried && heard,
            Outcome::Unknown => !queued,
            Outcome::Returned => queued && message.ends < ends,
            Outcome::Expired => (queued && message.volatile) || (late && (queued || acknowledged)),
            Outcome::Dropped(DropReason::Overflow) => {
                queued && limits.overflow != Overflow::RejectNew
            }
            Outcome::Dropped(DropReason::Cleared) => queued && message.clears < clears,
            Outcome::Dropped(DropReason::Tries) => {
                (queued || acknowledged)
                    && limits.max_tries.is_some_and(|most| message.tries >= most)
            }
            Outcome::Dropped(DropReason::TooBig) => {
                message.rejected || message.too_bigs + 2 <= too_bigs
            }
            _ => false,
        };
        law(6, possible, || {
            format!(
                "message {} can't be {:?}: {message:?}",
                fate.id, fate.outcome
            )
        })?;
        let returned = matches!(fate.outcome, Outcome::Returned | Outcome::Unknown);
        let payload = fate.payload.map(|parcel| parcel.number);
        law(6, payload == returned.then_some(message.number), || {
            format!(
                "message {}: {:?} with payload {payload:?}",
                fate.id, fate.outcome
            )
        })?;
        message.place = Place::Done;
        self.taken += 1;
        Ok(())
    }

    /// The outbox against its own account, its bounds, and what was seen from outside.
    pub fn balance(&self, outbox: &redial::outbox::Outbox<Parcel>, limits: &Limits) -> Tested {
        let (accepted, fated) = outbox.account();
        let live = (outbox.queued() + outbox.in_flight()) as u64;
        let waiting = (outbox.fates_waiting() as u64).saturating_sub(self.refused_intents);
        law(6, accepted == live + fated, || {
            format!("{accepted} accepted, {live} live, {fated} with a fate")
        })?;
        law(6, accepted == self.all.len() as u64, || {
            format!("{accepted} accepted, {} seen", self.all.len())
        })?;
        law(6, fated == self.taken + waiting, || {
            format!("{fated} fates, {} taken, {waiting} waiting", self.taken)
        })?;
        if waiting == 0 {
            let in_flight = self
                .all
                .iter()
                .filter(|m| m.place != Place::Done && m.out > 0);
            let in_flight = in_flight.count();
            law(6, in_flight == outbox.in_flight(), || {
                format!(
                    "{in_flight} in flight as seen, {} as told",
                    outbox.in_flight()
                )
            })?;
        }
        let slots = live + waiting;
        law(11, live <= limits.messages as u64, || {
            format!("{live} messages held")
        })?;
        law(11, slots <= 2 * limits.messages as u64, || {
            format!("{slots} slots held")
        })?;
        law(11, outbox.bytes() <= limits.bytes, || {
            format!("{} bytes held", outbox.bytes())
        })
    }

    fn get(&self, id: MessageId) -> Result<&Message, Broken> {
        let index = usize::try_from(id.number()).unwrap_or(0).wrapping_sub(1);
        self.all
            .get(index)
            .ok_or_else(|| format!("law 6: message {id} was never accepted"))
    }

    fn get_mut(&mut self, id: MessageId) -> Result<&mut Message, Broken> {
        let index = usize::try_from(id.number()).unwrap_or(0).wrapping_sub(1);
        self.all
            .get_mut(index)
            .ok_or_else(|| format!("law 6: message {id} was never accepted"))
    }

    fn from(&mut self, id: MessageId) -> impl Iterator<Item = &mut Message> {
        let skip = usize::try_from(id.number()).unwrap_or(usize::MAX) - 1;
        self.all.iter_mut().skip(skip)
    }
}

/// When a message expires, as its user asked.
pub fn expiry(
    now: Instant,
    own: Option<Duration>,
    configured: Option<Duration>,
) -> Option<Instant> {
    own.or(configured).map(|ttl| now + ttl)
}
