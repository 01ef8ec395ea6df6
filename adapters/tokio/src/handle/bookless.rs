//! The books where there is no store: there never are any.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;

use redial::{Epoch, Hello, Instant, IntentId, MessageId, SendOptions};

use super::shared::Shared;
use crate::engine::TokioLink;

/// Never made.
pub(super) struct Books<M>(Infallible, PhantomData<M>);

/// What is to be acknowledged.
pub(super) struct Ack {
    pub(super) epoch: Option<Epoch>,
    pub(super) sequence: u64,
    pub(super) intents: u64,
}

/// Never made.
pub(crate) struct Opened<M> {
    books: Books<M>,
}

type Listen<M> = fn(&Arc<Shared<M>>);

impl<M> Opened<M> {
    pub(super) fn split(self) -> (Books<M>, Listen<M>) {
        match self.books.0 {}
    }
}

macro_rules! never {
    ($($name:ident($($kind:ty),*) $(-> $result:ty)?;)+) => {
        impl<M> Books<M> {
            $(pub(super) fn $name(&self, $(_: $kind),*) $(-> $result)? {
                match self.0 {}
            })+
        }
    };
}

never! {
    admits(&M) -> bool;
    accepted(&mut TokioLink<M>, Instant, SendOptions);
    declared(&TokioLink<M>, IntentId);
    withdrawn(IntentId);
    numbered(IntentId, u64);
    settled(MessageId);
    settle();
    follow(&TokioLink<M>);
    hold(&mut Hello) -> u64;
    is_past(u64) -> bool;
    may_write() -> bool;
    want(Ack);
    mark(u64);
    awaited() -> Option<u64>;
    done(u64) -> bool;
    released() -> Option<Ack>;
    is_stirred() -> bool;
    is_broken() -> bool;
    close();
}
