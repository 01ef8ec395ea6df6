//! The settings of a log.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// When what was appended is synced, which is: handed to the disk so that it survives a power
/// cut, as far as the disk tells the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SyncPolicy {
    /// Nothing counts as stored before it is synced. One sync serves all that was appended while
    /// the one before it ran.
    #[default]
    Each,
    /// What is stored survives the end of the process, and after this long a power cut too: a
    /// sync begins at most this long after the first write that it covers.
    Every(Duration),
    /// What is stored survives the end of the process, however it ends. **A power cut or a crash
    /// of the machine loses whatever the operating system had not written by itself**, often the
    /// last half minute. It is synced only where the file is rewritten, on a clean close, and
    /// once in [`STRIDE`] messages.
    Never,
}

impl SyncPolicy {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Never => 0,
            Self::Every(_) => 1,
            Self::Each => 2,
        }
    }
}

/// How far numbers jump where the end of a log may be lost: 1,048,576.
///
/// Sequences, intents and messages that the lost part has named must not be named again. A log
/// is synced at least once in so many of each, under every policy, so the lost part can't have
/// named more.
pub const STRIDE: u64 = 1 << 20;

/// The settings of a log.
#[derive(Clone, Debug)]
pub struct Options {
    /// When what was appended is synced. Default [`Each`](SyncPolicy::Each).
    pub sync: SyncPolicy,
    /// Bytes on disk that messages without a fate and standing intents may take; what does not
    /// fit is refused. Default 64 MiB. A file holds at most this, what is dead before it is
    /// rewritten, and `pending`.
    pub max_bytes: u64,
    /// Bytes that may wait in memory to be written; a message beyond is refused, but for one that
    /// finds nothing waiting. As much again may be in the midst of being written. Default 4 MiB.
    pub pending: usize,
    /// The file is rewritten when so many bytes in it are dead. Default 1 MiB.
    pub rewrite_bytes: u64,
    /// .. and when what is dead is this part of what lives, in percent. Default 100.
    pub rewrite_percent: u32,
    /// The clock for times to live.
    pub clock: Clock,
    /// What tells one run of the machine from another; `None` where nothing does, and then each
    /// start counts as one after a power cut. Default [`boot_id`].
    pub boot: Option<[u8; 16]>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sync: SyncPolicy::Each,
            max_bytes: 64 << 20,
            pending: 4 << 20,
            rewrite_bytes: 1 << 20,
            rewrite_percent: 100,
            clock: Clock::default(),
            boot: boot_id(),
        }
    }
}

type Read = dyn Fn() -> Option<Duration> + Send + Sync;

/// A clock that tells the time since 1970. The default is the system's.
#[derive(Clone)]
pub struct Clock(Arc<Read>);

impl Clock {
    /// A clock of one's own; it answers `None` while it is not set.
    pub fn new(read: impl Fn() -> Option<Duration> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The time since 1970.
    pub fn now(&self) -> Option<Duration> {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(redial_adapter::unix_now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}

/// What Linux calls this run of the machine; `None` elsewhere, and where it doesn't say.
pub fn boot_id() -> Option<[u8; 16]> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let number = u128::from_str_radix(&digits, 16).ok()?;
    (digits.len() == 32).then_some(number.to_be_bytes())
}
