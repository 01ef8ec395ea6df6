//! What people read: categories, names, advice.

use std::collections::HashSet;

use redial::cause::{Category, Cause, ProtocolError, SocketError};

use super::{PLAIN, all};

#[test]
fn every_cause_has_words_and_advice() {
    for cause in all() {
        let text = cause.to_string();
        assert!(text.len() > 8 && !text.ends_with('.'), "{cause:?}: {text}");
        let advice = cause.advice();
        assert!(advice.ends_with('.'), "{cause:?}: {advice}");
        // One sentence, whose first letter is a capital.
        assert_eq!(advice.matches('.').count(), 1, "{advice}");
        assert!(advice.starts_with(char::is_uppercase), "{advice}");
    }
    let distinct: HashSet<_> = PLAIN.iter().map(ToString::to_string).collect();
    assert_eq!(distinct.len(), PLAIN.len());
}

#[test]
fn codes_are_named() {
    let named = [
        (
            Cause::Close(1011),
            "closed by the peer with 1011 (server error)",
        ),
        (
            Cause::Close(1000),
            "closed by the peer with 1000 (normal closure)",
        ),
        (
            Cause::Close(2000),
            "closed by the peer with 2000 (reserved code)",
        ),
        (
            Cause::Close(3001),
            "closed by the peer with 3001 (registered code)",
        ),
        (
            Cause::Close(4242),
            "closed by the peer with 4242 (private code)",
        ),
        (Cause::Close(7), "closed by the peer with 7 (invalid code)"),
        (
            Cause::Http(503),
            "the upgrade was answered with HTTP 503 (service unavailable)",
        ),
        (Cause::Local(9), "ended by the application with 9"),
        (Cause::Socket(SocketError::Refused), "connection refused"),
    ];
    for (cause, text) in named {
        assert_eq!(cause.to_string(), text);
    }
    let registered = (1000..=1015).filter(|code| *code != 1004);
    let texts: HashSet<_> = registered
        .map(|code| Cause::Close(code).to_string())
        .collect();
    assert_eq!(texts.len(), 15);
    assert!(texts.iter().all(|text| !text.contains(" code)")));
}

#[test]
fn causes_with_a_number_tell_it() {
    for cause in all() {
        let expected = match cause {
            Cause::Close(n) | Cause::Http(n) | Cause::Local(n) => Some(n),
            _ => None,
        };
        assert_eq!(cause.code(), expected, "{cause:?}");
        if let Some(number) = expected {
            assert!(cause.to_string().contains(&number.to_string()));
        }
    }
}

#[test]
fn categories() {
    use Category as C;
    let rows = [
        (Cause::Close(1000), C::ConnectionFailed),
        (Cause::Close(1006), C::NetworkError),
        (Cause::Lost, C::NetworkError),
        (Cause::Close(1011), C::ServiceUnavailable),
        (Cause::Close(1012), C::ServiceUnavailable),
        (Cause::Close(1013), C::ServiceUnavailable),
        (Cause::Close(1002), C::ProtocolError),
        (Cause::Close(1009), C::ProtocolError),
        (Cause::Close(1008), C::AuthenticationFailed),
        (Cause::Close(4401), C::AuthenticationFailed),
        (Cause::Close(3008), C::Timeout),
        (Cause::Close(4000), C::ConnectionFailed),
        (Cause::Http(401), C::AuthenticationFailed),
        (Cause::Http(403), C::AuthenticationFailed),
        (Cause::Http(404), C::ConnectionFailed),
        (Cause::Http(408), C::Timeout),
        (Cause::Http(429), C::ServiceUnavailable),
        (Cause::Http(502), C::ServiceUnavailable),
        (Cause::Http(200), C::ProtocolError),
        (Cause::Http(302), C::ProtocolError),
        (Cause::NotWebSocket, C::ProtocolError),
        (Cause::Protocol(ProtocolError::Utf8), C::ProtocolError),
        (Cause::Protocol(ProtocolError::Version), C::ProtocolError),
        (Cause::Socket(SocketError::Refused), C::ConnectionFailed),
        (Cause::Socket(SocketError::Tls), C::ConnectionFailed),
        (Cause::Socket(SocketError::NameNotFound), C::NetworkError),
        (Cause::Socket(SocketError::TimedOut), C::Timeout),
        (Cause::Credentials, C::AuthenticationFailed),
        (Cause::PongTimeout, C::Timeout),
        (Cause::Preflight, C::ServiceUnavailable),
        (Cause::NetworkChanged, C::NetworkError),
        (Cause::Requested, C::ConnectionFailed),
    ];
    for (cause, category) in rows {
        assert_eq!(cause.category(), category, "{cause:?}");
    }
}

#[test]
fn a_cause_is_small() {
    assert!(size_of::<Cause>() <= 4);
    assert!(size_of::<Option<Cause>>() <= 4);
}
