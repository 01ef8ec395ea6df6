//! The messages of graphql-transport-ws as text.

use redial_tokio::Message;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// What every message has, with the payload unread.
#[derive(Debug, Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) id: Option<String>,
    #[serde(borrow)]
    pub(crate) payload: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    /// The message that this text is; `None` if it is none.
    pub(crate) fn read(message: &'a Message) -> Option<Self> {
        serde_json::from_str(message.as_text()?).ok()
    }
}

/// An operation: a query, a mutation or a subscription.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The document.
    pub query: String,
    /// The values of its variables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<Value>,
    /// Which operation of the document, where it has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_name: Option<String>,
}

impl From<&str> for Request {
    fn from(query: &str) -> Self {
        Self {
            query: query.to_owned(),
            ..Self::default()
        }
    }
}

/// What is written: members in this order, absent ones left out.
#[derive(Serialize)]
struct Written<'a, P> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<P>,
}

pub(crate) fn connection_init(payload: Option<Value>) -> Message {
    write("connection_init", None, payload)
}

pub(crate) fn subscribe(id: &str, request: &Request) -> Message {
    write("subscribe", Some(id), Some(request))
}

pub(crate) fn complete(id: &str) -> Message {
    write("complete", Some(id), None::<Value>)
}

pub(crate) fn ping(nonce: u64) -> Message {
    // As text: not every peer keeps 64 bits of a number.
    let nonce = serde_json::json!({ "nonce": nonce.to_string() });
    write("ping", None, Some(nonce))
}

pub(crate) fn pong(payload: Option<&RawValue>) -> Message {
    write("pong", None, payload)
}

/// The nonce in the payload of a pong.
pub(crate) fn nonce(payload: &RawValue) -> Option<u64> {
    #[derive(Deserialize)]
    struct Payload {
        nonce: String,
    }
    let payload: Payload = serde_json::from_str(payload.get()).ok()?;
    payload.nonce.parse().ok()
}

fn write<P: Serialize>(kind: &'static str, id: Option<&str>, payload: Option<P>) -> Message {
    let written = Written { id, kind, payload };
    // Strings, values and raw JSON all have a form in JSON.
    Message::text(serde_json::to_string(&written).unwrap_or_default())
}
