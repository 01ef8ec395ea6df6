//! The task's access to the link, and to what has to be stored first.

use std::sync::Arc;

use redial::{Epoch, Hello, Instant, MessageId, Payload};

use super::inner::Inner;
use super::shared::Shared;
use crate::engine::{Seat, TokioLink};

impl<M: Payload + 'static> Seat<M> for Arc<Shared<M>> {
    fn with<R>(&mut self, act: impl FnOnce(&mut TokioLink<M>) -> R) -> R {
        let mut inner = self.lock();
        inner.parked = None;
        let result = act(&mut inner.link);
        inner.follow();
        if inner.link.outbox().fates_waiting() == 0 {
            return result;
        }
        let listened = inner.listeners > 0;
        if !listened && inner.collectors == 0 {
            inner.forget_fates();
        }
        drop(inner);
        if listened {
            self.told.notify_waiters();
        }
        self.room.notify_waiters();
        result
    }

    fn publish(&mut self) {
        self.lock_and_publish();
        self.room.notify_waiters();
    }

    fn note(&mut self, detail: String) {
        self.lock().detail = Some(detail);
    }

    fn hold(&mut self, hello: Hello) -> Hello {
        match &self.lock().kept {
            None => hello,
            Some(kept) => kept.books.hello(hello),
        }
    }

    fn may_write(&mut self, epoch: Epoch) -> bool {
        if !self.keeps {
            return true;
        }
        let inner = self.lock();
        let kept = inner.kept.as_ref();
        kept.is_none_or(|kept| kept.books.may_write(epoch))
    }

    fn may_acknowledge(&mut self, epoch: Epoch, sequence: u64, intents: u64) -> bool {
        if !self.keeps {
            return true;
        }
        if let Some(kept) = &mut self.lock().kept {
            kept.want(epoch, sequence, intents);
        }
        false
    }

    fn released(&mut self) -> Option<(Epoch, u64, u64)> {
        if !self.keeps {
            return None;
        }
        let now = self.clock.now();
        self.lock().hear_books(now)
    }

    fn numbered(&mut self, intent: MessageId, number: Option<u64>) {
        if !self.keeps {
            return;
        }
        if let Some(kept) = &mut self.lock().kept {
            match number {
                Some(_) => kept.books.committed(intent, number),
                None => kept.books.rejected(intent),
            }
        }
    }

    fn refuse_intent(&mut self, now: Instant, epoch: Epoch, number: u64) {
        let mut inner = self.lock();
        let Inner { link, kept, .. } = &mut *inner;
        match kept {
            None => link.refuse_intent(now, epoch, number),
            Some(kept) => kept.books.refuse_intent(link, now, epoch, number),
        };
    }
}
