//! Where a 3xx answer leads.

use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::{Request, Response};
use tungstenite::http::header::{self, HeaderName};
use url::Url;

/// What the upgrade itself is made of; a new request brings its own.
pub(super) const OF_UPGRADE: [HeaderName; 5] = [
    header::HOST,
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_KEY,
];

/// What is for the eyes of one server only.
const SECRET: [HeaderName; 3] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::PROXY_AUTHORIZATION,
];

/// The request that a redirect asks for; `None` if the answer is no redirect.
///
/// Credentials stay behind where it leads to another origin.
///
/// # Errors
///
/// In words, where it leads from TLS to plain text, or nowhere.
pub(super) fn next(request: &Request, response: &Response) -> Result<Option<Request>, String> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(header::LOCATION) else {
        return Ok(None);
    };
    let location = location
        .to_str()
        .map_err(|_| "redirected to an address that is no text".to_owned())?;
    let from = Url::parse(&request.uri().to_string()).map_err(|error| error.to_string())?;
    let mut to = from
        .join(location)
        .map_err(|error| format!("redirected to {location}: {error}"))?;
    let scheme = match to.scheme() {
        "http" | "ws" => "ws",
        "https" | "wss" => "wss",
        other => return Err(format!("redirected to the scheme {other}")),
    };
    if from.scheme() == "wss" && scheme == "ws" {
        return Err(format!("redirected from TLS to plain text: {to}"));
    }
    to = Url::parse(&to.as_str().replacen(to.scheme(), scheme, 1))
        .map_err(|error| error.to_string())?;
    to.set_fragment(None);
    let same_origin = (from.scheme(), from.host_str(), from.port_or_known_default())
        == (to.scheme(), to.host_str(), to.port_or_known_default());
    let mut made = to
        .as_str()
        .into_client_request()
        .map_err(|error| format!("redirected to {to}: {error}"))?;
    for (name, value) in request.headers() {
        let stays = SECRET.contains(name) && !same_origin;
        if !OF_UPGRADE.contains(name) && !stays {
            made.headers_mut().append(name, value.clone());
        }
    }
    Ok(Some(made))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirected(from: &str, to: &str) -> Result<Option<Request>, String> {
        let mut request = from.into_client_request().map_err(|e| e.to_string())?;
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, "Bearer x".parse().map_err(|_| "")?);
        headers.insert(header::PROXY_AUTHORIZATION, "y".parse().map_err(|_| "")?);
        headers.insert("x-kept", "1".parse().map_err(|_| "")?);
        let response = tungstenite::http::Response::builder()
            .status(302)
            .header(header::LOCATION, to)
            .body(None)
            .map_err(|e| e.to_string())?;
        next(&request, &response)
    }

    #[test]
    fn leads_on_within_the_origin_with_credentials() {
        let next = redirected("ws://a.example/x", "/y?z=1").unwrap().unwrap();
        assert_eq!(next.uri().to_string(), "ws://a.example/y?z=1");
        assert!(next.headers().contains_key(header::AUTHORIZATION));
        assert!(next.headers().contains_key("x-kept"));
    }

    #[test]
    fn leaves_credentials_behind_at_another_origin() {
        let next = redirected("ws://a.example/x", "https://b.example/y")
            .unwrap()
            .unwrap();
        assert_eq!(next.uri().to_string(), "wss://b.example/y");
        assert!(!next.headers().contains_key(header::AUTHORIZATION));
        assert!(!next.headers().contains_key(header::PROXY_AUTHORIZATION));
        assert!(next.headers().contains_key("x-kept"));
    }

    #[test]
    fn refuses_plain_text_after_tls_and_other_schemes() {
        for to in ["http://a.example/x", "ws://a.example/x", "ftp://a.example/"] {
            redirected("wss://a.example/x", to).unwrap_err();
        }
    }
}
