//! Several messages as one.

use serde_json::Value;

use super::*;
use crate::json::batch;

#[test]
fn batches_are_wrapped_and_opened_byte_for_byte() {
    let (protocol, _) = clocked(Style::Bare);
    let mut protocol = protocol.open_batches(10);
    let messages: Vec<Message> = ["{\"b\":1.0, \"a\":2e0}", "[]", "\"ü\\u00fc\"", "12", "null"]
        .map(Message::from)
        .to_vec();
    assert!(messages.iter().all(|message| protocol.joins(message)));
    let batch = protocol.batch(messages.clone());
    assert_eq!(
        batch.as_text().unwrap(),
        r#"{"type":"batch","messages":[{"b":1.0, "a":2e0},[],"ü\u00fc",12,null],"timestamp":1700000000000}"#
    );
    let expected: Vec<_> = messages
        .into_iter()
        .map(|m| Heard::Message(None, m))
        .collect();
    assert_eq!(hear(&mut protocol, batch.clone()), expected);
    let mut closed = JsonHeartbeat::new(Style::Bare);
    assert_eq!(hear(&mut closed, batch.clone()), passed(batch));
}

#[test]
fn what_would_not_come_out_as_it_is_does_not_join() {
    let protocol = JsonHeartbeat::new(Style::Bare);
    for text in [
        "",
        "hello",
        " {}",
        "{}\n",
        "{} {}",
        "{\"a\":}",
        "\u{feff}1",
        "nan",
    ] {
        assert!(!protocol.joins(&text.into()), "{text:?}");
    }
    assert!(!protocol.joins(&Message::binary(b"{}".to_vec())));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(protocol.joins(&deep.into()));
    // If it is put in all the same, it is still JSON.
    let batch = batch::wrap(&["hel\"lo".into(), Message::binary(vec![b'x', 0xFF])], 1);
    let value: Value = serde_json::from_str(&batch).unwrap();
    assert_eq!(value["messages"][0], "hel\"lo");
}

#[test]
fn batches_are_opened_only_if_they_are_nothing_else() {
    let members = r#""messages":[1,{"type":"chat"}]"#;
    let all = [
        Heard::Message(None, "1".into()),
        Heard::Message(None, "{\"type\":\"chat\"}".into()),
    ];
    for text in [
        format!(r#"{{"type":"batch",{members}}}"#),
        format!(r#"{{{members},"type":"batch"}}"#),
        format!(r#" {{ {members} , "timestamp":"now", "type" : "batch" }} "#),
        format!(
            r#"{{{},"messages":[1,{{"type":"chat"}}],"type":"batch"}}"#,
            r#""timestamp":{}"#
        ),
    ] {
        let mut protocol = JsonHeartbeat::new(Style::Bare).open_batches(2);
        assert_eq!(hear(&mut protocol, text.as_str()), all, "{text}");
        let mut fewer = JsonHeartbeat::new(Style::Bare).open_batches(1);
        assert_eq!(hear(&mut fewer, text.as_str()), passed(text.as_str()));
    }
    for text in [
        format!(r#"{{"type":"batch",{members},"id":1}}"#),
        format!(r#"{{"type":"batch","type":"batch",{members}}}"#),
        format!(r#"{{"type":"batch",{members},{members}}}"#),
        format!(r#"{{"type":"Batch",{members}}}"#),
        format!(r#"{{"type":"batch",{members}}}}}"#),
        format!(r#"[{{"type":"batch",{members}}}]"#),
        r#"{"type":"batch","messages":[1,]}"#.to_owned(),
        r#"{"type":"batch","messages":{"0":1}}"#.to_owned(),
        r#"{"type":"batch"}"#.to_owned(),
        r#"{"x":"batch","messages":[1]}"#.to_owned(),
        format!(r#"{{"type":"batch","messages":[{}"#, "[".repeat(1 << 16)),
    ] {
        let mut protocol = JsonHeartbeat::new(Style::Bare).open_batches(10);
        assert_eq!(hear(&mut protocol, text.as_str()), passed(text.as_str()));
    }
}

#[test]
fn big_messages_are_not_searched_for_a_batch_inside() {
    let far = " ".repeat(200);
    let text = format!(r#"{{{far}"type":"batch","messages":[1],"timestamp":{far}1}}"#);
    let mut protocol = JsonHeartbeat::new(Style::Bare).open_batches(10);
    assert_eq!(hear(&mut protocol, text.as_str()), passed(text.as_str()));
}

#[test]
fn the_type_of_a_big_batch_may_stand_behind_its_messages() {
    let message = format!("\"{}\"", "x".repeat(1000));
    for behind in [
        r#""type":"batch""#,
        r#""timestamp":1700000000000,"type":"batch""#,
        r#""type":"batch","timestamp":"2024-01-01T00:00:00.000Z""#,
    ] {
        let text = format!(r#"{{"messages":[{message}],{behind}}}"#);
        let mut protocol = JsonHeartbeat::new(Style::Bare).open_batches(10);
        assert_eq!(hear(&mut protocol, text), passed(message.as_str()));
    }
}

#[test]
fn heartbeats_in_a_batch_are_heartbeats_and_batches_in_it_are_messages() {
    let mut protocol = JsonHeartbeat::new(Style::Bare).open_batches(10);
    let inner = r#"{"type":"batch","messages":[1]}"#;
    let text = format!(r#"{{"type":"batch","messages":[{{"type":"ping"}},{inner}]}}"#);
    let expected = [Heard::Ping, Heard::Message(None, inner.into())];
    assert_eq!(hear(&mut protocol, text), expected);
}

#[test]
fn nothing_is_heard_behind_a_refusal_in_a_batch() {
    let mut protocol = JsonHeartbeat::new(Style::Bare)
        .handshake(Login)
        .open_batches(10);
    begin(&mut protocol);
    let heard = hear(
        &mut protocol,
        r#"{"type":"batch","messages":[1,"go away",2]}"#,
    );
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert_eq!(heard[0], Heard::Say("pardon".into()));
    assert!(matches!(heard[1], Heard::Refused(_)));
}
