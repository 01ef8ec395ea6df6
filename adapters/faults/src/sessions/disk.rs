//! Sessions on disk: a file for each, to which its state is appended.
//!
//! A record is the length of its body and the body's CRC-32, both in 4 bytes, little endian, and
//! the body: the session as it is now, and what its application got since the record before. The
//! two are one write, so that no crash comes between them. The last whole record is the session;
//! what its application got is in all of them. What follows the last whole record was torn by a
//! crash, was never answered for, and is cut off.

use super::content::{Content, Got};
use super::options::Store;
use redial::server::Session;
use redial::session::SessionId;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const HEAD: usize = 8;
/// A file is written anew when it has grown by this much and more than doubled.
const GROWTH: u64 = 4 << 20;

/// What is known of a session.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Page<'a> {
    pub(super) session: &'a Session<Content>,
    /// How many messages of the feed were sent in it.
    pub(super) fed: u64,
    pub(super) got: &'a [Got],
}

/// A session that was brought back.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) session: Session<Content>,
    pub(super) fed: u64,
    pub(super) got: Vec<Got>,
    /// How long ago it was written.
    pub(super) away: Duration,
    pub(super) file: Pages,
}

#[derive(Deserialize)]
struct OwnedPage {
    session: Session<Content>,
    fed: u64,
    got: Vec<Got>,
}

/// The file of one session.
#[derive(Debug)]
pub(super) struct Pages {
    file: File,
    size: u64,
    /// The size when it was last written anew.
    compact: u64,
}

impl Pages {
    /// Whether it is time to write it anew.
    pub(super) fn is_long(&self) -> bool {
        self.size - self.compact > GROWTH.max(self.compact)
    }
}

/// The directory.
#[derive(Debug)]
pub(super) struct Disk {
    store: Store,
    /// After so many writes, one comes no further than so many bytes, and fails.
    tear: Option<(u64, usize)>,
}

impl Disk {
    pub(super) fn new(store: Store) -> io::Result<Self> {
        fs::create_dir_all(&store.directory)?;
        Ok(Self { store, tear: None })
    }

    pub(super) fn tear(&mut self, after: u64, bytes: usize) {
        self.tear = Some((after, bytes));
    }

    /// Begins the file of a session, or begins it anew: with everything that its application got.
    pub(super) fn begin(&mut self, page: Page<'_>) -> io::Result<Pages> {
        let (path, beside) = (self.path(page.session.id()), self.beside());
        let bytes = encode(page)?;
        let mut file = File::create(&beside)?;
        self.write(&mut file, &bytes)?;
        fs::rename(&beside, path)?;
        if self.store.sync {
            // The name is on the disk only when the directory is.
            #[cfg(unix)]
            File::open(&self.store.directory)?.sync_all()?;
        }
        let size = bytes.len() as u64;
        Ok(Pages {
            file,
            size,
            compact: size,
        })
    }

    /// Appends what is new of a session.
    pub(super) fn append(&mut self, pages: &mut Pages, page: Page<'_>) -> io::Result<()> {
        let bytes = encode(page)?;
        self.write(&mut pages.file, &bytes)?;
        pages.size += bytes.len() as u64;
        Ok(())
    }

    /// Forgets a session.
    pub(super) fn remove(&self, session: SessionId) -> io::Result<()> {
        fs::remove_file(self.path(session))
    }

    /// Forgets all sessions.
    pub(super) fn wipe(&self) -> io::Result<()> {
        for path in self.files()? {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// Brings all sessions back, and cuts off what was torn.
    pub(super) fn load(&self) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for path in self.files()? {
            let bytes = fs::read(&path)?;
            let Some((page, written, whole)) = parse(&bytes) else {
                // Its first record never was whole: its client was never told of it.
                fs::remove_file(path)?;
                continue;
            };
            let file = OpenOptions::new().append(true).open(path)?;
            let size = whole as u64;
            file.set_len(size)?;
            let away = wall_clock().duration_since(written);
            found.push(Found {
                session: page.session,
                fed: page.fed,
                got: page.got,
                away: away.unwrap_or_default(),
                file: Pages {
                    file,
                    size,
                    compact: 0,
                },
            });
        }
        Ok(found)
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tear {
            Some((0, length)) => {
                let length = (*length).min(bytes.len());
                self.tear = None;
                file.write_all(&bytes[..length])?;
                return Err(io::Error::other("torn, as was asked for"));
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
        file.write_all(bytes)?;
        if self.store.sync {
            file.sync_data()?;
        }
        Ok(())
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.store.directory)? {
            let path = entry?.path();
            if path.extension() == Some(OsStr::new("session")) {
                files.push(path);
            }
        }
        // The same order everywhere, for a run that can be repeated.
        files.sort();
        Ok(files)
    }

    fn path(&self, session: SessionId) -> PathBuf {
        let mut name = String::new();
        for byte in session.bytes() {
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        name.push_str(".session");
        self.store.directory.join(name)
    }

    fn beside(&self) -> PathBuf {
        self.store.directory.join("new")
    }
}

/// The only clock that two processes share.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a server was away is known by the wall clock only"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// A whole record.
fn encode(page: Page<'_>) -> io::Result<Vec<u8>> {
    let written = wall_clock().duration_since(UNIX_EPOCH);
    let written = written.unwrap_or_default();
    let mut bytes =
        postcard::to_extend(&(written, page), vec![0; HEAD]).map_err(io::Error::other)?;
    let (head, body) = bytes.split_at_mut(HEAD);
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4..].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    Ok(bytes)
}

/// The session that these records hold, when the last of them was written, and how many bytes
/// they take; `None` if there is no whole record.
fn parse(bytes: &[u8]) -> Option<(OwnedPage, SystemTime, usize)> {
    let mut rest = bytes;
    let mut got = Vec::new();
    let mut last = None;
    while let Some((body, after)) = split(rest) {
        let Ok((written, mut page)) = postcard::from_bytes::<(Duration, OwnedPage)>(body) else {
            break;
        };
        got.append(&mut page.got);
        last = Some((page, UNIX_EPOCH + written));
        rest = after;
    }
    let (last, written) = last?;
    Some((OwnedPage { got, ..last }, written, bytes.len() - rest.len()))
}

/// The body of the first record, and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let (body, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    (crc32fast::hash(body) == u32::from_le_bytes(*checksum)).then_some((body, rest))
}
