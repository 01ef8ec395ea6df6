//! Errors of the operating system, and of TLS where they come as such, as causes.

use std::io::{self, ErrorKind};

use redial::Cause;
use redial::cause::{ProtocolError, SocketError};

/// What an error of the operating system means for a link.
///
/// An error of rustls inside, with the feature `rustls`, is [`SocketError::Tls`] whatever its
/// kind.
pub fn cause_of_io(error: &io::Error) -> Cause {
    if is_tls(error) {
        return Cause::Socket(SocketError::Tls);
    }
    let socket = match error.kind() {
        // An end without a goodbye.
        ErrorKind::UnexpectedEof => return Cause::Lost,
        // No system says this of a socket: a layer on it does, of what the peer said.
        ErrorKind::InvalidData => return Cause::Protocol(ProtocolError::Frame),
        ErrorKind::ConnectionRefused => SocketError::Refused,
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => SocketError::Unreachable,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            SocketError::Reset
        }
        ErrorKind::TimedOut => SocketError::TimedOut,
        ErrorKind::PermissionDenied => SocketError::PermissionDenied,
        _ => SocketError::Other,
    };
    Cause::Socket(socket)
}

#[cfg(feature = "rustls")]
fn is_tls(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
}

#[cfg(not(feature = "rustls"))]
const fn is_tls(_: &io::Error) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_their_causes() {
        for (kind, cause) in [
            (ErrorKind::UnexpectedEof, Cause::Lost),
            (
                ErrorKind::InvalidData,
                Cause::Protocol(ProtocolError::Frame),
            ),
            (
                ErrorKind::ConnectionRefused,
                Cause::Socket(SocketError::Refused),
            ),
            (
                ErrorKind::NetworkDown,
                Cause::Socket(SocketError::Unreachable),
            ),
            (ErrorKind::BrokenPipe, Cause::Socket(SocketError::Reset)),
            (ErrorKind::TimedOut, Cause::Socket(SocketError::TimedOut)),
            (
                ErrorKind::PermissionDenied,
                Cause::Socket(SocketError::PermissionDenied),
            ),
            (ErrorKind::OutOfMemory, Cause::Socket(SocketError::Other)),
        ] {
            assert_eq!(cause_of_io(&kind.into()), cause, "{kind:?}");
        }
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn tls_is_told_from_broken_frames() {
        let error = io::Error::new(ErrorKind::InvalidData, rustls::Error::DecryptError);
        assert_eq!(cause_of_io(&error), Cause::Socket(SocketError::Tls));
    }
}
