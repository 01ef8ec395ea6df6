//! The task's access to the link, and to what has to be stored first.

use std::sync::Arc;

use redial::{Epoch, Hello, IntentId, Payload};

use super::books::Ack;
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

    fn hold(&mut self, hello: &mut Hello) -> u64 {
        let mut inner = self.lock();
        inner.books.as_mut().map_or(0, |books| books.hold(hello))
    }

    fn is_past(&mut self, mark: u64) -> bool {
        let inner = self.lock();
        inner.books.as_ref().is_none_or(|books| books.is_past(mark))
    }

    fn may_write(&mut self) -> bool {
        if !self.keeps {
            return true;
        }
        let inner = self.lock();
        inner.books.as_ref().is_none_or(|books| books.may_write())
    }

    fn may_acknowledge(&mut self, epoch: Epoch, sequence: u64, intents: u64) -> bool {
        if !self.keeps {
            return true;
        }
        if let Some(books) = &mut self.lock().books {
            books.want(Ack {
                epoch: Some(epoch),
                sequence,
                intents,
            });
        }
        false
    }

    fn released(&mut self) -> Option<(Epoch, u64, u64)> {
        if !self.keeps {
            return None;
        }
        let ack = self.lock().books.as_mut()?.released()?;
        Some((ack.epoch?, ack.sequence, ack.intents))
    }

    fn numbered(&mut self, intent: IntentId, number: u64) {
        if let Some(books) = &mut self.lock().books {
            books.numbered(intent, number);
        }
    }
}
