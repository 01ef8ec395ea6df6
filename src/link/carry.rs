//! A link as data: exactly, for the same driver, or what of it outlives its process.

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

use super::{Link, State, Stats};
use crate::carryover::{Carryover, Rejected, Standing};
use crate::config::Config;
use crate::epoch::Epoch;
use crate::inbox::Inbox;
use crate::intents::Intents;
use crate::outbox::{Outbox, Payload};
use crate::rng::Rng;
use crate::session::Known;
use crate::time::Instant;

/// All of a link but its configuration and its generator, exactly as it is: connections, time and
/// messages. Restored with the same configuration and a generator at the same position
/// ([`Seeded::draws`](crate::rng::Seeded::draws)) it does what the original would have done.
///
/// It is for the same driver, whose connections are still there and whose clock goes on. For
/// another process take a [`Carryover`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Snapshot<P> {
    version: u32,
    state: State,
    outbox: Outbox<P>,
    inbox: Inbox,
    intents: Intents<P>,
    known: Known,
    stats: Stats,
    alarm: Instant,
}

/// The form of a snapshot that this version writes and reads.
const VERSION: u32 = 1;

/// A snapshot that no link can have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SnapshotError {
    /// It was written by another version of this crate.
    Version {
        /// Its form.
        given: u32,
        /// The form that is read here.
        known: u32,
    },
    /// Its messages don't fit their counts: it was damaged.
    Outbox,
    /// Its intents don't fit their counts.
    Intents,
    /// It names an epoch that was not handed out yet.
    Epoch,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { given, known } => {
                write!(
                    f,
                    "the snapshot has form {given}; form {known} is read here"
                )
            }
            Self::Outbox => f.write_str("the messages of the snapshot don't fit their counts"),
            Self::Intents => f.write_str("the intents of the snapshot don't fit their counts"),
            Self::Epoch => f.write_str("the snapshot names an epoch that was not handed out yet"),
        }
    }
}

impl core::error::Error for SnapshotError {}

impl<P: Payload, R: Rng> Link<P, R> {
    /// A link that goes on where another left off in another process, `away` ago: closed, with
    /// its messages, sequences, intents and the name of its session. Its first action after a
    /// start is a dial.
    ///
    /// At most once, what was in flight has an unknown fate now; acknowledged, it is replayed
    /// once the peer has said what it has. What was carried over may exceed the bounds of
    /// `config`; nothing new is taken until it fits.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the carryover, if it breaks a rule of [`Carryover::check`].
    pub fn revive(
        config: Config,
        rng: R,
        now: Instant,
        mut carryover: Carryover<P>,
        away: Duration,
    ) -> Result<Self, Box<Rejected<P>>> {
        if let Err(error) = carryover.check() {
            return Err(Box::new(Rejected { error, carryover }));
        }
        let mut link = Self::new(config, rng);
        link.state.now = now;
        link.state.next_epoch = Epoch::after(carryover.epochs);
        link.outbox = Outbox::revive(now, &mut carryover, away);
        link.inbox = Inbox::after(carryover.received, carryover.received_intents);
        link.intents.written = carryover.intents;
        for intent in carryover.standing {
            link.intents.declared = intent.id;
            link.intents.put(intent.id, intent.number, intent.payload);
        }
        link.known = Known::carried(carryover.session, carryover.server);
        link.set_alarm();
        Ok(link)
    }

    /// What of this link outlives its process. Volatile messages are not of it.
    pub fn into_carryover(mut self) -> Carryover<P> {
        self.outbox.forget_volatile();
        let now = self.state.now;
        let (accepted, _) = self.outbox.account();
        let sequences = self.outbox.last_sequence();
        let (messages, fates) = self.outbox.into_carried(now);
        let intents = self.intents.written;
        let standing = self.intents.into_standing();
        let standing = standing.map(|(id, number, payload)| Standing {
            id,
            number,
            payload,
        });
        Carryover {
            session: self.known.session,
            server: self.known.server,
            received: self.inbox.last(),
            received_intents: self.inbox.intents(),
            sequences,
            intents,
            accepted,
            epochs: self.state.next_epoch.number().saturating_sub(1),
            messages,
            standing: standing.collect(),
            fates,
        }
    }

    /// The link exactly as it is.
    pub fn snapshot(&self) -> Snapshot<P>
    where
        P: Clone,
    {
        Snapshot {
            version: VERSION,
            state: self.state,
            outbox: self.outbox.clone(),
            inbox: self.inbox,
            intents: self.intents.clone(),
            known: self.known,
            stats: self.stats,
            alarm: self.alarm,
        }
    }

    /// The link that a snapshot was taken of.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] if no link can have made it.
    pub fn restore(config: Config, rng: R, snapshot: Snapshot<P>) -> Result<Self, SnapshotError> {
        if snapshot.version != VERSION {
            return Err(SnapshotError::Version {
                given: snapshot.version,
                known: VERSION,
            });
        }
        if !snapshot.outbox.is_consistent() {
            return Err(SnapshotError::Outbox);
        }
        if !snapshot.intents.is_consistent() {
            return Err(SnapshotError::Intents);
        }
        let alive = snapshot.state.epoch();
        if alive.is_some_and(|epoch| epoch >= snapshot.state.next_epoch) {
            return Err(SnapshotError::Epoch);
        }
        let mut link = Self {
            state: snapshot.state,
            outbox: snapshot.outbox,
            inbox: snapshot.inbox,
            intents: snapshot.intents,
            known: snapshot.known,
            stats: snapshot.stats,
            config,
            rng,
            alarm: Instant::NEVER,
        };
        link.set_alarm();
        link.alarm = link.alarm.min(snapshot.alarm);
        Ok(link)
    }
}
