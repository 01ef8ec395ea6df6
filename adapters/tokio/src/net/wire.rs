//! The byte stream under a protocol: plain or behind TLS, counting what moves.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

#[cfg(feature = "tungstenite")]
use redial_adapter::websocket::Head;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP stream, behind TLS or not, that counts the bytes of both directions.
#[derive(Debug)]
pub struct Wire {
    stream: Kind,
    written: u64,
    received: u64,
    #[cfg(feature = "tungstenite")]
    head: Option<Head>,
}

#[derive(Debug)]
enum Kind {
    Plain(TcpStream),
    #[cfg(all(feature = "rustls", feature = "tungstenite"))]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl Wire {
    pub(crate) const fn plain(stream: TcpStream) -> Self {
        Self::new(Kind::Plain(stream))
    }

    #[cfg(all(feature = "rustls", feature = "tungstenite"))]
    pub(crate) fn tls(stream: tokio_rustls::client::TlsStream<TcpStream>) -> Self {
        Self::new(Kind::Tls(Box::new(stream)))
    }

    const fn new(stream: Kind) -> Self {
        Self {
            stream,
            written: 0,
            received: 0,
            #[cfg(feature = "tungstenite")]
            head: None,
        }
    }

    /// Keeps the first bytes that come in, for an answer that a library can't read. Behind TLS
    /// too they are what the server wrote.
    #[cfg(feature = "tungstenite")]
    pub(crate) fn keep_head(&mut self) -> Head {
        self.head.insert(Head::default()).clone()
    }

    /// Keeps nothing more.
    #[cfg(feature = "tungstenite")]
    pub(crate) fn drop_head(&mut self) {
        self.head = None;
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
            #[cfg(all(feature = "rustls", feature = "tungstenite"))]
            Kind::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        let count = buf.filled().len().saturating_sub(before);
        self.received = self.received.saturating_add(count as u64);
        #[cfg(feature = "tungstenite")]
        if let Some(head) = &self.head {
            head.note(buf.filled().get(before..).unwrap_or_default());
        }
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
            #[cfg(all(feature = "rustls", feature = "tungstenite"))]
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
            #[cfg(all(feature = "rustls", feature = "tungstenite"))]
            Kind::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Kind::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(all(feature = "rustls", feature = "tungstenite"))]
            Kind::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
