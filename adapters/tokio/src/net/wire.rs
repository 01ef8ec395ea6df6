//! The byte stream under a protocol: plain or behind TLS, counting what moves.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP stream, behind TLS or not, that counts the bytes of both directions.
#[derive(Debug)]
pub struct Wire {
    stream: Kind,
    written: u64,
    received: u64,
}

#[derive(Debug)]
enum Kind {
    Plain(TcpStream),
    #[cfg(feature = "rustls")]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl Wire {
    pub(crate) const fn plain(stream: TcpStream) -> Self {
        Self {
            stream: Kind::Plain(stream),
            written: 0,
            received: 0,
        }
    }

    #[cfg(feature = "rustls")]
    pub(crate) fn tls(stream: tokio_rustls::client::TlsStream<TcpStream>) -> Self {
        Self {
            stream: Kind::Tls(Box::new(stream)),
            written: 0,
            received: 0,
        }
    }

    /// Bytes that the system took so far, handshakes included.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    /// Bytes that came in so far, handshakes of the upgrade included.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = match &mut self.stream {
            Kind::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        let count = buf.filled().len().saturating_sub(before);
        self.received = self.received.saturating_add(count as u64);
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = match &mut self.stream {
            Kind::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        };
        if let Poll::Ready(Ok(count)) = &polled {
            self.written = self.written.saturating_add(*count as u64);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Kind::Plain(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Kind::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(feature = "rustls")]
            Kind::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
