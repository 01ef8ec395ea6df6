//! Length-prefixed frames on TCP.
//!
//! A frame is its length in 4 bytes, big endian, then a tag of one byte, then the payload; the
//! length counts tag and payload.
//!
//! | tag | meaning | payload |
//! | --- | --- | --- |
//! | 0 | data | the message |
//! | 1 | ping | a nonce of 8 bytes, big endian |
//! | 2 | pong | the nonce of the ping |
//! | 3 | close | none; the peer answers with one, or with the end of the stream |
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let (handle, mut incoming) = redial_tokio::tcp::tcp("example.org", 4000).spawn();
//! handle.send("hello".into()).await?;
//! # Ok(()) }
//! ```

mod frame;

use std::future::Future;

use bytes::Bytes;
use redial::Cause;
use redial_adapter::framed::{CLOSED, MOST};
use redial_adapter::{LONGEST, UNSENT};
use tokio_util::codec::Framed;

pub use self::frame::{Frame, FrameError, Framing};

use crate::builder::Builder;
use crate::codec::{Codec, Decoded, TooBig};
use crate::connector::{Attempt, Connector, Failure};
use crate::net::{Wire, dial};

/// A builder of links over framed TCP.
pub type TcpBuilder = Builder<TcpConnector, TcpCodec>;

/// An open framed TCP connection.
pub type TcpTransport = Framed<Wire, Framing>;

/// A link to a fixed host and port.
pub fn tcp(host: impl Into<String>, port: u16) -> TcpBuilder {
    let connector = TcpConnector {
        host: host.into(),
        port,
        unsent: UNSENT,
        longest: LONGEST,
    };
    let codec = TcpCodec {
        longest: LONGEST,
        pinged: 0,
    };
    Builder::new(connector, codec)
}

impl TcpBuilder {
    /// The longest message, in bytes, in either direction, default 16 MiB ([`LONGEST`]). A longer
    /// one that is to be sent is dropped, one that comes in ends the connection.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        let bytes = bytes.min(MOST);
        self.connector.longest = bytes;
        self.codec.longest = bytes;
        self
    }

    /// About how many bytes the kernel may hold unsent, default 64 KiB.
    pub fn unsent(mut self, bytes: usize) -> Self {
        self.connector.unsent = bytes.max(1);
        self
    }
}

/// Dials one host.
#[derive(Clone, Debug)]
pub struct TcpConnector {
    host: String,
    port: u16,
    unsent: usize,
    longest: usize,
}

impl Connector<TcpTransport> for TcpConnector {
    fn connect(
        &mut self,
        attempt: Attempt,
    ) -> impl Future<Output = Result<TcpTransport, Failure>> + Send + 'static {
        let this = self.clone();
        async move {
            let stream = dial(&this.host, this.port, this.unsent).await?;
            attempt.reached();
            let mut framed = Framed::new(Wire::plain(stream), Framing::new(this.longest));
            // A window goes in one write.
            framed.set_backpressure_boundary(UNSENT);
            Ok(framed)
        }
    }

    fn probe(&mut self) -> impl Future<Output = bool> + Send + 'static {
        let this = self.clone();
        async move { dial(&this.host, this.port, this.unsent).await.is_ok() }
    }
}

/// The codec of framed TCP.
#[derive(Clone, Debug)]
pub struct TcpCodec {
    longest: usize,
    /// The nonce of the peer's last ping.
    pinged: u64,
}

impl Codec for TcpCodec {
    type Message = Bytes;
    type Frame = Frame;
    type Item = Frame;
    type Error = FrameError;
    type Transport = TcpTransport;

    fn encode(&mut self, message: &Bytes) -> Result<Frame, TooBig> {
        if message.len() > self.longest {
            return Err(TooBig);
        }
        Ok(Frame::Data(message.clone()))
    }

    fn decode(&mut self, frame: Frame) -> Decoded<Bytes> {
        match frame {
            Frame::Data(bytes) => Decoded::Data(bytes),
            Frame::Ping(nonce) => {
                self.pinged = nonce;
                Decoded::Ping
            }
            Frame::Pong(nonce) => Decoded::Pong(Some(nonce)),
            Frame::Close => Decoded::Close(CLOSED.into()),
        }
    }

    fn ping(&mut self, nonce: u64) -> Option<Frame> {
        Some(Frame::Ping(nonce))
    }

    fn pong(&mut self) -> Option<Frame> {
        Some(Frame::Pong(self.pinged))
    }

    fn close(&mut self) -> Option<Frame> {
        Some(Frame::Close)
    }

    fn cause(&mut self, error: FrameError) -> Cause {
        error.cause()
    }

    fn written(&self, transport: &TcpTransport) -> Option<u64> {
        Some(transport.get_ref().written())
    }

    fn received(&self, transport: &TcpTransport) -> Option<u64> {
        Some(transport.get_ref().received())
    }
}
