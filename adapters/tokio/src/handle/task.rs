//! What is spawned: the engine, driven until the last handle is gone and the link rests.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use redial::{Command, Event};
use redial_adapter::Books;

use super::Handle;
use super::desk::{Asking, Desk};
use super::inbox::{Inbox, Incoming};
use super::shared::{Rest, Shared};
use crate::clock::Clock;
use crate::codec::Codec;
use crate::connector::Connector;
use crate::engine::{Engine, Intake, Room, Timer, TokioLink, Turn};

/// What a builder was told of the handle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wishes {
    pub(crate) inbox: Room,
    pub(crate) start: bool,
    pub(crate) keep_fates: bool,
}

/// Spawns the task of a link.
pub(crate) fn spawn<C, D>(
    engine: Engine<C, D>,
    mut link: TokioLink<D::Message>,
    clock: Clock,
    books: Option<Box<dyn Books<D::Message>>>,
    #[cfg(feature = "store")] report: Option<redial_store::Report>,
    asking: Option<Asking<D::Message>>,
    wishes: Wishes,
) -> (Handle<D::Message>, Incoming<D::Message>)
where
    C: Connector<D::Transport>,
    D: Codec,
{
    if wishes.start {
        link.handle(clock.now(), Event::Command(Command::Start));
    }
    let desk = asking.map(Desk::new);
    let shared = Shared::new(
        link,
        clock,
        Inbox::new(wishes.inbox),
        desk,
        books,
        #[cfg(feature = "store")]
        report,
        wishes.keep_fates,
    );
    let shared = Arc::new(shared);
    shared.attach();
    let task = Task {
        engine,
        shared: Arc::clone(&shared),
        intake: Intake::new(),
        sorted: Intake::new(),
        timer: Timer::default(),
    };
    tokio::spawn(task);
    (Handle::new(Arc::clone(&shared)), Incoming::new(shared))
}

struct Task<C, D>
where
    D: Codec,
{
    engine: Engine<C, D>,
    shared: Arc<Shared<D::Message>>,
    /// What one turn has read; empty between turns.
    intake: Intake<D::Message>,
    /// The same without answers to requests, where there may be some; empty between turns.
    sorted: Intake<D::Message>,
    /// The deadlines of requests.
    timer: Timer,
}

// Nothing in it is pinned in place: what is, is boxed.
impl<C, D: Codec> Unpin for Task<C, D> {}

impl<C, D> Future for Task<C, D>
where
    C: Connector<D::Transport>,
    D: Codec,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.engine.stir();
        loop {
            let room = this.shared.inbox.room();
            let turn = this
                .engine
                .turn(cx, &mut this.shared, &mut this.intake, room);
            if this.shared.asks {
                let due = this.shared.serve(&mut this.intake, &mut this.sorted);
                this.shared.inbox.deliver(&mut this.sorted);
                let due = due.map(|due| this.shared.clock.when(due));
                if turn == Turn::Idle && this.timer.poll(cx, due).is_ready() {
                    continue;
                }
            } else {
                this.shared.inbox.deliver(&mut this.intake);
            }
            if this.shared.keeps {
                this.shared.delivered();
            }
            if turn == Turn::Busy {
                return Poll::Pending;
            }
            if this.engine.is_paused() && this.shared.inbox.wait_for_room(cx.waker()) {
                continue;
            }
            let (takes, until) = (this.engine.takes_messages(), this.engine.deadline());
            match this.shared.park(cx.waker(), takes, until) {
                Rest::Parked => return Poll::Pending,
                Rest::Sooner => {}
                Rest::Action(action) => this.engine.postpone(action),
                Rest::Over => return Poll::Ready(()),
            }
        }
    }
}

impl<C, D: Codec> Drop for Task<C, D> {
    fn drop(&mut self) {
        self.shared.orphan();
    }
}
