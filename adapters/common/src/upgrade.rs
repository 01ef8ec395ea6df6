//! The request of an upgrade, its headers, and where a 3xx answer to it leads.

use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Request;
use tungstenite::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use tungstenite::http::{Response, StatusCode};

use crate::error::RequestError;
use crate::target::{Scheme, Target};

/// What the upgrade itself is made of; every request brings its own.
const OF_UPGRADE: [HeaderName; 5] = [
    header::HOST,
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_KEY,
];

/// What else is not for a user to set: it would promise what the library does not do.
const RESERVED: [HeaderName; 4] = [
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::SEC_WEBSOCKET_ACCEPT,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
];

/// What is for the eyes of one server only.
const SECRET: [HeaderName; 3] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::PROXY_AUTHORIZATION,
];

/// A header that the user sets.
///
/// # Errors
///
/// If name or value can't be sent, or the handshake sets this header by itself.
pub fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), RequestError> {
    let malformed = || RequestError::InvalidHeader(name.to_owned());
    let header = HeaderName::try_from(name).map_err(|_| malformed())?;
    if OF_UPGRADE.contains(&header) || RESERVED.contains(&header) {
        return Err(RequestError::ReservedHeader(name.to_owned()));
    }
    let value = HeaderValue::try_from(value).map_err(|_| malformed())?;
    Ok((header, value))
}

/// The request of an upgrade, with a key of its own.
///
/// # Errors
///
/// If the target is none of a URL.
pub fn request(target: &Target, headers: &HeaderMap) -> Result<Request, RequestError> {
    let url = target.to_url();
    let mut request = url
        .as_str()
        .into_client_request()
        .map_err(|_| RequestError::InvalidUrl(url))?;
    for (name, value) in headers {
        request.headers_mut().append(name, value.clone());
    }
    Ok(request)
}

/// What a redirect asks for: the target and the headers of the next request; `None` if the
/// answer is no redirect.
///
/// Of `headers`, those of the upgrade itself are left out. `Authorization`, `Proxy-Authorization`
/// and `Cookie` stay behind where it leads to another origin, plain text to TLS included; other
/// headers go along.
///
/// # Errors
///
/// In words, where it leads from TLS to plain text, or nowhere.
pub fn redirect<B>(
    from: &Target,
    headers: &HeaderMap,
    answer: &Response<B>,
    known: &[Scheme],
) -> Result<Option<(Target, HeaderMap)>, String> {
    let redirects = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    let location = answer.headers().get(header::LOCATION);
    let Some(location) = location.filter(|_| redirects.contains(&answer.status())) else {
        return Ok(None);
    };
    let location = location
        .to_str()
        .map_err(|_| "redirected to an address that is no text".to_owned())?;
    let to = from
        .join(location, known)
        .map_err(|error| format!("redirected to {location:?}: {error}"))?;
    let stays = |name: &HeaderName| {
        OF_UPGRADE.contains(name) || SECRET.contains(name) && !from.is_same_origin(&to)
    };
    let mut kept = HeaderMap::new();
    for (name, value) in headers {
        if !stays(name) {
            kept.append(name, value.clone());
        }
    }
    Ok(Some((to, kept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Scheme] = &[Scheme::Ws, Scheme::Wss];

    fn redirected(
        from: &str,
        status: u16,
        to: &str,
    ) -> Result<Option<(Target, HeaderMap)>, String> {
        let from = Target::url(from, KNOWN).unwrap();
        let secret = [
            header("Authorization", "Bearer x").unwrap(),
            header("Cookie", "y").unwrap(),
            header("Proxy-Authorization", "z").unwrap(),
            header("X-Kept", "1").unwrap(),
            header("X-Kept", "2").unwrap(),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in secret {
            headers.append(name, value);
        }
        // As an adapter has them that keeps whole requests.
        let headers = request(&from, &headers).unwrap().headers().clone();
        let answer = Response::builder()
            .status(status)
            .header(header::LOCATION, to)
            .body(())
            .unwrap();
        redirect(&from, &headers, &answer, KNOWN)
    }

    #[test]
    fn leads_on_within_the_origin_with_credentials() {
        for to in [
            "/y?z=1",
            "y?z=1",
            "ws://a.example:80/y?z=1",
            "http://A.example/y?z=1",
        ] {
            let (target, headers) = redirected("ws://a.example/x", 302, to).unwrap().unwrap();
            assert_eq!(target.to_url(), "ws://a.example/y?z=1");
            assert_eq!(headers.len(), 5, "{to}");
            let request = request(&target, &headers).unwrap();
            assert_eq!(request.headers()["host"], "a.example");
            assert_eq!(request.headers()["authorization"], "Bearer x");
        }
    }

    #[test]
    fn leaves_credentials_behind_at_another_origin() {
        for to in [
            "https://b.example/y",
            "//b.example/y",
            "ws://a.example:81/y",
            "wss://a.example/y",
        ] {
            let (_, headers) = redirected("ws://a.example/x", 307, to).unwrap().unwrap();
            let kept: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
            assert_eq!(kept, ["x-kept"], "{to}");
            assert_eq!(headers.len(), 2);
        }
    }

    #[test]
    fn only_redirects_lead_anywhere() {
        for status in [200, 300, 304, 305, 401, 503] {
            assert_eq!(redirected("ws://a/", status, "/y"), Ok(None), "{status}");
        }
        for status in [301, 302, 303, 307, 308] {
            assert!(redirected("ws://a/", status, "/y").unwrap().is_some());
        }
        let from = Target::url("ws://a/", KNOWN).unwrap();
        let nowhere = Response::builder().status(302).body(()).unwrap();
        let next = redirect(&from, &HeaderMap::new(), &nowhere, KNOWN);
        assert_eq!(next, Ok(None));
    }

    #[test]
    fn refuses_plain_text_after_tls_and_other_schemes() {
        for to in ["http://a.example/x", "ws://a.example/x", "ftp://a.example/"] {
            redirected("wss://a.example/x", 302, to).unwrap_err();
        }
    }

    #[test]
    fn headers_of_the_handshake_are_not_free() {
        let reserved = |name: &str| Err(RequestError::ReservedHeader(name.to_owned()));
        for name in ["Upgrade", "Host", "SEC-WebSocket-Key", "Content-Length"] {
            assert_eq!(header(name, "x"), reserved(name));
        }
        assert!(header("Sec-WebSocket-Protocol", "chat").is_ok());
        for (name, value) in [("X", "a\r\nb"), ("a b", "c"), ("", "x")] {
            let malformed = RequestError::InvalidHeader(name.to_owned());
            assert_eq!(header(name, value), Err(malformed));
        }
    }
}
