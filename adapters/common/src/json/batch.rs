//! Several messages as one: `{"type":"batch","messages":[..],"timestamp":..}`.

use std::fmt;
use std::fmt::Write as _;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::Message;

/// How far from either end of a text the type of a batch is looked for, in bytes. Encoders put
/// the short members before or behind the messages, in whatever order.
const NEAR: usize = 96;

/// Whether a message can stand in a batch and come out as it is: JSON text, without white space
/// around it.
pub(super) fn joins(message: &Message) -> bool {
    message.as_text().is_some_and(is_exactly_json)
}

fn is_exactly_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok_and(|value| value.get().len() == text.len())
}

/// The batch of these messages. What does not [join](joins) goes in as a string.
pub(super) fn wrap(messages: &[Message], timestamp: u64) -> String {
    let inside: usize = messages.iter().map(|message| message.len() + 1).sum();
    let mut batch = String::with_capacity(inside + 64);
    batch.push_str(r#"{"type":"batch","messages":["#);
    for (index, message) in messages.iter().enumerate() {
        if index > 0 {
            batch.push(',');
        }
        match message.as_text() {
            Some(text) if is_exactly_json(text) => batch.push_str(text),
            _ => {
                let text = String::from_utf8_lossy(message.as_bytes());
                batch.push_str(&serde_json::Value::from(text).to_string());
            }
        }
    }
    // Writing to a string does not fail.
    let _ = write!(batch, r#"],"timestamp":{timestamp}}}"#);
    batch
}

/// The messages of a batch, as they were written; `None` if the text is no batch, or one of more
/// than `most`.
pub(super) fn open(text: &str, most: usize) -> Option<Vec<&str>> {
    if !may_be(text) {
        return None;
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let messages = json.deserialize_map(Batch { most }).ok()?;
    json.end().ok()?;
    Some(messages)
}

/// Whether it is worth parsing: an object, and the word is near one of its ends.
fn may_be(text: &str) -> bool {
    const WORD: &[u8] = b"\"batch\"";
    let text = text.trim_ascii();
    let has = |part: &[u8]| part.windows(WORD.len()).any(|window| window == WORD);
    let bytes = text.as_bytes();
    let head = bytes.get(..NEAR).unwrap_or(bytes);
    let tail = bytes.len().checked_sub(NEAR).and_then(|at| bytes.get(at..));
    text.starts_with('{') && (has(head) || tail.is_some_and(has))
}

struct Batch {
    most: usize,
}

impl<'de> Visitor<'de> for Batch {
    type Value = Vec<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a batch")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<&'de str>, A::Error> {
        let (mut is_batch, mut messages, mut timestamp) = (None, None, None);
        while let Some(name) = map.next_key::<&str>()? {
            let twice = match name {
                "type" if map.next_value::<&RawValue>()?.get() == "\"batch\"" => {
                    is_batch.replace(()).is_some()
                }
                "messages" => messages
                    .replace(map.next_value_seed(Messages(self.most))?)
                    .is_some(),
                "timestamp" => timestamp.replace(map.next_value::<IgnoredAny>()?).is_some(),
                _ => return Err(A::Error::custom("no member of a batch")),
            };
            if twice {
                return Err(A::Error::custom("a member twice"));
            }
        }
        match (is_batch, messages) {
            (Some(()), Some(messages)) => Ok(messages),
            _ => Err(A::Error::custom("no batch")),
        }
    }
}

struct Messages(usize);

impl<'de> serde::de::DeserializeSeed<'de> for Messages {
    type Value = Vec<&'de str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Messages {
    type Value = Vec<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut messages = Vec::new();
        while let Some(message) = list.next_element::<&RawValue>()? {
            if messages.len() >= self.0 {
                return Err(A::Error::custom("too many messages"));
            }
            messages.push(message.get());
        }
        Ok(messages)
    }
}
