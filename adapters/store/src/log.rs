//! A log in the hands of one caller, who says when to write.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use crate::back::Back;
use crate::disk::Disk;
use crate::error::{Failure, OpenError, Refusal};
use crate::file::FileDisk;
use crate::front::{Front, Progress, Ticket};
use crate::options::Options;
use crate::record::Record;
use crate::recovery::{Recovered, Recovery};
use crate::stored::Stored;

/// A log without a thread: it writes when it is told to, and is told the time.
///
/// A [`Store`](crate::Store) is one with a thread that does that. This is for drivers which have
/// a thread for it already, and for tests.
pub struct Log<P, D = FileDisk> {
    pub(crate) front: Front,
    pub(crate) back: Back<D>,
    batch: Vec<u8>,
    stored: Progress,
    payload: PhantomData<fn(&P) -> P>,
}

impl<P: Stored> Log<P> {
    /// Opens the log at this path, or begins one.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; the file is then as it was.
    pub fn open(
        path: impl AsRef<Path>,
        options: &Options,
    ) -> Result<(Self, Recovery<P>), OpenError> {
        Self::over(FileDisk::open(path)?, options)
    }
}

impl<P: Stored, D: Disk> Log<P, D> {
    /// Opens the log on this disk, or begins one.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; the file is then as it was.
    pub fn over(mut disk: D, options: &Options) -> Result<(Self, Recovery<P>), OpenError> {
        let file = disk.read_all()?.unwrap_or_default();
        let Recovered {
            mut recovery,
            ledger,
            head,
        } = Recovered::read(&file, options)?;
        if let Some(cut) = recovery.report.cut.as_mut().filter(|cut| cut.is_damage()) {
            let at = usize::try_from(cut.at).unwrap_or(usize::MAX);
            let rest = file.get(at..).unwrap_or_default();
            cut.kept = Some(disk.set_aside(rest)?);
        }
        let len = file.len() as u64;
        drop(file);
        let front = Front::new(options.clone(), ledger.clone());
        let log = Self {
            stored: front.progress(),
            front,
            back: Back::start(disk, options, head, ledger, len)?,
            batch: Vec::new(),
            payload: PhantomData,
        };
        Ok((log, recovery))
    }

    /// Takes a record into memory.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing has changed then. Only messages and intents are ever refused for
    /// want of room.
    pub fn append(&mut self, record: &Record<'_, P>) -> Result<Ticket, Refusal> {
        self.front.append(record)
    }

    /// Writes what was appended, syncs what is due, and says what is stored. `now` is the time
    /// since any origin that stays the same.
    ///
    /// # Errors
    ///
    /// The disk failed. The log takes nothing more then.
    pub fn commit(&mut self, now: Duration) -> Result<Progress, Failure> {
        if let Some(failure) = self.front.failure() {
            return Err(failure.clone());
        }
        self.batch.clear();
        let progress = self.front.take(&mut self.batch);
        match self.back.commit(now, &self.batch) {
            Ok(()) => self.stored = progress,
            Err(error) => {
                let failure = Failure::from(error);
                self.front.fail(failure.clone());
                return Err(failure);
            }
        }
        Ok(self.stored)
    }

    /// Writes what was appended and that the log ends in order, syncs, and gives the disk back.
    ///
    /// # Errors
    ///
    /// The disk failed.
    pub fn close(mut self, now: Duration) -> Result<D, Failure> {
        self.commit(now)?;
        self.back.close(now)?;
        Ok(self.back.into_disk())
    }

    /// Whether a message or an intent with this payload would be taken now.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn admit(&self, payload: &P) -> Result<(), Refusal> {
        self.front.admit(payload)
    }

    /// When [`commit`](Self::commit) has something to do though nothing is appended.
    pub fn next_sync(&self) -> Option<Duration> {
        self.back.next_sync()
    }

    /// What is stored.
    pub const fn stored(&self) -> Progress {
        self.stored
    }

    /// The bytes on disk of messages without a fate and intents that stand.
    pub const fn live_bytes(&self) -> u64 {
        self.front.live()
    }

    /// The length of the file in bytes.
    pub const fn file_bytes(&self) -> u64 {
        self.back.len()
    }
}

impl<P, D> fmt::Debug for Log<P, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("stored", &self.stored)
            .finish_non_exhaustive()
    }
}
