//! What a log records, and its bytes.

use std::time::Duration;

use redial::MessageId;
use redial::session::{ServerId, SessionId};

use crate::bytes::{Reader, put_u64};
use crate::stored::Stored;

/// Something that happened to a link, as its driver appends it.
///
/// In the order in which it happened: a log is only as true as that order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Record<'a, P> {
    /// A message was accepted. Ids and sequences grow, or the record is refused.
    Accepted {
        /// Its name.
        id: MessageId,
        /// Its place in the sequence of acknowledged messages; `None` at most once.
        sequence: Option<u64>,
        /// Its time to live from now on; the log keeps the time of day at which it ends, in
        /// milliseconds.
        ttl: Option<Duration>,
        /// What it carries.
        payload: &'a P,
    },
    /// The fates of these messages, both ends included, are known: they won't come back.
    Settled {
        /// The first.
        first: MessageId,
        /// The last.
        last: MessageId,
    },
    /// The session is now this one. Another one than the last begins with nothing received and
    /// no intent written: what is known of it follows, as [`Received`](Self::Received) and
    /// [`Numbered`](Self::Numbered).
    Session {
        /// Its name.
        session: Option<SessionId>,
        /// The server's run.
        server: Option<ServerId>,
    },
    /// Everything up to here was received and given to the application. To be stored before it
    /// is acknowledged to the peer.
    Received {
        /// The last sequence, 0 for none.
        sequence: u64,
        /// The last intent, 0 for none.
        intents: u64,
    },
    /// An intent stands. One that stands already under this id is replaced. Ids are from 1, and
    /// their order is that of the intents.
    Intent {
        /// Its name, for the application.
        id: u64,
        /// The number under which it was written in this session, 0 for not yet.
        number: u64,
        /// What it carries.
        payload: &'a P,
    },
    /// An intent was given another number.
    Numbered {
        /// Its name, for the application.
        id: u64,
        /// Its number now.
        number: u64,
    },
    /// An intent was withdrawn.
    Withdrawn {
        /// Its name, for the application.
        id: u64,
    },
    /// Messages may be written from here on: all that the log holds and will hold until
    /// [`Down`](Self::Down). To be stored before the first of them is written.
    Up {
        /// The number of the connection's epoch.
        epoch: u64,
    },
    /// The connection has ended: what is above this message was certainly not written.
    Down {
        /// The last message, not intent, that was written in any connection; `None` for none.
        through: Option<MessageId>,
    },
    /// Messages up to this one were written in a session that is gone, and are sent again.
    Resent {
        /// The last of them.
        through: MessageId,
    },
}

impl<P: Stored> Record<'_, P> {
    /// Whether it holds a payload: only such records are counted against the bounds.
    pub(crate) const fn is_message(&self) -> bool {
        matches!(self, Self::Accepted { .. } | Self::Intent { .. })
    }

    /// Appends the payload.
    pub(crate) fn encode_payload(&self, out: &mut Vec<u8>) {
        if let Self::Accepted { payload, .. } | Self::Intent { payload, .. } = self {
            payload.encode(out);
        }
    }

    /// All but the payload. `now` is the time since 1970.
    pub(crate) fn raw(&self, now: impl FnOnce() -> Option<Duration>) -> Raw<'static> {
        let payload = &[][..];
        match *self {
            Self::Accepted {
                id, sequence, ttl, ..
            } => Raw::Accepted {
                id: id.number(),
                sequence,
                expiry: ttl.map(|ttl| Expiry::new(ttl, now().unwrap_or_default())),
                payload,
            },
            Self::Settled { first, last } => Raw::Settled {
                first: first.number(),
                last: last.number(),
            },
            Self::Session { session, server } => Raw::Session { session, server },
            Self::Received { sequence, intents } => Raw::Received { sequence, intents },
            Self::Intent { id, number, .. } => Raw::Intent {
                id,
                number,
                payload,
            },
            Self::Numbered { id, number } => Raw::Numbered { id, number },
            Self::Withdrawn { id } => Raw::Withdrawn { id },
            Self::Up { epoch } => Raw::Up { epoch },
            Self::Down { through } => Raw::Down {
                through: through.map_or(0, MessageId::number),
            },
            Self::Resent { through } => Raw::Resent {
                through: through.number(),
            },
        }
    }
}

/// When a message expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// In milliseconds since 1970.
    deadline: u64,
    /// The whole time to live in milliseconds.
    ttl: u64,
}

impl Expiry {
    fn new(ttl: Duration, now: Duration) -> Self {
        // Rounded up: a message must not expire because of its way through a log.
        let ttl = millis(ttl.saturating_add(Duration::from_nanos(999_999)));
        Self {
            deadline: millis(now).saturating_add(ttl),
            ttl,
        }
    }

    /// What is left. A clock that went back gives no more than there ever was; without a clock
    /// all of it is left.
    pub(crate) fn remaining(self, now: Option<Duration>) -> Duration {
        let left = now.map_or(self.ttl, |now| self.deadline.saturating_sub(millis(now)));
        Duration::from_millis(left.min(self.ttl))
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The body of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Raw<'a> {
    Accepted {
        id: u64,
        sequence: Option<u64>,
        expiry: Option<Expiry>,
        payload: &'a [u8],
    },
    Settled {
        first: u64,
        last: u64,
    },
    Session {
        session: Option<SessionId>,
        server: Option<ServerId>,
    },
    Received {
        sequence: u64,
        intents: u64,
    },
    Intent {
        id: u64,
        number: u64,
        payload: &'a [u8],
    },
    Numbered {
        id: u64,
        number: u64,
    },
    Withdrawn {
        id: u64,
    },
    Up {
        epoch: u64,
    },
    Down {
        through: u64,
    },
    Resent {
        through: u64,
    },
    Clean,
}

const WITH_SEQUENCE: u8 = 1;
const WITH_TTL: u8 = 2;
const WITH_SESSION: u8 = 1;
const WITH_SERVER: u8 = 2;

/// Where the number of an intent stands in its body.
pub(crate) const NUMBER_AT: usize = 9;

impl<'a> Raw<'a> {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.kind());
        match *self {
            Self::Accepted {
                id,
                sequence,
                expiry,
                payload,
            } => {
                let sequenced = if sequence.is_some() { WITH_SEQUENCE } else { 0 };
                let expires = if expiry.is_some() { WITH_TTL } else { 0 };
                out.push(sequenced | expires);
                put_u64(out, id);
                if let Some(sequence) = sequence {
                    put_u64(out, sequence);
                }
                if let Some(Expiry { deadline, ttl }) = expiry {
                    put_u64(out, deadline);
                    put_u64(out, ttl);
                }
                out.extend_from_slice(payload);
            }
            Self::Session { session, server } => {
                let named = if session.is_some() { WITH_SESSION } else { 0 };
                let served = if server.is_some() { WITH_SERVER } else { 0 };
                out.push(named | served);
                out.extend_from_slice(&session.map_or([0; 16], |it| it.bytes()));
                out.extend_from_slice(&server.map_or([0; 16], |it| it.bytes()));
            }
            Self::Intent {
                id,
                number,
                payload,
            } => {
                put_u64(out, id);
                put_u64(out, number);
                out.extend_from_slice(payload);
            }
            Self::Settled {
                first: one,
                last: two,
            }
            | Self::Received {
                sequence: one,
                intents: two,
            }
            | Self::Numbered {
                id: one,
                number: two,
            } => {
                put_u64(out, one);
                put_u64(out, two);
            }
            Self::Withdrawn { id: number }
            | Self::Up { epoch: number }
            | Self::Down { through: number }
            | Self::Resent { through: number } => put_u64(out, number),
            Self::Clean => {}
        }
    }

    /// The record that this body is; `None` if it is none.
    pub(crate) fn decode(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let raw = match reader.u8()? {
            1 => {
                let flags = reader.u8()?;
                if flags & !(WITH_SEQUENCE | WITH_TTL) != 0 {
                    return None;
                }
                let id = reader.u64()?;
                let sequence = if flags & WITH_SEQUENCE == 0 {
                    None
                } else {
                    Some(reader.u64()?)
                };
                let expiry = if flags & WITH_TTL == 0 {
                    None
                } else {
                    Some(Expiry {
                        deadline: reader.u64()?,
                        ttl: reader.u64()?,
                    })
                };
                return Some(Self::Accepted {
                    id,
                    sequence,
                    expiry,
                    payload: reader.rest(),
                });
            }
            2 => Self::Settled {
                first: reader.u64()?,
                last: reader.u64()?,
            },
            3 => {
                let flags = reader.u8()?;
                let session = SessionId::new(reader.array()?);
                let server = ServerId::new(reader.array()?);
                Self::Session {
                    session: (flags & WITH_SESSION != 0).then_some(session),
                    server: (flags & WITH_SERVER != 0).then_some(server),
                }
            }
            4 => Self::Received {
                sequence: reader.u64()?,
                intents: reader.u64()?,
            },
            5 => {
                return Some(Self::Intent {
                    id: reader.u64()?,
                    number: reader.u64()?,
                    payload: reader.rest(),
                });
            }
            6 => Self::Numbered {
                id: reader.u64()?,
                number: reader.u64()?,
            },
            7 => Self::Withdrawn { id: reader.u64()? },
            8 => Self::Up {
                epoch: reader.u64()?,
            },
            9 => Self::Down {
                through: reader.u64()?,
            },
            10 => Self::Resent {
                through: reader.u64()?,
            },
            11 => Self::Clean,
            _ => return None,
        };
        reader.rest().is_empty().then_some(raw)
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Accepted { .. } => 1,
            Self::Settled { .. } => 2,
            Self::Session { .. } => 3,
            Self::Received { .. } => 4,
            Self::Intent { .. } => 5,
            Self::Numbered { .. } => 6,
            Self::Withdrawn { .. } => 7,
            Self::Up { .. } => 8,
            Self::Down { .. } => 9,
            Self::Resent { .. } => 10,
            Self::Clean => 11,
        }
    }
}
