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
}

/// A connection's bytes.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<rustls::StreamOwned<rustls::ServerConnection, TcpStream>>),
}

impl Stream {
    pub(super) fn new(tcp: TcpStream, security: Option<&Security>) -> io::Result<Self> {
        match security {
            None => Ok(Self::Plain(tcp)),
            #[cfg(feature = "tls")]
            Some(security) => Ok(Self::Tls(Box::new(rustls::StreamOwned::new(
                security.accept()?,
                tcp,
            )))),
            #[cfg(not(feature = "tls"))]
            Some(security) => match *security {},
        }
    }

    /// The socket below.
    pub(super) fn tcp(&self) -> &TcpStream {
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
