//! The faults a proxy knows.

use std::fmt::Write;
use std::time::Duration;

/// What a proxy does with connections.
///
/// A mode applies to connections accepted while it lasts and, unless its text says otherwise,
/// to those that are already open. Times and byte counts start, for a connection that is already
/// open, when the mode is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Passes everything on: bytes, half-closes and resets.
    #[default]
    Pass,
    /// Nobody listens: a connect is answered with RST. Open connections pass.
    ///
    /// The port stays bound, so that no search for a free port finds it, and listens again on
    /// leaving. What waited to be accepted is reset.
    Refuse,
    /// The host is gone: no packet of it comes or goes.
    ///
    /// On open connections no byte, FIN or RST moves; the kernel's buffers fill. On Linux a
    /// connect stays unanswered, as its SYN is dropped; elsewhere it is as in
    /// [`StallAccept`](Self::StallAccept). On leaving, everything goes on where it stopped; a
    /// connect that hung succeeds with the kernel's next try, a second or more later.
    BlackHole,
    /// Everything that arrives is read and thrown away, in both directions.
    ///
    /// A connection that lost bytes this way is not whole any more when the mode is left. A new
    /// connection is accepted, and stays silent as in [`StallHandshake`](Self::StallHandshake).
    BlackHoleSwallow,
    /// Connections are accepted by the kernel only: a connect succeeds, and nothing follows.
    ///
    /// They are served on leaving. Open connections pass.
    StallAccept,
    /// Connections are accepted and read, and never answered, even after the mode is left.
    ///
    /// Open connections pass.
    StallHandshake,
    /// Passes, and ends each connection with a FIN.
    AcceptThenDrop {
        /// How long a connection lives.
        after: Duration,
    },
    /// Passes, and ends each connection with an RST.
    ResetAfter {
        /// How long a connection lives.
        after: Duration,
    },
    /// Answers each new connection with these bytes after reading the head of its request, then
    /// ends it with a FIN; see [`http_answer`]. Open connections pass.
    Answer(Vec<u8>),
    /// Passes at a pace, with little room for bytes under way.
    ///
    /// The kernel's buffers on the proxy's side are made as small as `buffer` too (the kernel has
    /// a least size of a few KiB), so that the sender soon feels it.
    Slow {
        /// The pace in each direction; zero stands still.
        bytes_per_second: u32,
        /// How many bytes the proxy itself holds in each direction, at most.
        buffer: usize,
    },
    /// Passes exactly so many bytes in either direction, then resets the connection.
    ///
    /// `u64::MAX` stands for no limit.
    CutAfterBytes {
        /// The limit for bytes from the client.
        up: u64,
        /// The limit for bytes to the client.
        down: u64,
    },
}

impl Mode {
    /// Whether the proxy takes new connections out of the kernel's queue.
    pub(super) fn accepts(&self) -> bool {
        !matches!(self, Self::Refuse | Self::BlackHole | Self::StallAccept)
    }

    /// The size of the kernel's buffers, where it is not the usual one.
    pub(super) fn buffer(&self) -> Option<usize> {
        match self {
            Self::Slow { buffer, .. } => Some((*buffer).max(1)),
            _ => None,
        }
    }
}

/// The bytes of an HTTP/1.1 answer that ends the connection.
///
/// `Content-Length` and `Connection: close` are added unless `headers` has them.
///
/// ```
/// let busy = redial_faults::http_answer(503, "Service Unavailable", &[("Retry-After", "2")], "");
/// assert!(busy.starts_with(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\n"));
/// ```
pub fn http_answer(status: u16, reason: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status} {reason}\r\n");
    let mut line = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = write!(answer, "{name}: {value}\r\n");
    };
    for (name, value) in headers {
        line(name, value);
    }
    let has = |wanted: &str| {
        headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    if !has("Content-Length") {
        line("Content-Length", &body.len().to_string());
    }
    if !has("Connection") {
        line("Connection", "close");
    }
    answer.push_str("\r\n");
    answer.push_str(body);
    answer.into_bytes()
}
