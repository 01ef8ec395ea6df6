//! The format of the file, byte by byte. Version 1.
//!
//! A file is a head of 156 bytes, then records. All numbers are little-endian. A checksum is
//! CRC-32 as in zlib and PNG (polynomial 0xEDB88320, reflected).
//!
//! # Head
//!
//! Written whole into a new file which is synced and then renamed, so it is never torn. It holds
//! what the records before the last rewrite came to.
//!
//! | at | bytes | what |
//! | --- | --- | --- |
//! | 0 | 8 | `89 72 64 6c 0d 0a 1a 0a`, which no transfer as text leaves whole |
//! | 8 | 4 | version of the format: 1. A reader refuses what is newer |
//! | 12 | 4 | encoding of payloads, [`Stored::FORMAT`](crate::Stored::FORMAT) |
//! | 16 | 8 | when the log was begun, in milliseconds since 1970; 0 if no clock was set |
//! | 24 | 8 | generation: 1, and one more with each rewrite |
//! | 32 | 1 | flags: 1 a connection was up, 2 with session, 4 with server, 8 with boot |
//! | 33 | 1 | policy of sync: 0 never, 1 every so often, 2 each |
//! | 34 | 6 | zero |
//! | 40 | 16 | the boot of the machine under which this was written (Linux: `boot_id`) |
//! | 56 | 16 | session |
//! | 72 | 16 | server |
//! | 88 | 8 | last sequence received |
//! | 96 | 8 | last intent received |
//! | 104 | 8 | last sequence given |
//! | 112 | 8 | number of the last intent |
//! | 120 | 8 | last message accepted |
//! | 128 | 8 | last epoch |
//! | 136 | 8 | messages up to this one may have been written |
//! | 144 | 8 | messages up to this one were written in a session before this one |
//! | 152 | 4 | checksum of bytes 0 to 151 |
//!
//! # Record
//!
//! | at | bytes | what |
//! | --- | --- | --- |
//! | 0 | 4 | n, the length of the body, at least 1 |
//! | 4 | 4 | checksum of the seed and the length (4 bytes) |
//! | 8 | 4 | checksum of the seed and the body |
//! | 12 | n | body |
//!
//! The seed is bytes 16 to 31 of the head, then the record's place in the file (8 bytes).
//!
//! The length has a checksum of its own so that a record which the file's end cuts off can be
//! told from one whose length is damaged. Place and generation are in the checksums so that no
//! payload that looks like a record, and no block of an older file, counts as one.
//!
//! # Body
//!
//! The first byte is the kind. `id` is the number of a message. What stands in brackets is there
//! where its flag is set. An expiry is the deadline in milliseconds since 1970 and the whole time
//! to live in milliseconds, 8 bytes each.
//!
//! | kind | what | bytes behind it |
//! | --- | --- | --- |
//! | 1 | accepted | flags (1 sequence, 2 expiry), id 8, \[sequence 8\], \[expiry 16\], payload |
//! | 2 | settled | first id 8, last id 8 |
//! | 3 | session | flags (1: session, 2: server), session 16, server 16 |
//! | 4 | received | sequence 8, intents 8 |
//! | 5 | intent | the application's id 8, number 8, payload |
//! | 6 | numbered | the application's id 8, number 8 |
//! | 7 | withdrawn | the application's id 8 |
//! | 8 | up | epoch 8 |
//! | 9 | down | id 8 |
//! | 10 | resent | id 8 |
//! | 11 | clean | |
//!
//! The ids of accepted messages grow, and so do their sequences.

use crc32fast::Hasher;

use redial::session::{ServerId, SessionId};

use crate::bytes::{Reader, put_u32, put_u64};
use crate::error::OpenError;
use crate::ledger::Numbers;
use crate::options::SyncPolicy;

/// The version of the format.
pub const VERSION: u32 = 1;
/// The length of the head.
pub const HEAD: usize = 156;
/// The length of what stands before the body of a record.
pub const FRAME: usize = 12;

const MAGIC: [u8; 8] = *b"\x89rdl\r\n\x1a\n";

const UP: u8 = 1;
const SESSION: u8 = 2;
const SERVER: u8 = 4;
const BOOT: u8 = 8;

/// What the head of a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) payload: u32,
    pub(crate) created: u64,
    pub(crate) generation: u64,
    pub(crate) policy: u8,
    pub(crate) boot: Option<[u8; 16]>,
    pub(crate) numbers: Numbers,
}

impl Head {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let numbers = &self.numbers;
        out.extend_from_slice(&MAGIC);
        put_u32(out, VERSION);
        put_u32(out, self.payload);
        put_u64(out, self.created);
        put_u64(out, self.generation);
        let flags = [
            (numbers.up, UP),
            (numbers.session.is_some(), SESSION),
            (numbers.server.is_some(), SERVER),
            (self.boot.is_some(), BOOT),
        ];
        let set = flags.iter().filter(|flag| flag.0);
        out.push(set.fold(0, |all, flag| all | flag.1));
        out.push(self.policy);
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&self.boot.unwrap_or_default());
        out.extend_from_slice(&numbers.session.map_or([0; 16], |it| it.bytes()));
        out.extend_from_slice(&numbers.server.map_or([0; 16], |it| it.bytes()));
        for number in [
            numbers.received,
            numbers.received_intents,
            numbers.sequences,
            numbers.intents,
            numbers.accepted,
            numbers.epochs,
            numbers.written,
            numbers.resent,
        ] {
            put_u64(out, number);
        }
        let checksum = crc32fast::hash(out.get(start..).unwrap_or_default());
        put_u32(out, checksum);
    }

    pub(crate) fn decode(file: &[u8]) -> Result<Self, OpenError> {
        if !file.starts_with(&MAGIC) {
            return Err(OpenError::NotALog);
        }
        let head = file.get(..HEAD).ok_or(OpenError::Damaged)?;
        let mut reader = Reader::new(head);
        let read = (|| {
            reader.take(MAGIC.len())?;
            let version = reader.u32()?;
            if version > VERSION {
                // Nothing behind the version is known of a newer format.
                return Some(Err(OpenError::Newer {
                    found: version,
                    known: VERSION,
                }));
            }
            let payload = reader.u32()?;
            let created = reader.u64()?;
            let generation = reader.u64()?;
            let flags = reader.u8()?;
            let policy = reader.u8()?;
            reader.take(6)?;
            let boot = reader.array()?;
            let session = reader.array()?;
            let server = reader.array()?;
            let numbers = Numbers {
                up: flags & UP != 0,
                session: (flags & SESSION != 0).then_some(SessionId::new(session)),
                server: (flags & SERVER != 0).then_some(ServerId::new(server)),
                received: reader.u64()?,
                received_intents: reader.u64()?,
                sequences: reader.u64()?,
                intents: reader.u64()?,
                accepted: reader.u64()?,
                epochs: reader.u64()?,
                written: reader.u64()?,
                resent: reader.u64()?,
            };
            let checksum = reader.u32()?;
            let sound = version == VERSION
                && checksum == crc32fast::hash(head.get(..HEAD.saturating_sub(4))?);
            Some(if sound {
                Ok(Self {
                    payload,
                    created,
                    generation,
                    policy,
                    boot: (flags & BOOT != 0).then_some(boot),
                    numbers,
                })
            } else {
                Err(OpenError::Damaged)
            })
        })();
        read.unwrap_or(Err(OpenError::Damaged))
    }

    /// Whether the file that this heads may have lost its end when the machine went down, given
    /// the boot that runs now.
    pub(crate) fn may_have_lost(&self, boot: Option<[u8; 16]>) -> bool {
        let same_boot = self.boot.is_some() && self.boot == boot;
        self.policy != SyncPolicy::Each.code() && !same_boot
    }

    pub(crate) fn seed(&self) -> Seed {
        let mut hasher = Hasher::new();
        hasher.update(&self.created.to_le_bytes());
        hasher.update(&self.generation.to_le_bytes());
        Seed(hasher)
    }
}

/// What the checksums of one file's records begin with.
#[derive(Clone, Debug)]
pub(crate) struct Seed(Hasher);

/// What stands at a place in a file.
pub(crate) enum Framed<'a> {
    /// A sound record.
    Body(&'a [u8]),
    /// The end.
    End,
    /// The beginning of a record that the end cuts off, or room that was never written.
    Torn,
    /// Nothing of the kind.
    Broken,
}

impl Seed {
    /// Appends the frame of a record that will stand at `at`, and its body.
    pub(crate) fn frame(&self, at: u64, body: &[u8], out: &mut Vec<u8>) {
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        put_u32(out, len);
        put_u32(out, self.checksum(at, &len.to_le_bytes()));
        put_u32(out, self.checksum(at, body));
        out.extend_from_slice(body);
    }

    /// Reads what stands at `at` in a file.
    pub(crate) fn read<'a>(&self, file: &'a [u8], at: usize) -> Framed<'a> {
        let rest = file.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Framed::End;
        }
        self.judge(rest, u64::try_from(at).unwrap_or(u64::MAX))
    }

    /// Reads a record from bytes which begin at `place` in their file.
    pub(crate) fn judge<'a>(&self, rest: &'a [u8], place: u64) -> Framed<'a> {
        let mut reader = Reader::new(rest);
        let frame = (|| Some((reader.u32()?, reader.u32()?, reader.u32()?)))();
        let Some((len, head, sum)) = frame else {
            return Framed::Torn;
        };
        if len == 0 || head != self.checksum(place, &len.to_le_bytes()) {
            return if rest.iter().all(|byte| *byte == 0) {
                Framed::Torn
            } else {
                Framed::Broken
            };
        }
        let body = usize::try_from(len).ok().and_then(|len| reader.take(len));
        match body {
            None => Framed::Torn,
            Some(body) if sum == self.checksum(place, body) => Framed::Body(body),
            Some(_) => Framed::Broken,
        }
    }

    /// Whether a sound record may stand at `at`: quick, for a search.
    pub(crate) fn may_be(&self, file: &[u8], at: usize) -> bool {
        let rest = file.get(at..).unwrap_or_default();
        let mut reader = Reader::new(rest);
        let Some(len) = reader.u32() else {
            return false;
        };
        let room = rest.len().saturating_sub(FRAME);
        len > 0
            && usize::try_from(len).is_ok_and(|len| len <= room)
            && reader.u32() == Some(self.checksum(at as u64, &len.to_le_bytes()))
    }

    fn checksum(&self, at: u64, bytes: &[u8]) -> u32 {
        let mut hasher = self.0.clone();
        hasher.update(&at.to_le_bytes());
        hasher.update(bytes);
        hasher.finalize()
    }
}
