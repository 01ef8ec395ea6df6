//! The half of a log that meets the disk: it writes, syncs and rewrites. It reads no clock.

use std::io;
use std::time::Duration;

use crate::bytes::Reader;
use crate::disk::Disk;
use crate::format::{Framed, HEAD, Head};
use crate::ledger::{Ledger, Numbers, framed};
use crate::options::{Options, STRIDE, SyncPolicy};
use crate::record::{NUMBER_AT, Raw};

/// How much is written, and read, at once.
const CHUNK: usize = 256 << 10;

/// Buffers that grew beyond this are given back.
const KEEP: usize = 1 << 20;

pub(crate) struct Back<D> {
    disk: D,
    sync: SyncPolicy,
    rewrite_bytes: u64,
    rewrite_percent: u32,
    head: Head,
    ledger: Ledger,
    /// The length of the file.
    len: u64,
    /// When the oldest write that is not synced was made.
    unsynced: Option<Duration>,
    /// The numbers that are safe.
    safe: Safe,
    out: Vec<u8>,
}

/// The highest numbers that a power cut can't take back.
#[derive(Clone, Copy)]
struct Safe {
    accepted: u64,
    sequences: u64,
    intents: u64,
}

impl Safe {
    const fn of(numbers: &Numbers) -> Self {
        Self {
            accepted: numbers.accepted,
            sequences: numbers.sequences,
            intents: numbers.intents,
        }
    }

    /// Whether a jump from here would pass all that is named now.
    fn covers(self, numbers: &Numbers) -> bool {
        let within = |safe: u64, now: u64| now.saturating_sub(safe) < STRIDE;
        within(self.accepted, numbers.accepted)
            && within(self.sequences, numbers.sequences)
            && within(self.intents, numbers.intents)
    }
}

impl<D: Disk> Back<D> {
    /// Goes on with what was read from the disk, in a new file.
    pub(crate) fn start(
        disk: D,
        options: &Options,
        mut head: Head,
        ledger: Ledger,
        len: u64,
    ) -> io::Result<Self> {
        head.policy = options.sync.code();
        head.boot = options.boot;
        let mut back = Self {
            disk,
            sync: options.sync,
            rewrite_bytes: options.rewrite_bytes,
            rewrite_percent: options.rewrite_percent,
            safe: Safe::of(&ledger.numbers),
            head,
            ledger,
            len,
            unsynced: None,
            out: Vec::new(),
        };
        back.rewrite()?;
        Ok(back)
    }

    /// Writes a batch of records and does what is due: when it returns, the batch is stored as
    /// the policy has it.
    pub(crate) fn commit(&mut self, now: Duration, batch: &[u8]) -> io::Result<()> {
        self.write(now, batch)?;
        let due = match self.sync {
            SyncPolicy::Each => self.unsynced.is_some(),
            SyncPolicy::Every(_) | SyncPolicy::Never => {
                self.next_sync().is_some_and(|due| due <= now)
            }
        };
        if due || !self.safe.covers(&self.ledger.numbers) {
            self.sync()?;
        }
        if self.is_dominated() {
            self.rewrite()?;
        }
        Ok(())
    }

    /// Writes that the log ends here in order, and syncs.
    pub(crate) fn close(&mut self, now: Duration) -> io::Result<()> {
        let mut batch = vec![1, 0, 0, 0];
        Raw::Clean.encode(&mut batch);
        self.write(now, &batch)?;
        self.sync()
    }

    /// Syncs what is not synced, whatever the policy.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.unsynced.is_some() {
            self.disk.sync()?;
            self.unsynced = None;
        }
        self.safe = Safe::of(&self.ledger.numbers);
        Ok(())
    }

    /// When [`commit`](Self::commit) has something to do though nothing is appended.
    pub(crate) fn next_sync(&self) -> Option<Duration> {
        match self.sync {
            SyncPolicy::Every(interval) => self.unsynced.map(|at| at.saturating_add(interval)),
            SyncPolicy::Each | SyncPolicy::Never => None,
        }
    }

    pub(crate) fn into_disk(self) -> D {
        self.disk
    }

    /// The length of the file.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    fn write(&mut self, now: Duration, batch: &[u8]) -> io::Result<()> {
        let seed = self.head.seed();
        let mut reader = Reader::new(batch);
        self.out.clear();
        while let Some(len) = reader.u32() {
            let body = usize::try_from(len).ok().and_then(|len| reader.take(len));
            let Some((body, raw)) = body.and_then(|body| Some((body, Raw::decode(body)?))) else {
                return Err(wrong("a record that was appended is none"));
            };
            let at = self.len.saturating_add(self.out.len() as u64);
            if self.ledger.apply(&raw, at, len).is_err() {
                return Err(wrong("a record that was appended is out of order"));
            }
            seed.frame(at, body, &mut self.out);
            if self.out.len() >= CHUNK {
                self.flush(now)?;
            }
        }
        self.flush(now)?;
        if self.out.capacity() > KEEP {
            self.out = Vec::new();
        }
        Ok(())
    }

    fn flush(&mut self, now: Duration) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.unsynced.get_or_insert(now);
        self.disk.append(&self.out)?;
        self.len = self.len.saturating_add(self.out.len() as u64);
        self.out.clear();
        Ok(())
    }

    /// Whether what is dead outweighs what lives.
    fn is_dominated(&self) -> bool {
        let live = self.ledger.live();
        let dead = self.len.saturating_sub(HEAD as u64).saturating_sub(live);
        let part = u128::from(live) * u128::from(self.rewrite_percent);
        dead >= self.rewrite_bytes.max(1) && u128::from(dead) * 100 >= part
    }

    /// Writes what lives into a new file and puts it in the place of the old one. A crash before
    /// it is there leaves the old one, which holds the same.
    fn rewrite(&mut self) -> io::Result<()> {
        let mut head = self.head.clone();
        head.generation = head.generation.saturating_add(1);
        head.numbers = self.ledger.numbers.clone();
        let (old_seed, seed) = (self.head.seed(), head.seed());
        let mut ledger = self.ledger.clone();
        let mut window = Window::new(self.len);
        let mut out = Vec::new();
        let mut written = 0_u64;
        let disk = &mut self.disk;
        disk.draft()?;
        head.encode(&mut out);
        ledger.relocate(|at, len, number| {
            let record = window.read(disk, at, framed(len))?;
            let Framed::Body(body) = old_seed.judge(record, at) else {
                return Err(wrong("a record that was written is damaged"));
            };
            let place = written.saturating_add(out.len() as u64);
            match number {
                None => seed.frame(place, body, &mut out),
                Some(number) => {
                    let mut body = body.to_vec();
                    let end = NUMBER_AT.saturating_add(8);
                    if let Some(field) = body.get_mut(NUMBER_AT..end) {
                        field.copy_from_slice(&number.to_le_bytes());
                    }
                    seed.frame(place, &body, &mut out);
                }
            }
            if out.len() >= CHUNK {
                disk.append_draft(&out)?;
                written = written.saturating_add(out.len() as u64);
                out.clear();
            }
            Ok(place)
        })?;
        disk.append_draft(&out)?;
        written = written.saturating_add(out.len() as u64);
        disk.sync_draft()?;
        disk.publish()?;
        disk.sync_dir()?;
        self.head = head;
        self.ledger = ledger;
        self.len = written;
        self.unsynced = None;
        self.safe = Safe::of(&self.ledger.numbers);
        Ok(())
    }
}

/// A part of the file in memory, so that many small records are read at once.
struct Window {
    at: u64,
    bytes: Vec<u8>,
    /// The length of the file.
    end: u64,
}

impl Window {
    const fn new(end: u64) -> Self {
        Self {
            at: 0,
            bytes: Vec::new(),
            end,
        }
    }

    /// `len` bytes of the file from `at` on.
    fn read(&mut self, disk: &mut impl Disk, at: u64, len: u64) -> io::Result<&[u8]> {
        let short = || wrong("a record that was written is not there");
        let held = self.at.saturating_add(self.bytes.len() as u64);
        if at < self.at || at.saturating_add(len) > held {
            let room = self.end.saturating_sub(at);
            let size = len.max(CHUNK as u64).min(room);
            self.bytes.clear();
            self.bytes
                .resize(usize::try_from(size).map_err(|_| short())?, 0);
            disk.read_at(at, &mut self.bytes)?;
            self.at = at;
        }
        let from = usize::try_from(at.saturating_sub(self.at)).map_err(|_| short())?;
        let len = usize::try_from(len).map_err(|_| short())?;
        self.bytes
            .get(from..from.saturating_add(len))
            .ok_or_else(short)
    }
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
