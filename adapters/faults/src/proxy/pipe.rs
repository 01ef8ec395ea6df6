//! One direction of a connection: what is read on one side is written on the other.

use mio::event::Event;
use mio::net::TcpStream;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// How many reads in a row one direction may do before the others have their turn.
const ROUNDS: usize = 16;

/// A socket and what the kernel last said of it.
pub(super) struct Side {
    pub(super) stream: TcpStream,
    pub(super) readable: bool,
    pub(super) writable: bool,
}

impl Side {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            readable: false,
            writable: false,
        }
    }

    pub(super) fn note(&mut self, event: &Event) {
        let broken = event.is_error();
        self.readable |= event.is_readable() || event.is_read_closed() || broken;
        self.writable |= event.is_writable() || event.is_write_closed() || broken;
    }
}

/// One direction.
pub(super) struct Pipe {
    // Read and not yet written: empty unless the writing side is full.
    pending: Vec<u8>,
    ended: bool,
    told: bool,
    /// Bytes read in all.
    pub(super) passed: u64,
    credit: u64,
    counted: Instant,
}

/// How far a direction came.
pub(super) enum Pumped {
    /// Nothing more can be done until a socket is ready.
    Idle,
    /// There is more to read, but the allowance is used up.
    Held,
    /// There is more to do, and it is the others' turn.
    Busy,
}

impl Pipe {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            pending: Vec::new(),
            ended: false,
            told: false,
            passed: 0,
            credit: 0,
            counted: now,
        }
    }

    /// Moves up to `allowance` bytes and, after the last of them, the end of the stream.
    pub(super) fn pump(
        &mut self,
        from: &mut Side,
        to: &mut Side,
        mut allowance: u64,
        scratch: &mut [u8],
    ) -> io::Result<Pumped> {
        for _ in 0..ROUNDS {
            if !self.pending.is_empty() {
                let Some(written) = write(to, &self.pending)? else {
                    return Ok(Pumped::Idle);
                };
                self.pending.drain(..written);
                continue;
            }
            if self.ended {
                if !self.told {
                    crate::net::finish(&to.stream);
                    self.told = true;
                }
                return Ok(Pumped::Idle);
            }
            if !from.readable {
                return Ok(Pumped::Idle);
            }
            let most = scratch
                .len()
                .min(usize::try_from(allowance).unwrap_or(usize::MAX));
            if most == 0 {
                return Ok(Pumped::Held);
            }
            match from.stream.read(&mut scratch[..most]) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    self.passed += count as u64;
                    allowance -= count as u64;
                    let written = write(to, &scratch[..count])?.unwrap_or(0);
                    self.pending.extend_from_slice(&scratch[written..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => from.readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Pumped::Busy)
    }

    /// Reads and throws away.
    pub(super) fn swallow(&mut self, from: &mut Side, scratch: &mut [u8]) {
        if from.readable && !self.ended {
            self.ended = crate::net::discard(&mut from.stream, scratch);
            from.readable = false;
        }
    }

    /// Starts to pace anew.
    pub(super) fn restart(&mut self, now: Instant) {
        self.credit = 0;
        self.counted = now;
    }

    /// How many bytes may pass now, at `rate` bytes a second and `buffer` at once; and when more.
    ///
    /// At low rates bytes go in lots of a hundredth of a second; what is not used is kept for a
    /// tenth of a second.
    pub(super) fn earn(
        &mut self,
        rate: u32,
        buffer: usize,
        now: Instant,
    ) -> (u64, Option<Instant>) {
        let (rate, buffer) = (u64::from(rate), buffer.max(1) as u64);
        if rate == 0 {
            return (0, None);
        }
        let micros = now.saturating_duration_since(self.counted).as_micros();
        let earned = u64::try_from(micros)
            .unwrap_or(u64::MAX)
            .saturating_mul(rate)
            / 1_000_000;
        if earned > 0 {
            // Only the time that was paid out: the rest of a byte is not lost.
            self.counted += Duration::from_micros(earned.saturating_mul(1_000_000) / rate);
            self.credit = self.credit.saturating_add(earned).min((rate / 10).max(1));
        }
        let lot = (rate / 100).clamp(1, buffer);
        let wait = lot.saturating_mul(1_000_000).div_ceil(rate);
        let more = self.counted.max(now) + Duration::from_micros(wait);
        (
            if self.credit >= lot {
                self.credit.min(buffer)
            } else {
                0
            },
            Some(more),
        )
    }

    /// Takes what passed off the credit.
    pub(super) fn spend(&mut self, bytes: u64) {
        self.credit = self.credit.saturating_sub(bytes);
    }

    /// Whether everything, the end included, has been passed on.
    pub(super) fn is_done(&self) -> bool {
        self.told
    }

    /// Whether nothing that was read is still to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

fn write(to: &mut Side, bytes: &[u8]) -> io::Result<Option<usize>> {
    while to.writable {
        match to.stream.write(bytes) {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => to.writable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
