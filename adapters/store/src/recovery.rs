//! What is got back from a log.

use std::path::PathBuf;
use std::time::Duration;

use redial::MessageId;
use redial::carryover::{Carried, Carryover, Standing};

use crate::error::OpenError;
use crate::format::{FRAME, Head};
use crate::ledger::Ledger;
use crate::options::{Options, STRIDE};
use crate::record::Raw;
use crate::scan::{Scan, scan};
use crate::stored::Stored;

/// What is got back from a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery<P> {
    /// What a link goes on with, by [`Link::revive`](redial::Link::revive). Its times to live are
    /// what is left now, so the link was `away` for no time.
    pub carryover: Carryover<P>,
    /// What was found.
    pub report: Report,
}

/// What was found in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// There was no log, or an empty file.
    pub fresh: bool,
    /// Sound records behind the head. A rewrite leaves of all before it what lives.
    pub records: u64,
    /// The log was closed in order: nothing is missing.
    pub clean: bool,
    /// The end may be lost: the machine went down under a policy that allows it, or a record is
    /// damaged. Then numbers have jumped by at least [`STRIDE`](crate::STRIDE), every message
    /// counts as tried, and settled ones may be back.
    pub lost: bool,
    /// What was cut off.
    pub cut: Option<Cut>,
}

/// The end of a log which was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// The first byte that was cut off.
    pub at: u64,
    /// How many there were.
    pub bytes: u64,
    /// Why.
    pub why: Why,
    /// Sound records behind the first byte that is not. None of them was used: what came before
    /// them is unknown.
    pub behind: u64,
    /// Where the bytes are kept, unless they are but [torn](Why::Torn).
    pub kept: Option<PathBuf>,
}

impl Cut {
    /// Whether more than a torn end was cut off.
    pub fn is_damage(&self) -> bool {
        self.why != Why::Torn
    }
}

/// Why the end of a log was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// The last record is not all there, as a crash in the midst of a write leaves it. It was
    /// never reported as stored.
    Torn,
    /// A record is damaged: the disk, or something that wrote to the file, is to blame.
    Broken,
    /// A record is sound and can't be: a fault of the program that wrote it.
    Impossible,
}

/// What the bytes of a log come to, without touching a disk.
///
/// # Errors
///
/// Those of opening it, but for the disk's.
pub fn recover<P: Stored>(file: &[u8], options: &Options) -> Result<Recovery<P>, OpenError> {
    Recovered::read(file, options).map(|recovered| recovered.recovery)
}

/// A recovery, and what is needed to go on writing.
pub(crate) struct Recovered<P> {
    pub(crate) recovery: Recovery<P>,
    pub(crate) ledger: Ledger,
    pub(crate) head: Head,
}

impl<P: Stored> Recovered<P> {
    pub(crate) fn fresh(options: &Options) -> Self {
        let created = options.clock.now().map_or(0, crate::record::millis);
        Self {
            recovery: Recovery {
                carryover: Carryover::default(),
                report: Report {
                    fresh: true,
                    clean: true,
                    ..Report::default()
                },
            },
            ledger: Ledger::default(),
            head: Head {
                payload: P::FORMAT,
                created,
                generation: 0,
                policy: options.sync.code(),
                boot: options.boot,
                numbers: crate::ledger::Numbers::default(),
            },
        }
    }

    pub(crate) fn read(file: &[u8], options: &Options) -> Result<Self, OpenError> {
        if file.is_empty() {
            return Ok(Self::fresh(options));
        }
        let Scan {
            head,
            mut ledger,
            records,
            clean,
            cut,
            behind,
        } = scan(file)?;
        if head.payload != P::FORMAT {
            return Err(OpenError::OtherPayload {
                found: head.payload,
                expected: P::FORMAT,
            });
        }
        let damaged = cut.as_ref().filter(|cut| cut.is_damage());
        let lost = !clean && (damaged.is_some() || head.may_have_lost(options.boot));
        let numbers = &mut ledger.numbers;
        if lost {
            // A record takes more than one byte, so what was cut has named fewer than its bytes.
            let jump = STRIDE.saturating_add(damaged.map_or(0, |cut| cut.bytes));
            for (number, behind) in [
                (&mut numbers.accepted, behind.accepted),
                (&mut numbers.sequences, behind.sequences),
                (&mut numbers.intents, behind.intents),
            ] {
                *number = (*number).max(behind).saturating_add(jump);
            }
            numbers.epochs = numbers.epochs.max(behind.epochs);
        }
        if numbers.epochs > 0 || numbers.session.is_some() {
            // Connections that never came up are not in the log, and their numbers must not come
            // again: a peer may have heard of them. The jump is written with the next head, so
            // each process begins higher than all before it.
            numbers.epochs = numbers.epochs.saturating_add(STRIDE);
        }
        if lost || numbers.up {
            // The record that says otherwise may be among what is lost.
            numbers.written = numbers.accepted;
            numbers.up = false;
        }
        ledger.read();
        let carryover = carryover(file, &ledger, options.clock.now())?;
        carryover.check().map_err(OpenError::Unusable)?;
        Ok(Self {
            recovery: Recovery {
                carryover,
                report: Report {
                    fresh: false,
                    records,
                    clean,
                    lost,
                    cut,
                },
            },
            ledger,
            head,
        })
    }
}

fn carryover<P: Stored>(
    file: &[u8],
    ledger: &Ledger,
    now: Option<Duration>,
) -> Result<Carryover<P>, OpenError> {
    let numbers = &ledger.numbers;
    let body = |at: u64, len: u32| {
        let at = usize::try_from(at).ok()?.checked_add(FRAME)?;
        let end = at.checked_add(usize::try_from(len).ok()?)?;
        Raw::decode(file.get(at..end)?)
    };
    let mut carryover = Carryover::default();
    carryover.session = numbers.session;
    carryover.server = numbers.server;
    carryover.received = numbers.received;
    carryover.received_intents = numbers.received_intents;
    carryover.sequences = numbers.sequences;
    carryover.intents = numbers.intents;
    carryover.accepted = numbers.accepted;
    carryover.epochs = numbers.epochs;
    for entry in ledger.messages() {
        let wrong = || OpenError::Payload {
            at: entry.at,
            id: Some(MessageId::from_number(entry.id)),
        };
        let Some(Raw::Accepted {
            id,
            sequence,
            expiry,
            payload,
        }) = body(entry.at, entry.len)
        else {
            return Err(wrong());
        };
        carryover.messages.push(Carried {
            id: MessageId::from_number(id),
            sequence,
            tries: u16::from(id <= numbers.written),
            resent: sequence.is_some() && id <= numbers.resent,
            ttl: expiry.map(|expiry| expiry.remaining(now)),
            payload: P::decode(payload).ok_or_else(wrong)?,
        });
    }
    for stand in ledger.standing() {
        let wrong = || OpenError::Payload {
            at: stand.at,
            id: None,
        };
        let Some(Raw::Intent { id, payload, .. }) = body(stand.at, stand.len) else {
            return Err(wrong());
        };
        carryover.standing.push(Standing {
            id,
            number: stand.number,
            payload: P::decode(payload).ok_or_else(wrong)?,
        });
    }
    Ok(carryover)
}
