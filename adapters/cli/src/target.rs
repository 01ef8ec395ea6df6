//! Addresses and headers from the command line, checked before anything is dialled.

use redial_adapter::tungstenite::handshake::client::Request;
use redial_adapter::tungstenite::http::{HeaderMap, HeaderName, HeaderValue};
use redial_adapter::{RequestError, Scheme, upgrade};
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

/// A WebSocket address that can be dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target(redial_adapter::Target);

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(format!(
                "not a URL: a WebSocket address begins with ws:// or wss://, as in ws://{text}"
            ));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" => return Err(format!("http is not WebSocket; try ws://{rest}")),
            "https" => return Err(format!("https is not WebSocket; try wss://{rest}")),
            _ => {}
        }
        if rest.contains('#') {
            return Err("a WebSocket address has no fragment (#..)".to_owned());
        }
        let target = redial_adapter::Target::url(text, &[Scheme::Ws, Scheme::Wss]);
        target.map(Self).map_err(|error| match error {
            RequestError::UnsupportedScheme(other) => {
                format!("unknown scheme {other:?}: only ws and wss are known")
            }
            RequestError::NoHost => "not a URL: the host is missing".to_owned(),
            RequestError::InvalidPort(port) => {
                format!("{port:?} is no port: it must lie between 1 and 65535")
            }
            RequestError::Credentials => {
                "credentials in an address are not sent; use --header 'Authorization: ..'"
                    .to_owned()
            }
            other => format!("not a URL: {other}"),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_url())
    }
}

impl Deref for Target {
    type Target = redial_adapter::Target;

    fn deref(&self) -> &redial_adapter::Target {
        &self.0
    }
}

impl Target {
    /// The request for an upgrade, with these headers.
    pub(crate) fn request(&self, headers: &[Header]) -> std::io::Result<Request> {
        let mut map = HeaderMap::new();
        for Header { name, value } in headers {
            map.append(name, value.clone());
        }
        upgrade::request(self, &map).map_err(std::io::Error::other)
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
        let header = upgrade::header(name.trim(), value.trim());
        let (name, value) = header.map_err(|error| error.to_string())?;
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
                (target.host(), target.port(), target.scheme().is_secure()),
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
