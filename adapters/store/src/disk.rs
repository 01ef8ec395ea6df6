//! What a log needs of a disk.

use std::io;
use std::path::PathBuf;

/// One log file, the draft of its successor, and the directory that names them.
///
/// A real one is [`FileDisk`](crate::FileDisk). Only what was synced is relied upon after a
/// power cut; of the rest any prefix may be there. Of a name that was changed either state may be
/// there until the directory was synced.
pub trait Disk {
    /// The whole file; `None` if there is none.
    ///
    /// # Errors
    ///
    /// It can't be read.
    fn read_all(&mut self) -> io::Result<Option<Vec<u8>>>;

    /// Fills `into` from this place of the file on.
    ///
    /// # Errors
    ///
    /// It can't be read, or ends before.
    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<()>;

    /// Appends to the file.
    ///
    /// # Errors
    ///
    /// Not all of it was written; a part may have been.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns when all that was appended is safe from a power cut.
    ///
    /// # Errors
    ///
    /// Nothing is known of what was appended since the last sync.
    fn sync(&mut self) -> io::Result<()>;

    /// Begins an empty draft; an older one is gone.
    ///
    /// # Errors
    ///
    /// It can't be made.
    fn draft(&mut self) -> io::Result<()>;

    /// Appends to the draft.
    ///
    /// # Errors
    ///
    /// Not all of it was written.
    fn append_draft(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns when the draft's content is safe from a power cut.
    ///
    /// # Errors
    ///
    /// It may not be.
    fn sync_draft(&mut self) -> io::Result<()>;

    /// Puts the draft in the file's place, in one step: from here on it is the file.
    ///
    /// # Errors
    ///
    /// The name still stands for the old file, or already for the new one.
    fn publish(&mut self) -> io::Result<()>;

    /// Returns when the change of names is safe from a power cut.
    ///
    /// # Errors
    ///
    /// It may not be.
    fn sync_dir(&mut self) -> io::Result<()>;

    /// Keeps these bytes in a new file of their own, safe from a power cut, and says where.
    ///
    /// # Errors
    ///
    /// They are not kept.
    fn set_aside(&mut self, bytes: &[u8]) -> io::Result<PathBuf>;
}
