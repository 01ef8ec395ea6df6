//! A non-blocking stream, plain or behind TLS, that counts what moves.
//!
//! Reading never waits for writing: a peer that does not read must not keep its pong from us.

use std::io::{self, ErrorKind, Read, Write};
#[cfg(feature = "rustls")]
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;
#[cfg(feature = "rustls")]
use redial_adapter::rustls;
use redial_adapter::socket2::SockRef;
#[cfg(feature = "tungstenite")]
use redial_adapter::websocket::Head;

/// A connected socket, with TLS on it where the URL says so.
pub(crate) struct Stream {
    tcp: Counted,
    #[cfg(feature = "tungstenite")]
    head: Option<Head>,
    #[cfg(feature = "rustls")]
    tls: Option<Box<rustls::ClientConnection>>,
}

impl Stream {
    /// A plain stream that holds at most about `unsent` bytes not yet sent below this program.
    pub(crate) fn plain(tcp: TcpStream, unsent: u32) -> Self {
        redial_adapter::tune(&SockRef::from(&tcp), unsent as usize);
        Self {
            tcp: Counted {
                tcp,
                sent: 0,
                received: 0,
            },
            #[cfg(feature = "tungstenite")]
            head: None,
            #[cfg(feature = "rustls")]
            tls: None,
        }
    }

    /// The same stream with TLS on it; its handshake runs with the first write.
    #[cfg(feature = "rustls")]
    pub(crate) fn secured(
        mut self,
        config: Arc<rustls::ClientConfig>,
        host: &str,
    ) -> Result<Self, redial_adapter::Failure> {
        use redial_adapter::tls::{failed, server_name};
        let name = server_name(host)?;
        let mut tls = rustls::ClientConnection::new(config, name).map_err(failed)?;
        // What waits here waits behind pings too.
        tls.set_buffer_limit(Some(TLS_BUFFER));
        self.tls = Some(Box::new(tls));
        Ok(self)
    }

    /// Bytes given to the kernel so far.
    pub(crate) fn sent(&self) -> u64 {
        self.tcp.sent
    }

    /// Bytes taken from the kernel so far.
    pub(crate) fn received(&self) -> u64 {
        self.tcp.received
    }

    /// Keeps the first bytes that come in, for an answer that a library can't read.
    ///
    /// They are shared, as the library drops the stream with its error. Behind TLS too they are
    /// what the server wrote.
    #[cfg(feature = "tungstenite")]
    pub(crate) fn keep_head(&mut self) -> Head {
        self.head.insert(Head::default()).clone()
    }

    /// Keeps nothing more.
    #[cfg(feature = "tungstenite")]
    pub(crate) fn drop_head(&mut self) {
        self.head = None;
    }

    #[cfg(feature = "tungstenite")]
    fn note(&self, read: &[u8]) {
        if let Some(head) = &self.head {
            head.note(read);
        }
    }

    /// How long the kernel lets sent bytes go unacknowledged; `None` for its usual limit.
    ///
    /// Nothing happens where the system doesn't have this option.
    pub(crate) fn unacknowledged_for(&self, limit: Option<Duration>) {
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        let _ = SockRef::from(&self.tcp.tcp).set_tcp_user_timeout(limit);
        #[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
        let _ = limit;
    }

    #[cfg_attr(
        not(feature = "rustls"),
        expect(clippy::unused_self, reason = "without TLS there is nothing to say")
    )]
    /// Says farewell on the layer of TLS, as far as there is room for it.
    #[cfg(feature = "tungstenite")]
    pub(crate) fn farewell(&mut self) {
        #[cfg(feature = "rustls")]
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = push(tls, &mut self.tcp);
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.receive(buffer)?;
        #[cfg(feature = "tungstenite")]
        self.note(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

impl Stream {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(feature = "rustls")]
        if let Some(tls) = &mut self.tls {
            loop {
                match tls.reader().read(buffer) {
                    // It ended without a farewell; the layer above knows whether that is an end.
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    other => return other,
                }
                pull(tls, &mut self.tcp)?;
            }
        }
        self.tcp.read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(feature = "rustls")]
        if let Some(tls) = &mut self.tls {
            while tls.is_handshaking() {
                push(tls, &mut self.tcp)?;
                if tls.is_handshaking() && pull(tls, &mut self.tcp)? == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
            }
            push(tls, &mut self.tcp)?;
            let count = tls.writer().write(bytes)?;
            // What does not fit now goes with the next write or flush.
            return match push(tls, &mut self.tcp) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
                _ => Ok(count),
            };
        }
        self.tcp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        #[cfg(feature = "rustls")]
        if let Some(tls) = &mut self.tls {
            return push(tls, &mut self.tcp);
        }
        Ok(())
    }
}

/// The socket itself.
struct Counted {
    tcp: TcpStream,
    sent: u64,
    received: u64,
}

/// What rustls may hold of what is written.
#[cfg(feature = "rustls")]
const TLS_BUFFER: usize = 16 << 10;

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = again(|| self.tcp.read(buffer))?;
        self.received += count as u64;
        Ok(count)
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = again(|| self.tcp.write(bytes))?;
        self.sent += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Does it again when a signal interrupts it.
fn again(mut step: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match step() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Writes all that TLS has to send.
#[cfg(feature = "rustls")]
fn push(tls: &mut rustls::ClientConnection, tcp: &mut Counted) -> io::Result<()> {
    while tls.wants_write() {
        if tls.write_tls(tcp)? == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}

/// Reads once for TLS; answers of its own go out as far as there is room.
#[cfg(feature = "rustls")]
fn pull(tls: &mut rustls::ClientConnection, tcp: &mut Counted) -> io::Result<usize> {
    let count = tls.read_tls(tcp)?;
    let understood = tls.process_new_packets();
    let pushed = push(tls, tcp);
    understood.map_err(broken)?;
    match pushed {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(count),
    }
}

#[cfg(feature = "rustls")]
fn broken(error: rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
