//! What tungstenite's errors and frames mean for a link.

use std::sync::{Arc, Mutex};

use redial::cause::{ProtocolError, RetryAfter, SocketError};
use redial::{Cause, Closure};
use tungstenite::Error;
use tungstenite::error::ProtocolError as Broken;
use tungstenite::http::header::{self, HeaderValue};
use tungstenite::protocol::CloseFrame;

use crate::cause::cause_of_io;
use crate::clock::unix_now;
use crate::failure::Failure;

/// An error on an open connection.
pub fn cause_of_stream(error: &Error) -> Cause {
    match error {
        Error::Io(error) => cause_of_io(error),
        Error::Tls(_) => Cause::Socket(SocketError::Tls),
        Error::Capacity(_) => Cause::Protocol(ProtocolError::TooBig),
        Error::Utf8(_) => Cause::Protocol(ProtocolError::Utf8),
        // None says more than that it is over.
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(Broken::ResetWithoutClosingHandshake | Broken::SendAfterClosing) => {
            Cause::Lost
        }
        _ => Cause::Protocol(ProtocolError::Frame),
    }
}

/// An error before the connection was open; `head` is how the server's answer began, as far as
/// it was kept.
pub fn failure_of_handshake(error: &Error, head: &[u8]) -> Failure {
    let cause = match error {
        Error::Io(error) => cause_of_io(error),
        Error::Tls(_) => Cause::Socket(SocketError::Tls),
        Error::Http(answer) => {
            let hint = answer.headers().get(header::RETRY_AFTER);
            return refused(answer.status().as_u16(), hint.map(HeaderValue::as_bytes));
        }
        Error::Protocol(Broken::WrongHttpVersion) => match refused_of_old(head) {
            Some(failure) => return failure,
            None => Cause::NotWebSocket,
        },
        // The server ended in the middle of its answer, or before it.
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(Broken::HandshakeIncomplete | Broken::ResetWithoutClosingHandshake) => {
            Cause::Lost
        }
        // Those are about the request that this side has made.
        Error::Url(_)
        | Error::Protocol(
            Broken::WrongHttpMethod | Broken::MissingSecWebSocketKey | Broken::InvalidHeader(_),
        ) => Cause::Credentials,
        _ => Cause::NotWebSocket,
    };
    Failure::new(cause, error)
}

/// A close frame of the peer: 1005 if it came without a code.
pub fn cause_of_close(frame: Option<&CloseFrame>) -> Cause {
    Cause::Close(frame.map_or(1005, |frame| frame.code.into()))
}

/// The nonce of a pong to a ping of ours, which is 8 bytes, big endian. An empty pong carries
/// none; a foreign one carries one that no ping has.
pub fn nonce_of_pong(payload: &[u8]) -> Option<u64> {
    if payload.is_empty() {
        return None;
    }
    Some(payload.try_into().map_or(u64::MAX, u64::from_be_bytes))
}

fn refused(status: u16, retry_after: Option<&[u8]>) -> Failure {
    let cause = Cause::Http(status);
    let hint = retry_after.and_then(|value| RetryAfter::parse_header(value, unix_now()));
    let closure = match hint {
        Some(hint) => Closure::hinted(cause, hint),
        None => cause.into(),
    };
    Failure::new(closure, format_args!("HTTP {status}"))
}

/// An answer of HTTP/1.0, with which proxies say that the server behind them is away.
fn refused_of_old(head: &[u8]) -> Option<Failure> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.0 ")?.get(..3)?;
    let status = status.parse().ok()?;
    let mut fields = lines.take_while(|line| !line.is_empty());
    let retry_after = fields.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let wanted = name.eq_ignore_ascii_case("retry-after");
        wanted.then(|| value.trim().as_bytes().to_vec())
    });
    Some(refused(status, retry_after.as_deref()))
}

/// The first bytes of a server's answer, for when the library can't read it.
///
/// Clones share them, as the library drops the stream with its error. Let go of it once the
/// connection is open.
#[derive(Clone, Debug, Default)]
pub struct Head(Arc<Mutex<Vec<u8>>>);

impl Head {
    /// How many bytes are kept.
    const MOST: usize = 4096;

    /// Keeps what was read, as far as there is room.
    pub fn note(&self, read: &[u8]) {
        if let Ok(mut head) = self.0.lock() {
            let room = Self::MOST.saturating_sub(head.len()).min(read.len());
            head.extend_from_slice(read.get(..room).unwrap_or_default());
        }
    }

    /// What was kept.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().map(|head| head.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use tungstenite::error::{CapacityError, UrlError};
    use tungstenite::http::Response;
    use tungstenite::protocol::frame::coding::CloseCode;

    fn answered(status: u16, retry_after: Option<&str>) -> Error {
        let mut answer = Response::builder().status(status);
        if let Some(value) = retry_after {
            answer = answer.header("Retry-After", value);
        }
        Error::Http(Box::new(answer.body(None).unwrap()))
    }

    #[test]
    fn errors_of_an_open_connection() {
        for (error, cause) in [
            (Error::ConnectionClosed, Cause::Lost),
            (Error::AlreadyClosed, Cause::Lost),
            (
                Error::Protocol(Broken::ResetWithoutClosingHandshake),
                Cause::Lost,
            ),
            (
                io::Error::from(io::ErrorKind::ConnectionReset).into(),
                Cause::Socket(SocketError::Reset),
            ),
            (
                CapacityError::MessageTooLong {
                    size: 2,
                    max_size: 1,
                }
                .into(),
                Cause::Protocol(ProtocolError::TooBig),
            ),
            (
                Error::Utf8(String::new()),
                Cause::Protocol(ProtocolError::Utf8),
            ),
            (
                Error::Protocol(Broken::NonZeroReservedBits),
                Cause::Protocol(ProtocolError::Frame),
            ),
        ] {
            assert_eq!(cause_of_stream(&error), cause, "{error}");
        }
    }

    #[test]
    fn errors_of_a_handshake() {
        for (error, cause) in [
            (Error::ConnectionClosed, Cause::Lost),
            (Error::Protocol(Broken::HandshakeIncomplete), Cause::Lost),
            (answered(200, None), Cause::Http(200)),
            (UrlError::EmptyHostName.into(), Cause::Credentials),
            (Error::Protocol(Broken::WrongHttpMethod), Cause::Credentials),
            (
                Error::Protocol(Broken::SecWebSocketAcceptKeyMismatch),
                Cause::NotWebSocket,
            ),
            (
                Error::Protocol(Broken::WrongHttpVersion),
                Cause::NotWebSocket,
            ),
            // The library says so of a server's malformed header or status too.
            (
                HeaderValue::try_from("\n").unwrap_err().into(),
                Cause::NotWebSocket,
            ),
            (CapacityError::TooManyHeaders.into(), Cause::NotWebSocket),
        ] {
            let failure = failure_of_handshake(&error, b"");
            assert_eq!(failure.closure, cause.into(), "{error}");
        }
    }

    #[test]
    fn a_refusal_carries_its_hint() {
        let hinted = Closure::hinted(Cause::Http(503), RetryAfter::seconds(60));
        let failure = failure_of_handshake(&answered(503, Some("60")), b"");
        assert_eq!(failure.closure, hinted);
        // 1994 is over: dates are held against the wall clock.
        let past = "Sun, 06 Nov 1994 08:49:37 GMT";
        let failure = failure_of_handshake(&answered(503, Some(past)), b"");
        let at_once = Closure::hinted(Cause::Http(503), RetryAfter::seconds(0));
        assert_eq!(failure.closure, at_once);
        let failure = failure_of_handshake(&answered(503, Some("soon")), b"");
        assert_eq!(failure.closure, Cause::Http(503).into());
        // The same of a proxy that speaks HTTP/1.0.
        let old = Error::Protocol(Broken::WrongHttpVersion);
        let head = b"HTTP/1.0 503 Away\r\nServer: x\r\nretry-AFTER:  60 \r\n\r\nRetry-After: 1";
        assert_eq!(failure_of_handshake(&old, head).closure, hinted);
        let head = b"HTTP/1.0 503 Away\r\n\r\nRetry-After: 1";
        let failure = failure_of_handshake(&old, head);
        assert_eq!(failure.closure, Cause::Http(503).into());
    }

    #[test]
    fn closes_and_pongs() {
        let frame = CloseFrame {
            code: CloseCode::Restart,
            reason: "".into(),
        };
        assert_eq!(cause_of_close(Some(&frame)), Cause::Close(1012));
        assert_eq!(cause_of_close(None), Cause::Close(1005));
        assert_eq!(nonce_of_pong(b""), None);
        assert_eq!(nonce_of_pong(&7_u64.to_be_bytes()), Some(7));
        assert_eq!(nonce_of_pong(b"foreign"), Some(u64::MAX));
    }

    #[test]
    fn only_the_head_of_an_answer_is_kept() {
        let head = Head::default();
        let reader = head.clone();
        reader.note(b"HTTP");
        reader.note(&[b'x'; 5000]);
        reader.note(b"more");
        let bytes = head.bytes();
        assert_eq!((bytes.len(), &bytes[..5]), (4096, &b"HTTPx"[..]));
    }
}
