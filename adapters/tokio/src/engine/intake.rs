//! What was read and not yet handed on: messages, and what is to be told between them.

use std::collections::VecDeque;

use redial::{Gap, Resumption};
use redial_adapter::Received;

/// How many outcomes of sessions are kept one by one where no message lies between them; of more
/// the last one is told. It bounds what an application that reads nothing can pile up.
const SESSIONS: usize = 64;

/// What is told between two messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    Gap(Gap),
    Session(Resumption),
}

impl<M> From<Notice> for Received<M> {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Gap(gap) => Self::Gap(gap),
            Notice::Session(resumption) => Self::Session(resumption),
        }
    }
}

impl From<Gap> for Notice {
    fn from(gap: Gap) -> Self {
        Self::Gap(gap)
    }
}

impl From<Resumption> for Notice {
    fn from(resumption: Resumption) -> Self {
        Self::Session(resumption)
    }
}

/// Notices with their places: each is told when so many messages were handed on. There are
/// hardly ever any, so messages don't pay for them.
#[derive(Debug)]
pub(crate) struct Notices {
    list: VecDeque<(u64, Notice)>,
    /// How many of the last ones are of sessions without a message between them.
    sessions: usize,
}

impl Notices {
    pub(crate) const fn new() -> Self {
        Self {
            list: VecDeque::new(),
            sessions: 0,
        }
    }

    pub(crate) fn push(&mut self, place: u64, notice: Notice) {
        let behind = self.list.back().is_some_and(|(last, _)| *last == place);
        match notice {
            Notice::Session(_) if behind && self.sessions >= SESSIONS => {
                self.list.pop_back();
            }
            Notice::Session(_) if behind => self.sessions += 1,
            Notice::Session(_) => self.sessions = 1,
            Notice::Gap(_) => self.sessions = 0,
        }
        self.list.push_back((place, notice));
    }

    /// Takes over what `other` has, behind what is here.
    pub(crate) fn append(&mut self, other: &mut Self) {
        for (place, notice) in other.list.drain(..) {
            self.push(place, notice);
        }
    }

    /// The next one, if it is to be told when `handed` messages were handed on.
    pub(crate) fn take(&mut self, handed: u64) -> Option<Notice> {
        let (place, _) = self.list.front()?;
        if *place > handed {
            return None;
        }
        self.list.pop_front().map(|(_, notice)| notice)
    }

    /// Passes over those that are to be told before message `handed`.
    #[inline]
    pub(crate) fn skip(&mut self, handed: u64) {
        while self.list.front().is_some_and(|(place, _)| *place < handed) {
            self.list.pop_front();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.list = VecDeque::new();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// Messages and notices in the order in which they came.
#[derive(Debug)]
pub(crate) struct Intake<M> {
    pub(crate) messages: VecDeque<M>,
    pub(crate) notices: Notices,
    /// The messages that were handed on before.
    pub(crate) handed: u64,
}

impl<M> Intake<M> {
    pub(crate) fn new() -> Self {
        Self {
            messages: VecDeque::new(),
            notices: Notices::new(),
            handed: 0,
        }
    }

    /// To be told behind the messages that are here.
    pub(crate) fn tell(&mut self, notice: Notice) {
        let waiting = u64::try_from(self.messages.len()).unwrap_or(u64::MAX);
        self.notices
            .push(self.handed.saturating_add(waiting), notice);
    }

    /// The next message; what was to be told before it is passed over.
    #[inline]
    pub(crate) fn next_message(&mut self) -> Option<M> {
        let message = self.messages.pop_front()?;
        self.handed = self.handed.wrapping_add(1);
        if !self.notices.is_empty() {
            self.notices.skip(self.handed);
        }
        Some(message)
    }

    /// The next message or notice.
    pub(crate) fn next(&mut self) -> Option<Received<M>> {
        if let Some(notice) = self.notices.take(self.handed) {
            return Some(notice.into());
        }
        self.next_message().map(Received::Message)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.notices.is_empty()
    }

    /// All that is here is handed on.
    pub(crate) fn pass_on(&mut self, messages: &mut VecDeque<M>, notices: &mut Notices) {
        let count = u64::try_from(self.messages.len()).unwrap_or(u64::MAX);
        self.handed = self.handed.wrapping_add(count);
        if messages.is_empty() {
            std::mem::swap(messages, &mut self.messages);
        } else {
            messages.append(&mut self.messages);
        }
        if !self.notices.is_empty() {
            notices.append(&mut self.notices);
        }
    }

    /// All that is here is thrown away.
    pub(crate) fn discard(&mut self) {
        let count = u64::try_from(self.messages.len()).unwrap_or(u64::MAX);
        self.handed = self.handed.wrapping_add(count);
        self.messages.clear();
        self.notices.clear();
    }
}

#[cfg(test)]
mod tests {
    use redial::session::{Fresh, ServerId};

    use super::*;

    fn fresh(unknown: usize) -> Notice {
        Notice::Session(Resumption::Fresh {
            reason: Fresh::First,
            server: Some(ServerId::new([1; 16])),
            restarted: false,
            unknown,
            resent: 0,
        })
    }

    const GAP: Notice = Notice::Gap(Gap { from: 3, to: 4 });

    #[test]
    fn notices_keep_their_place_over_hand_overs() {
        let mut read = Intake::new();
        let mut batch = Intake::new();
        for round in 0..3_u32 {
            read.tell(fresh(0));
            read.messages.push_back(2 * round);
            read.tell(GAP);
            read.messages.push_back(2 * round + 1);
            read.pass_on(&mut batch.messages, &mut batch.notices);
            assert!(read.is_empty());
        }
        // One that asks for messages alone passes over what lies before them.
        assert_eq!(batch.next_message(), Some(0));
        assert_eq!(batch.next(), Some(GAP.into()));
        assert_eq!(batch.next_message(), Some(1));
        assert_eq!(batch.next_message(), Some(2));
        assert_eq!(batch.next_message(), Some(3));
        assert_eq!(batch.next(), Some(fresh(0).into()));
        for expected in [Received::Message(4), GAP.into(), Received::Message(5)] {
            assert_eq!(batch.next(), Some(expected));
        }
        assert_eq!(batch.next(), None);
        read.messages.push_back(9);
        read.discard();
        read.tell(GAP);
        assert_eq!(read.next(), Some(GAP.into()));
    }

    #[test]
    fn sessions_without_messages_are_bounded() {
        let mut read = Intake::<u32>::new();
        for number in 0..10 * SESSIONS {
            read.tell(fresh(number));
        }
        assert_eq!(read.notices.list.len(), SESSIONS);
        let last = std::iter::from_fn(|| read.next()).last();
        assert_eq!(last, Some(fresh(10 * SESSIONS - 1).into()));
    }
}
