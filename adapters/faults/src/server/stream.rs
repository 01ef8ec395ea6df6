//! The transport of a server's connection: TCP as it is, or behind TLS.

use mio::net::TcpStream;
use std::io::{self, Read, Write};

#[cfg(feature = "tls")]
pub(crate) use crate::tls::Security;

/// Without the feature `tls` there is none, and no value of it.
#[cfg(not(feature = "tls"))]
#[derive(Debug)]
pub(crate) enum Security {}

#[cfg(not(feature = "tls"))]
impl Security {
    pub(crate) fn certificate(&self) -> &[u8] {
        match *self {}
    }

    pub(super) fn secure(&self, _: TcpStream) -> io::Result<Stream> {
        match *self {}
    }
}

#[cfg(feature = "tls")]
impl Security {
    /// Puts a connection that was just accepted behind TLS.
    pub(super) fn secure(&self, tcp: TcpStream) -> io::Result<Stream> {
        Ok(Stream::Tls(Box::new(rustls::StreamOwned::new(
            self.accept()?,
            tcp,
        ))))
    }
}

/// A connection's bytes.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<rustls::StreamOwned<rustls::ServerConnection, TcpStream>>),
}

impl Stream {
    /// The socket below.
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => &tls.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.flush(),
        }
    }
}
