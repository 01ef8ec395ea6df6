//! What a heartbeat is, how it is answered, and what passes.

use super::*;
use crate::json::word;

#[test]
fn pings_are_written_in_each_style() {
    for (style, expected) in [
        (Style::Bare, r#"{"type":"ping"}"#),
        (
            Style::Timestamp,
            r#"{"type":"ping","timestamp":1700000000000}"#,
        ),
        (
            Style::ConnectionId,
            r#"{"type":"ping","timestamp":1700000000000}"#,
        ),
    ] {
        let (mut protocol, _) = clocked(style);
        assert_eq!(begin(&mut protocol), Greeting::Ready(Vec::new()));
        assert_eq!(said(protocol.ping(1)), expected);
    }
}

#[test]
fn pings_of_the_peer_are_answered_in_the_style_with_their_timestamp_as_written() {
    let pings = [
        r#"{"type":"ping"}"#,
        r#"{"type":"ping","timestamp":12.50}"#,
        r#" { "timestamp" : "2024-01-01T00:00:00Z" , "type" : "ping" } "#,
        r#"{"type":"ping","timestamp":null,"connection_id":"c-1"}"#,
        r#"{"type":"ping","timestamp":7,"connection_id":5}"#,
    ];
    let bare = r#"{"type":"pong"}"#;
    let timestamp = [
        bare,
        r#"{"type":"pong","timestamp":12.50}"#,
        r#"{"type":"pong","timestamp":"2024-01-01T00:00:00Z"}"#,
        bare,
        r#"{"type":"pong","timestamp":7}"#,
    ];
    let connection_id = [
        timestamp[0],
        timestamp[1],
        timestamp[2],
        r#"{"type":"pong","connection_id":"c-1"}"#,
        r#"{"type":"pong","timestamp":7,"connection_id":5}"#,
    ];
    for (style, pongs) in [
        (Style::Bare, [bare; 5]),
        (Style::Timestamp, timestamp),
        (Style::ConnectionId, connection_id),
    ] {
        for (ping, pong) in pings.iter().zip(pongs) {
            let (mut protocol, _) = clocked(style);
            assert_eq!(hear(&mut protocol, *ping), [Heard::Ping]);
            assert_eq!(said(protocol.pong()), pong, "{style:?} {ping}");
            // Whatever else is pinged is not this protocol's to answer.
            assert_eq!(protocol.pong(), None);
        }
    }
}

#[test]
fn a_server_puts_its_own_id_into_pongs() {
    let mut protocol = JsonHeartbeat::new(Style::ConnectionId).connection_id("c \"1\"");
    hear(&mut protocol, r#"{"type":"ping","timestamp":1}"#);
    let pong = r#"{"type":"pong","timestamp":1,"connection_id":"c \"1\""}"#;
    assert_eq!(said(protocol.pong()), pong);
    begin(&mut protocol);
    hear(&mut protocol, r#"{"type":"ping","timestamp":1}"#);
    assert_eq!(said(protocol.pong()), pong);
}

#[test]
fn pongs_lead_back_to_the_nonce_of_their_ping() {
    let (mut protocol, _) = clocked(Style::Timestamp);
    protocol.ping(0xAAAA);
    // In the same millisecond, and still told apart.
    assert_eq!(
        said(protocol.ping(0xBBBB)),
        r#"{"type":"ping","timestamp":1700000000001}"#
    );
    for (timestamp, nonce) in [
        ("1700000000001", Some(0xBBBB)),
        ("1700000000000", Some(0xAAAA)),
        ("1700000000000.0", Some(0xAAAA)),
        ("1.700000000001e+12", Some(0xBBBB)),
        ("17000000000000e-1", Some(0xAAAA)),
        (r#""1700000000001""#, Some(0xBBBB)),
        ("1700000000002", Some(u64::MAX)),
        ("1700000000000.5", Some(u64::MAX)),
        ("-1700000000000", Some(u64::MAX)),
        ("1e999999", Some(u64::MAX)),
        (r#""yesterday""#, Some(u64::MAX)),
        (r#""NaN""#, Some(u64::MAX)),
        ("null", None),
    ] {
        let pong = format!(r#"{{"type":"pong","timestamp":{timestamp}}}"#);
        assert_eq!(
            hear(&mut protocol, pong),
            [Heard::Pong(nonce)],
            "{timestamp}"
        );
    }
    assert_eq!(
        hear(&mut protocol, r#"{"type":"pong"}"#),
        [Heard::Pong(None)]
    );
}

#[test]
fn a_clock_that_is_set_back_changes_no_answer() {
    let (mut protocol, clock) = clocked(Style::Timestamp);
    protocol.ping(1);
    clock.store(5, Ordering::Relaxed);
    let second = said(protocol.ping(2));
    assert_eq!(second, r#"{"type":"ping","timestamp":1700000000001}"#);
    let pong = second.replace("ping", "pong");
    assert_eq!(hear(&mut protocol, pong), [Heard::Pong(Some(2))]);
    // The next connection goes by the clock again.
    begin(&mut protocol);
    assert_eq!(said(protocol.ping(3)), r#"{"type":"ping","timestamp":5}"#);
    // What was asked on another connection is not answered on this one.
    let late = r#"{"type":"pong","timestamp":1700000000001}"#;
    assert_eq!(hear(&mut protocol, late), [Heard::Pong(Some(u64::MAX))]);
}

#[test]
fn clocks_at_either_end_of_time_are_no_matter() {
    let mut none = JsonHeartbeat::new(Style::Timestamp).clock(|| None);
    assert_eq!(said(none.ping(1)), r#"{"type":"ping","timestamp":0}"#);
    assert_eq!(said(none.ping(2)), r#"{"type":"ping","timestamp":1}"#);
    let mut late = JsonHeartbeat::new(Style::Timestamp).clock(|| Some(Duration::MAX));
    late.ping(1);
    let ping = said(late.ping(2));
    assert_eq!(
        hear(&mut late, ping.replace("ping", "pong")),
        [Heard::Pong(Some(2))]
    );
}

#[test]
fn pings_without_answers_fill_no_memory() {
    let (mut protocol, _) = clocked(Style::Timestamp);
    for nonce in 0..1000 {
        protocol.ping(nonce);
    }
    let pong = |at: u64| {
        format!(
            r#"{{"type":"pong","timestamp":{}}}"#,
            1_700_000_000_000 + at
        )
    };
    assert_eq!(hear(&mut protocol, pong(999)), [Heard::Pong(Some(999))]);
    assert_eq!(hear(&mut protocol, pong(992)), [Heard::Pong(Some(992))]);
    assert_eq!(
        hear(&mut protocol, pong(991)),
        [Heard::Pong(Some(u64::MAX))]
    );
}

#[test]
fn a_pong_of_another_connection_answers_nothing() {
    let (mut protocol, _) = clocked(Style::ConnectionId);
    protocol.ping(4);
    let pong =
        |id: &str| format!(r#"{{"type":"pong","timestamp":1700000000000,"connection_id":{id}}}"#);
    assert_eq!(hear(&mut protocol, pong(r#""a""#)), [Heard::Pong(Some(4))]);
    assert_eq!(
        hear(&mut protocol, pong(r#""b""#)),
        [Heard::Pong(Some(u64::MAX))]
    );
    assert_eq!(hear(&mut protocol, pong("null")), [Heard::Pong(Some(4))]);
    begin(&mut protocol);
    protocol.ping(5);
    assert_eq!(hear(&mut protocol, pong(r#""b""#)), [Heard::Pong(Some(5))]);
}

#[test]
fn any_pong_answers_a_bare_ping() {
    let (mut protocol, _) = clocked(Style::Bare);
    protocol.ping(4);
    for pong in [r#"{"type":"pong"}"#, r#"{"type":"pong","timestamp":12}"#] {
        assert_eq!(hear(&mut protocol, pong), [Heard::Pong(None)]);
    }
}

#[test]
fn whatever_is_no_heartbeat_passes_untouched() {
    let deep = format!(r#"{{"type":"ping","timestamp":{}"#, "[".repeat(450));
    let deeper = format!(
        r#"{{"type":"ping","x":{}1{}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    let abyss = "[".repeat(1 << 20);
    let padded = format!("{}{}", r#"{"type":"ping"}"#, " ".repeat(word::LONGEST));
    for text in [
        "",
        "ping",
        "{",
        "null",
        r#""ping""#,
        r#"["ping"]"#,
        r#"{"type":"ping""#,
        r#"{"type":"ping"}}"#,
        r#"{"type":"ping"} {"type":"ping"}"#,
        r#"{"type":"ping",}"#,
        r"{'type':'ping'}",
        r#"{"type":"Ping"}"#,
        r#"{"type":"pings"}"#,
        r#"{"type":["ping"]}"#,
        r#"{"type":null,"x":"ping"}"#,
        r#"{"Type":"ping"}"#,
        r#"{"type":"chat","text":"ping"}"#,
        r#"{"type":"ping","host":"example.org"}"#,
        r#"{"type":"ping","type":"ping"}"#,
        r#"{"type":"ping","type":"chat"}"#,
        r#"{"type":"pong","timestamp":1,"timestamp":2}"#,
        r#"{"type":"ping","timestamp":{"s":1}}"#,
        r#"{"type":"ping","timestamp":[1]}"#,
        r#"{"type":"ping","timestamp":true}"#,
        r#"{"type":"ping","timestamp":01}"#,
        r#"{"type":"ping","timestamp":1e}"#,
        r#"{"type":"ping","connection_id":{}}"#,
        r#"{"\u0074ype":"ping"}"#,
        r#"{"type":"\u0070ing"}"#,
        "{\"type\":\"ping\",\"timestamp\":\"\u{0}\"}",
        "\u{feff}{\"type\":\"ping\"}",
        &deep,
        &deeper,
        &abyss,
        &padded,
    ] {
        for style in [Style::Bare, Style::Timestamp, Style::ConnectionId] {
            let mut protocol = JsonHeartbeat::new(style).open_batches(10);
            assert_eq!(hear(&mut protocol, text), passed(text));
            assert_eq!(protocol.pong(), None);
        }
    }
    let binary = Message::binary(r#"{"type":"ping"}"#.as_bytes().to_vec());
    let mut protocol = JsonHeartbeat::new(Style::Bare);
    assert_eq!(hear(&mut protocol, binary.clone()), passed(binary));
}

#[test]
fn numbers_of_any_size_are_echoed() {
    let huge = "9".repeat(300);
    let ping = format!(r#"{{"type":"ping","timestamp":{huge}}}"#);
    let (mut protocol, _) = clocked(Style::Timestamp);
    assert_eq!(hear(&mut protocol, ping.clone()), [Heard::Ping]);
    assert_eq!(said(protocol.pong()), ping.replace("ping", "pong"));
}

#[test]
fn members_of_a_chattier_peer_are_allowed_by_name() {
    let ping = r#"{"type":"ping","load":[1,{"a":2}],"load":3}"#;
    let mut strict = JsonHeartbeat::new(Style::Bare).also(["lode"]);
    assert_eq!(hear(&mut strict, ping), passed(ping));
    let mut lax = JsonHeartbeat::new(Style::Bare).also(["load"]);
    assert_eq!(hear(&mut lax, ping), [Heard::Ping]);
}

#[test]
fn a_handshake_hears_all_but_heartbeats_until_it_is_done() {
    let mut protocol = JsonHeartbeat::new(Style::Bare).handshake(Login);
    for _ in 0..2 {
        assert_eq!(begin(&mut protocol), Greeting::More(vec!["login".into()]));
        assert_eq!(hear(&mut protocol, r#"{"type":"ping"}"#), [Heard::Ping]);
        assert_eq!(hear(&mut protocol, "what"), [Heard::Say("pardon".into())]);
        let done = hear(&mut protocol, "welcome");
        assert_eq!(done, [Heard::Say("thanks".into()), Heard::Ready]);
        assert_eq!(hear(&mut protocol, "welcome"), passed("welcome"));
    }
    begin(&mut protocol);
    // A ping of the connection before is not answered on this one.
    assert_eq!(protocol.pong(), None);
    let refused = Failure::new(Cause::Close(4401), "gone");
    let gone = [Heard::Refused(refused)];
    assert_eq!(hear(&mut protocol, "go away"), gone);
}
