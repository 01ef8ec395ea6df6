//! What came in and was not yet taken: messages, and between them what is told of their sequence.

use std::collections::VecDeque;

use redial::{Gap, Payload, Resumption};
use redial_adapter::Received;

/// Messages that came in and were not yet taken.
pub(crate) struct Inbox<M> {
    messages: VecDeque<M>,
    /// What there is to tell, each with the number of messages that came before it. They lie
    /// beside the messages, so that a link without a session pays nothing for them.
    notices: VecDeque<(u64, Notice)>,
    pub(crate) pushed: u64,
    /// The application took so many messages, and came for more.
    done: u64,
    bytes: usize,
    limit: usize,
    byte_limit: usize,
    pub(crate) readers: usize,
    /// Nobody will take them: they are thrown away.
    deaf: bool,
    /// The thread reads no more until there is room.
    pub(crate) paused: bool,
}

/// What is told between messages.
#[derive(Clone, Copy, Debug)]
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

impl<M: Payload> Inbox<M> {
    pub(crate) fn new(limit: usize, byte_limit: usize) -> Self {
        Self {
            messages: VecDeque::new(),
            notices: VecDeque::new(),
            pushed: 0,
            done: 0,
            bytes: 0,
            limit,
            byte_limit,
            readers: 0,
            deaf: false,
            paused: false,
        }
    }

    /// Throws everything away, also what is still to come.
    pub(crate) fn deafen(&mut self) {
        self.deaf = true;
        self.messages = VecDeque::new();
        self.notices = VecDeque::new();
        self.bytes = 0;
    }

    pub(crate) fn push(&mut self, message: M) {
        if !self.deaf {
            self.bytes = self.bytes.saturating_add(message.size());
            self.messages.push_back(message);
            self.pushed += 1;
        }
    }

    /// Puts a notice behind the messages so far.
    ///
    /// A gap comes with a message, so the limit of messages bounds gaps. Connections come and go
    /// also while nobody takes anything: beyond the same limit the notice of one takes the place
    /// of that of the one before.
    pub(crate) fn tell(&mut self, notice: Notice) {
        if self.deaf {
            return;
        }
        let full = self.notices.len() >= self.limit;
        match (self.notices.back_mut(), notice) {
            (Some((_, last @ Notice::Session(_))), Notice::Session(_)) if full => *last = notice,
            _ => self.notices.push_back((self.pushed, notice)),
        }
    }

    /// The next message. Notices that it passes are gone.
    pub(crate) fn take(&mut self) -> Option<M> {
        let message = self.messages.pop_front();
        if !self.notices.is_empty() {
            let taken = self.taken();
            while self
                .next_notice(|at| at < taken || message.is_none())
                .is_some()
            {}
        }
        let message = message?;
        self.bytes = self.bytes.saturating_sub(message.size());
        Some(message)
    }

    /// The next message or notice, in the order in which they happened.
    pub(crate) fn take_told(&mut self) -> Option<Received<M>> {
        let taken = self.taken();
        match self.next_notice(|at| at <= taken) {
            Some(notice) => Some(notice.into()),
            None => self.take().map(Received::Message),
        }
    }

    /// Whether there is nothing to take.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.notices.is_empty()
    }

    /// How many messages may be read now.
    pub(crate) fn room(&self) -> usize {
        if self.deaf {
            usize::MAX
        } else if self.bytes >= self.byte_limit {
            0
        } else {
            self.limit.saturating_sub(self.messages.len())
        }
    }

    /// How many bytes may be read before the next look.
    pub(crate) fn byte_room(&self) -> usize {
        self.byte_limit.saturating_sub(self.bytes)
    }

    /// Whether a pause of reading may end: half of the room is free again.
    pub(crate) fn is_low(&self) -> bool {
        self.deaf || self.messages.len() <= self.limit / 2 && self.bytes <= self.byte_limit / 2
    }

    fn next_notice(&mut self, due: impl FnOnce(u64) -> bool) -> Option<Notice> {
        let (at, notice) = *self.notices.front()?;
        if !due(at) {
            return None;
        }
        self.notices.pop_front();
        Some(notice)
    }

    /// The application comes for more: it is done with what it took.
    pub(crate) fn come(&mut self) {
        self.done = self.taken();
    }

    /// How many messages the application is done with.
    pub(crate) fn done(&self) -> u64 {
        if self.deaf { u64::MAX } else { self.done }
    }

    /// How many messages were ever taken.
    fn taken(&self) -> u64 {
        self.pushed - self.messages.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redial::session::Fresh;

    fn fresh(unknown: usize) -> Resumption {
        Resumption::Fresh {
            reason: Fresh::First,
            server: None,
            restarted: false,
            unknown,
            resent: 0,
        }
    }

    fn inbox(limit: usize) -> Inbox<&'static str> {
        let gap = Gap { from: 2, to: 4 };
        let mut inbox = Inbox::new(limit, 1000);
        inbox.tell(Notice::Session(fresh(0)));
        inbox.push("a");
        inbox.tell(Notice::Gap(gap));
        inbox.push("b");
        inbox.tell(Notice::Session(fresh(1)));
        inbox
    }

    #[test]
    fn notices_are_told_in_their_place() {
        let mut inbox = inbox(10);
        let told: Vec<_> = std::iter::from_fn(|| inbox.take_told()).collect();
        let expected = [
            Received::Session(fresh(0)),
            Received::Message("a"),
            Received::Gap(Gap { from: 2, to: 4 }),
            Received::Message("b"),
            Received::Session(fresh(1)),
        ];
        assert_eq!(told, expected);
        assert!(inbox.is_empty());
    }

    #[test]
    fn who_takes_messages_passes_notices() {
        let mut inbox = inbox(10);
        assert_eq!(inbox.take(), Some("a"));
        // What is told behind it is still there.
        assert!(matches!(inbox.take_told(), Some(Received::Gap(_))));
        assert_eq!((inbox.take(), inbox.is_empty()), (Some("b"), false));
        assert_eq!((inbox.take(), inbox.is_empty()), (None, true));
    }

    #[test]
    fn connections_that_nobody_is_told_of_fill_no_memory() {
        let mut inbox = inbox(3);
        for unknown in 2..1000 {
            inbox.tell(Notice::Session(fresh(unknown)));
        }
        assert_eq!(inbox.notices.len(), 3);
        let last = std::iter::from_fn(|| inbox.take_told()).last();
        assert_eq!(last, Some(Received::Session(fresh(999))));
    }
}
