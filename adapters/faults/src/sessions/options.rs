//! What a server of sessions is started with, and what it can be told to do.

use redial::SendOptions;
use redial::server::Settings;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How a [`SessionServer`](super::SessionServer) is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// Where it listens. Default a free port of 127.0.0.1.
    pub address: SocketAddr,
    /// Frames with their length before them, as [`FramedServer`](crate::FramedServer), instead of
    /// a WebSocket. Default no.
    pub framed: bool,
    /// How each session behaves.
    pub settings: Settings,
    /// Where the sessions are kept on disk. Default nowhere: a restart forgets them.
    pub store: Option<Store>,
    /// Where the names of sessions and of the server come from, for a run that can be repeated.
    /// Default `None`: the operating system.
    pub seed: Option<u64>,
}

/// Where sessions are kept on disk, and how safely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The directory, made if it is not there. It is the server's own: one file for each session.
    pub directory: PathBuf,
    /// Whether each write reaches the disk before anything is said (`fsync`). Without it what was
    /// written survives the end of a process, but not a power cut. Default no.
    pub sync: bool,
}

/// What a server remembers when it comes up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The sessions that its store has.
    Keep,
    /// Nothing: the store is emptied.
    Wipe,
}

/// Numbered messages that the server sends in each session of its own accord.
///
/// A message is its number, from 0, and a filling behind a space. How far it got is a part of the
/// session and survives with it; a new session begins at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feed {
    /// How many messages.
    pub messages: u64,
    /// The least size of a message in bytes. Default 0.
    pub size: usize,
    /// The time between two. Default zero: as fast as the replay buffer takes them.
    pub every: Duration,
    /// How they are sent.
    pub options: SendOptions,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            framed: false,
            settings: Settings::default(),
            store: None,
            seed: None,
        }
    }
}

impl Store {
    /// Kept in this directory, without a `fsync` for each write.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            sync: false,
        }
    }
}

impl Feed {
    /// So many messages, as fast as the replay buffer takes them.
    pub const fn new(messages: u64) -> Self {
        Self {
            messages,
            size: 0,
            every: Duration::ZERO,
            options: SendOptions::new(),
        }
    }

    /// Each message at least this long, in bytes.
    #[must_use]
    pub const fn size(mut self, bytes: usize) -> Self {
        self.size = bytes;
        self
    }

    /// So long between two messages.
    #[must_use]
    pub const fn every(mut self, interval: Duration) -> Self {
        self.every = interval;
        self
    }

    pub(super) fn message(&self, number: u64) -> String {
        let mut text = number.to_string();
        if text.len() < self.size {
            text.push(' ');
            text.extend(std::iter::repeat_n('.', self.size - text.len()));
        }
        text
    }
}
