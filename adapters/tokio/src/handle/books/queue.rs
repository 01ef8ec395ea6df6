//! Acknowledgements that wait for something that only grows.

use redial::Epoch;
use redial::inbox::Inbox;
use redial_store::Record;

/// What is to be acknowledged, and on which connection, if it is still there to say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::handle) struct Ack {
    pub(in crate::handle) epoch: Option<Epoch>,
    pub(in crate::handle) sequence: u64,
    pub(in crate::handle) intents: u64,
}

impl Ack {
    /// All that was received; no connection will say it.
    pub(super) const fn of_all(inbox: &Inbox) -> Self {
        Self {
            epoch: None,
            sequence: inbox.last(),
            intents: inbox.intents(),
        }
    }

    pub(super) const fn record<M>(self) -> Record<'static, M> {
        Record::Received {
            sequence: self.sequence,
            intents: self.intents,
        }
    }
}

/// The first that waits, and the last: each says all that those before it would have said, and the
/// first is not put off by those that come behind it.
#[derive(Debug, Default)]
pub(super) struct Queue {
    first: Option<(u64, Ack)>,
    last: Option<(u64, Ack)>,
}

impl Queue {
    /// To come out when `at` is reached, which is not below those before it.
    pub(super) fn push(&mut self, at: u64, ack: Ack) {
        if self.first.is_none() {
            self.first = Some((at, ack));
        } else {
            self.last = Some((at, ack));
        }
    }

    /// The last one that this reaches.
    pub(super) fn pass(&mut self, reached: u64) -> Option<Ack> {
        let mut passed = None;
        while let Some((_, ack)) = self.first.take_if(|(at, _)| *at <= reached) {
            passed = Some(ack);
            self.first = self.last.take();
        }
        passed
    }

    /// What the first waits for.
    pub(super) fn awaited(&self) -> Option<u64> {
        self.first.map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_not_put_off_and_the_last_says_it_all() {
        let ack = |sequence| Ack {
            epoch: None,
            sequence,
            intents: 0,
        };
        let mut queue = Queue::default();
        for at in [3, 5, 9] {
            queue.push(at, ack(at));
        }
        assert_eq!((queue.pass(2), queue.awaited()), (None, Some(3)));
        assert_eq!((queue.pass(5), queue.awaited()), (Some(ack(3)), Some(9)));
        queue.push(10, ack(10));
        assert_eq!((queue.pass(20), queue.awaited()), (Some(ack(10)), None));
    }
}
