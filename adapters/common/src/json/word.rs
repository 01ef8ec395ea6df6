//! What is a heartbeat and what is not.

use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The longest heartbeat in bytes: a longer text is the application's, unread.
pub(super) const LONGEST: usize = 512;

/// A heartbeat of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) kind: Kind,
    /// As it was written, a number or a string with its quotes; `None` if absent or null.
    pub(super) timestamp: Option<&'a str>,
    /// Likewise.
    pub(super) connection_id: Option<&'a str>,
}

/// Which heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ping,
    Pong,
}

/// The heartbeat that this text is, if it is one. Besides the usual members it may have those
/// in `also`, which say nothing.
pub(super) fn read<'a>(text: &'a str, also: &[String]) -> Option<Word<'a>> {
    if !may_be(text) {
        return None;
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let word = json.deserialize_map(Words { also }).ok()?;
    json.end().ok()?;
    Some(word)
}

/// Whether it is worth parsing: short, an object, and with one of the two words in it.
fn may_be(text: &str) -> bool {
    text.len() <= LONGEST
        && text.trim_ascii_start().starts_with('{')
        && (text.contains("\"ping\"") || text.contains("\"pong\""))
}

struct Words<'s> {
    also: &'s [String],
}

impl<'de> Visitor<'de> for Words<'_> {
    type Value = Word<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a ping or a pong")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Word<'de>, A::Error> {
        let (mut kind, mut timestamp, mut connection_id) = (None, None, None);
        // Names are borrowed, so one with escapes is an error: no heartbeat is written so.
        while let Some(name) = map.next_key::<&str>()? {
            let value = map.next_value::<&RawValue>()?.get();
            let twice = match name {
                "type" => kind.replace(kind_of(value)?).is_some(),
                "timestamp" => timestamp.replace(scalar(value)?).is_some(),
                "connection_id" => connection_id.replace(scalar(value)?).is_some(),
                _ if self.also.iter().any(|also| also == name) => false,
                _ => return Err(A::Error::custom("no member of a heartbeat")),
            };
            if twice {
                return Err(A::Error::custom("a member twice"));
            }
        }
        Ok(Word {
            kind: kind.ok_or_else(|| A::Error::missing_field("type"))?,
            timestamp: timestamp.flatten(),
            connection_id: connection_id.flatten(),
        })
    }
}

fn kind_of<E: Error>(value: &str) -> Result<Kind, E> {
    match value {
        "\"ping\"" => Ok(Kind::Ping),
        "\"pong\"" => Ok(Kind::Pong),
        _ => Err(E::custom("another type")),
    }
}

/// A number or a string as it was written, or nothing for null.
fn scalar<E: Error>(value: &str) -> Result<Option<&str>, E> {
    match value.bytes().next() {
        Some(b'"' | b'-' | b'0'..=b'9') => Ok(Some(value)),
        Some(b'n') => Ok(None),
        _ => Err(E::custom("neither a number nor a string")),
    }
}
