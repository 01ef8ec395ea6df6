//! The head of a client's request, and the answers to it.

use crate::proxy::http_answer;
use tungstenite::handshake::derive_accept_key;

/// What a client asked for when it opened its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The method, `GET` for a WebSocket.
    pub method: String,
    /// The path with its query, such as `/feed?token=1`.
    pub path: String,
    /// The header lines as they came: name and value.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// Reads the head of a request, without the empty line at its end.
    pub(super) fn parse(head: &[u8]) -> Option<Self> {
        let head = std::str::from_utf8(head).ok()?;
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        Some(Self {
            method,
            path,
            headers,
        })
    }

    /// The value of the first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The value of the first query parameter of that name, as it stands in the path.
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.path.split_once('?')?;
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// The bearer token of the header `Authorization`, else the query parameter `token`.
    pub fn bearer(&self) -> Option<&str> {
        match self.header("Authorization") {
            Some(value) => value.strip_prefix("Bearer "),
            None => self.query("token"),
        }
    }

    /// The answer that opens a WebSocket; `None` if that was not asked for.
    pub(super) fn upgrade(&self) -> Option<Vec<u8>> {
        let upgrade = self.header("Upgrade")?;
        let key = self.header("Sec-WebSocket-Key")?;
        if !upgrade.eq_ignore_ascii_case("websocket") {
            return None;
        }
        let accept = derive_accept_key(key.as_bytes());
        let mut answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n"
        );
        // A client that offers protocols refuses an answer that takes none of them.
        if let Some(protocol) = self
            .header("Sec-WebSocket-Protocol")
            .and_then(|offered| offered.split(',').next())
        {
            answer.push_str("Sec-WebSocket-Protocol: ");
            answer.push_str(protocol.trim());
            answer.push_str("\r\n");
        }
        answer.push_str("\r\n");
        Some(answer.into_bytes())
    }

    /// The answer to a request that is not for a WebSocket.
    pub(super) fn plain(&self) -> Vec<u8> {
        match self.path.split('?').next() {
            Some("/health") => refusal(200, &[]),
            _ => refusal(426, &[("Upgrade".to_owned(), "websocket".to_owned())]),
        }
    }
}

/// An HTTP answer with the status' usual reason and no body.
pub(super) fn refusal(status: u16, headers: &[(String, String)]) -> Vec<u8> {
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    http_answer(status, reason(status), &headers, "")
}

fn reason(status: u16) -> &'static str {
    tungstenite::http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Unknown")
}
