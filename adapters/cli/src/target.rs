//! Addresses and headers from the command line, checked before anything is dialled.

use std::fmt;
use std::str::FromStr;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, Uri};

/// A WebSocket address that can be dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    text: String,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(format!(
                "not a URL: a WebSocket address begins with ws:// or wss://, as in ws://{text}"
            ));
        };
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            "http" => return Err(format!("http is not WebSocket; try ws://{rest}")),
            "https" => return Err(format!("https is not WebSocket; try wss://{rest}")),
            other => {
                return Err(format!(
                    "unknown scheme {other:?}: only ws and wss are known"
                ));
            }
        };
        if rest.contains('#') {
            return Err("a WebSocket address has no fragment (#..)".to_owned());
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(
                "credentials in an address are not sent; use --header 'Authorization: ..'"
                    .to_owned(),
            );
        }
        // A query right after the host is allowed in a URL, not in a request.
        let slash = if path.starts_with('/') { "" } else { "/" };
        let text = format!(
            "{}://{authority}{slash}{path}",
            if tls { "wss" } else { "ws" }
        );
        let uri: Uri = text
            .parse()
            .map_err(|error| format!("not a URL: {error}"))?;
        let bracketed = uri.host().unwrap_or_default();
        let host = bracketed.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("the host is missing".to_owned());
        }
        let port = match authority[bracketed.len()..].strip_prefix(':') {
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => {
                    return Err(format!(
                        "{port:?} is no port: it must lie between 1 and 65535"
                    ));
                }
            },
            None if tls => 443,
            None => 80,
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
            text,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Target {
    /// The request for an upgrade, with these headers in place of any of the same name.
    pub(crate) fn request(&self, headers: &[Header]) -> std::io::Result<Request> {
        let request = self.text.as_str().into_client_request();
        let mut request = request.map_err(std::io::Error::other)?;
        for Header { name, .. } in headers {
            request.headers_mut().remove(name);
        }
        for Header { name, value } in headers {
            request.headers_mut().append(name, value.clone());
        }
        Ok(request)
    }
}

/// A header for the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text
            .split_once(':')
            .ok_or("a header has the form 'Name: value'")?;
        let name: HeaderName = name.trim().parse().map_err(|_| "not a header's name")?;
        if ["upgrade", "connection", "host"].contains(&name.as_str())
            || name.as_str().starts_with("sec-websocket-") && name != "sec-websocket-protocol"
        {
            return Err(format!(
                "{name} is part of the handshake and not free to choose"
            ));
        }
        let value = value.trim().parse().map_err(|_| "not a header's value")?;
        Ok(Self { name, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_addresses_apart() {
        let cases = [
            ("ws://h", "ws://h/", "h", 80, false),
            ("WSS://h:8443/p?q=1", "wss://h:8443/p?q=1", "h", 8443, true),
            ("ws://[::1]:9/", "ws://[::1]:9/", "::1", 9, false),
            ("wss://h?token=a:b", "wss://h/?token=a:b", "h", 443, true),
        ];
        for (text, shown, host, port, tls) in cases {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.to_string(), shown);
            assert_eq!(
                (target.host.as_str(), target.port, target.tls),
                (host, port, tls)
            );
        }
    }

    #[test]
    fn says_what_is_wrong_with_an_address() {
        let cases = [
            ("localhost:80", "begins with ws://"),
            ("https://h/x", "try wss://h/x"),
            ("ftp://h", "unknown scheme \"ftp\""),
            ("ws://", "not a URL"),
            ("ws:///path", "not a URL"),
            ("ws://:80/", "missing"),
            ("ws://h:99999/", "no port"),
            ("ws://h:0/", "no port"),
            ("ws://h:/", "no port"),
            ("ws://h/#part", "fragment"),
            ("ws://me:secret@h/", "--header"),
            ("ws://h/a b", "not a URL"),
        ];
        for (text, part) in cases {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn headers_of_the_handshake_are_not_free() {
        let header: Header = "authorization:  Bearer x ".parse().unwrap();
        assert_eq!(header.value, "Bearer x");
        for wrong in [
            "nothing",
            ": x",
            "a b: c",
            "Sec-WebSocket-Key: x",
            "Host: x",
            "a: x\ny",
        ] {
            assert!(wrong.parse::<Header>().is_err(), "{wrong:?}");
        }
        assert!("Sec-WebSocket-Protocol: chat".parse::<Header>().is_ok());
    }
}
