//! A log on a real disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs4::{FileExt, TryLockError};

use crate::disk::Disk;
use crate::error::OpenError;

/// A log's file, locked against every other process and store.
///
/// Beside `NAME` stand `NAME.lock`, which stays, `NAME.new` while the file is rewritten, and
/// `NAME.cut`, `NAME.cut.1`, .. with what had to be cut off. On Unix only the owner may read
/// them: who knows a session's name can take it over.
#[derive(Debug)]
pub struct FileDisk {
    path: PathBuf,
    file: Option<File>,
    draft: Option<File>,
    lock: File,
}

impl FileDisk {
    /// Locks the log at this path, which need not exist yet. Its directory must.
    ///
    /// # Errors
    ///
    /// [`OpenError::Held`] or [`OpenError::Disk`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        // A link to the file stays a link when the file is replaced.
        let path = match fs::canonicalize(path.as_ref()) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.as_ref().to_path_buf(),
            Err(error) => return Err(error.into()),
        };
        let lock_path = beside(&path, ".lock");
        let lock = private().create(true).append(true).open(&lock_path)?;
        match FileExt::try_lock(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Held { lock: lock_path }),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let file = match private().read(true).append(true).open(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            path,
            file,
            draft: None,
            lock,
        })
    }

    fn file(&mut self) -> io::Result<&mut File> {
        self.file.as_mut().ok_or_else(missing)
    }

    fn drafted(&mut self) -> io::Result<&mut File> {
        self.draft.as_mut().ok_or_else(missing)
    }
}

impl Disk for FileDisk {
    fn read_all(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = &mut self.file else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<()> {
        // Appending is always at the end, wherever the cursor stands.
        let file = self.file()?;
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(into)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file()?.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file()?.sync_data()
    }

    fn draft(&mut self) -> io::Result<()> {
        let path = beside(&self.path, ".new");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = private()
            .read(true)
            .append(true)
            .create_new(true)
            .open(path)?;
        self.draft = Some(file);
        Ok(())
    }

    fn append_draft(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.drafted()?.write_all(bytes)
    }

    fn sync_draft(&mut self) -> io::Result<()> {
        self.drafted()?.sync_all()
    }

    fn publish(&mut self) -> io::Result<()> {
        let draft = self.draft.take().ok_or_else(missing)?;
        // Some systems don't replace a file that is open.
        self.file = None;
        fs::rename(beside(&self.path, ".new"), &self.path)?;
        self.file = Some(draft);
        Ok(())
    }

    fn sync_dir(&mut self) -> io::Result<()> {
        // Elsewhere a directory can't be opened, and renaming is as safe as it gets.
        #[cfg(unix)]
        {
            let parent = self.path.parent().filter(|it| !it.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(())
    }

    fn set_aside(&mut self, bytes: &[u8]) -> io::Result<PathBuf> {
        let mut path = beside(&self.path, ".cut");
        let mut number = 0_u64;
        let mut file = loop {
            match private().write(true).create_new(true).open(&path) {
                Ok(file) => break file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    number = number.saturating_add(1);
                    path = beside(&self.path, &format!(".cut.{number}"));
                }
                Err(error) => return Err(error),
            }
        };
        file.write_all(bytes)?;
        file.sync_all()?;
        self.sync_dir()?;
        Ok(path)
    }
}

impl Drop for FileDisk {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread is starting holds a copy for a
        // moment. Nothing can be done where it fails, and the end of the process does it.
        let _ = FileExt::unlock(&self.lock);
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

fn private() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there is no mode to set"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn missing() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "there is no such file yet")
}
