//! Any message at all, against a reference on parsed JSON.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::json::word::{self, Kind};

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "ping|pong|batch|.{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            members(inner).prop_map(Value::Object),
        ]
    })
}

fn members(
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = serde_json::Map<String, Value>> {
    let name = prop_oneof![
        4 => "type|timestamp|connection_id|messages",
        1 => ".{0,4}",
    ];
    let value = prop_oneof![2 => "ping|pong|batch".prop_map(Value::from), 1 => value];
    prop::collection::vec((name, value), 0..4).prop_map(|all| all.into_iter().collect())
}

/// What a heartbeat is, by the table in the documentation, on parsed JSON.
fn model(value: &Value) -> Option<Kind> {
    let object = value.as_object()?;
    let kind = match object.get("type")?.as_str()? {
        "ping" => Kind::Ping,
        "pong" => Kind::Pong,
        _ => return None,
    };
    let fits = |(name, value): (&String, &Value)| match name.as_str() {
        "type" => true,
        "timestamp" | "connection_id" => value.is_number() || value.is_string() || value.is_null(),
        _ => false,
    };
    object.iter().all(fits).then_some(kind)
}

proptest! {
    #[test]
    fn what_is_a_heartbeat_is_what_the_table_says(value in members(json()).prop_map(Value::Object)) {
        let text = value.to_string();
        prop_assume!(text.len() <= word::LONGEST);
        let read = word::read(&text, &[]).map(|word| word.kind);
        prop_assert_eq!(read, model(&value), "{}", text);
    }

    #[test]
    fn no_message_is_swallowed_and_none_makes_it_panic(
        texts in prop::collection::vec(prop_oneof![
            ".{0,40}",
            "\\{\"type\":\"(ping|pong|batch)\"[,:\"{}\\[\\]a-z0-9]{0,20}\\}?",
            json().prop_map(|value| value.to_string()),
        ], 0..20),
        style in prop_oneof![Just(Style::Bare), Just(Style::Timestamp), Just(Style::ConnectionId)],
    ) {
        let mut protocol = JsonHeartbeat::new(style);
        for text in texts {
            let heard = hear(&mut protocol, text.as_str());
            let value = serde_json::from_str::<Value>(&text).unwrap_or_default();
            match heard.as_slice() {
                [Heard::Ping] => prop_assert_eq!(model(&value), Some(Kind::Ping)),
                [Heard::Pong(_)] => prop_assert_eq!(model(&value), Some(Kind::Pong)),
                other => prop_assert_eq!(other, passed(text.as_str())),
            }
        }
    }

    #[test]
    fn a_batch_gives_back_what_went_in(
        values in prop::collection::vec(json(), 2..20),
    ) {
        let mut protocol = JsonHeartbeat::new(Style::Timestamp).open_batches(20);
        let messages: Vec<Message> = values.iter().map(|v| v.to_string().into()).collect();
        prop_assert!(messages.iter().all(|message| protocol.joins(message)));
        let batch = protocol.batch(messages.clone());
        let value: Value = serde_json::from_str(batch.as_text().unwrap()).unwrap();
        prop_assert_eq!(&value["type"], "batch");
        let opened = hear(&mut protocol, batch);
        prop_assert_eq!(opened.len(), messages.len());
        for (heard, (message, value)) in opened.into_iter().zip(messages.into_iter().zip(&values)) {
            match heard {
                Heard::Message(None, opened) => prop_assert_eq!(opened, message),
                Heard::Ping => prop_assert_eq!(model(value), Some(Kind::Ping)),
                Heard::Pong(_) => prop_assert_eq!(model(value), Some(Kind::Pong)),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
