//! The directory in which the server keeps its sessions.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

/// A directory of its own, removed when it is dropped.
#[derive(Debug)]
pub(super) struct Place(PathBuf);

impl Place {
    /// A new directory among the temporary ones.
    pub(super) fn new() -> io::Result<Self> {
        let random = RandomState::new().build_hasher().finish();
        let name = format!("redial-demo-{}-{random:016x}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // One that is there is somebody else's.
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Removes what is in it.
    pub(super) fn wipe(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.0)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The server may have removed it.
        let _ = fs::remove_dir_all(&self.0);
    }
}
