//! `redial check` against servers that work, and against those that don't.

use crate::run::{Run, run};
use redial_faults::{Behaviour, Mode, Proxy, Server};
use serde_json::Value;
use std::net::TcpListener;
use std::time::Duration;

/// Runs it with `--json`; the exit code and the object.
fn check(args: &[&str]) -> (i32, Value) {
    let Run { code, out, err } = run(&[&["check", "--json"], args].concat(), b"");
    let object = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out:?}, {err:?}"));
    (code, object)
}

/// The only step that failed.
fn failed(report: &Value) -> &Value {
    let steps = report["steps"].as_array().unwrap();
    let mut failed = steps.iter().filter(|step| step["ok"] == false);
    let first = failed.next().unwrap_or_else(|| panic!("{report}"));
    assert!(failed.next().is_none(), "{report}");
    assert!(first["advice"].as_str().unwrap().ends_with('.'), "{report}");
    first
}

#[test]
fn a_good_server_passes_every_step() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (code, report) = check(&[&server.url()]);
    assert_eq!(code, 0, "{report}");
    let names: Vec<_> = report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["step"])
        .collect();
    assert_eq!(names, ["name", "TCP", "upgrade", "round trip", "close"]);
    assert_eq!(server.pings(), 1);
    assert_eq!(server.closes(), [Some(1000)]);

    let url = server.url().replace("127.0.0.1", "localhost");
    let Run { code, out, .. } = run(&["check", &url], b"");
    assert_eq!(code, 0, "{out}");
    assert!(out.ends_with("Everything works.\n"), "{out}");
}

#[test]
fn messages_in_between_are_not_answers_to_the_ping() {
    let frames = vec![redial_faults::Frame::Text("hello".to_owned())];
    let server = Server::start(Behaviour::SendFirst(frames)).unwrap();
    let (code, report) = check(&[&server.url()]);
    assert_eq!(code, 0, "{report}");
    let detail = report["steps"][3]["detail"].as_str().unwrap();
    assert!(detail.ends_with(", messages in between: 1"), "{report}");
}

#[test]
fn a_refused_port_fails_at_tcp() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (code, report) = check(&[&format!("ws://{port}/")]);
    assert_eq!(code, 1);
    let step = failed(&report);
    assert_eq!(step["step"], "TCP");
    assert_eq!(step["cause"], "connection refused");
    // What comes after it is not tried.
    let last = report["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["step"], &last["ok"]),
        (&Value::from("close"), &Value::Null)
    );
}

#[test]
fn a_web_server_fails_at_the_upgrade() {
    for (status, category) in [(200, "protocol error"), (403, "authentication failed")] {
        let headers = vec![("Server".to_owned(), "shop".to_owned())];
        let server = Server::start(Behaviour::Http { status, headers }).unwrap();
        let (code, report) = check(&[&server.url()]);
        assert_eq!(code, 1);
        let step = failed(&report);
        assert_eq!(step["step"], "upgrade");
        assert_eq!(step["category"], category);
        assert!(
            step["cause"]
                .as_str()
                .unwrap()
                .contains(&status.to_string())
        );
        assert!(
            step["detail"].as_str().unwrap().contains("server: shop"),
            "{report}"
        );
    }
}

#[test]
fn an_old_proxy_says_that_its_server_is_away() {
    let answer = b"HTTP/1.0 503 Away\r\nSERVER: shop\r\nRetry-After: 60\r\n\r\nLocation: /";
    let server = Server::start(Behaviour::Garbage(answer.to_vec())).unwrap();
    let (code, report) = check(&[&server.url()]);
    assert_eq!(code, 1);
    let step = failed(&report);
    assert_eq!(step["step"], "upgrade");
    assert_eq!(step["category"], "service unavailable");
    assert!(step["cause"].as_str().unwrap().contains("503"), "{report}");
    // The same words as for HTTP/1.1, and nothing of the body.
    assert_eq!(step["detail"], "(server: shop, retry-after: 60)");
}

#[test]
fn something_else_than_http_fails_at_the_upgrade() {
    let server = Server::start(Behaviour::Garbage(b"220 mail ready\r\n\r\n".to_vec())).unwrap();
    let (code, report) = check(&[&server.url()]);
    assert_eq!(code, 1);
    assert_eq!(
        failed(&report)["cause"],
        "the peer does not speak WebSocket"
    );
}

#[test]
fn an_unknown_certificate_fails_at_tls() {
    let server = Server::start_tls(Behaviour::Echo).unwrap();
    let (code, report) = check(&[&server.url()]);
    assert_eq!(code, 1);
    let step = failed(&report);
    assert_eq!(
        (&step["step"], &step["cause"]),
        (&Value::from("TLS"), &Value::from("TLS handshake failed"))
    );
    assert!(
        step["detail"].as_str().unwrap().contains("UnknownIssuer"),
        "{report}"
    );

    // A server without TLS waits for the end of a request that never comes.
    let plain = Server::start(Behaviour::Echo).unwrap();
    let url = plain.url().replace("ws://", "wss://");
    let (code, report) = check(&[&url, "--timeout", "0.2"]);
    assert_eq!(code, 1);
    assert_eq!(failed(&report)["step"], "TLS");
}

#[test]
fn silence_fails_when_its_time_has_passed() {
    let server = Server::start(Behaviour::Ignore).unwrap();
    let (code, report) = check(&[&server.url(), "--timeout", "0.2"]);
    assert_eq!(code, 1);
    assert_eq!(failed(&report)["step"], "round trip");
    assert_eq!(failed(&report)["category"], "timeout");

    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::StallHandshake);
    let (code, report) = check(&[&proxy.url(), "--timeout", "0.2"]);
    assert_eq!(code, 1);
    let step = failed(&report);
    assert_eq!(
        (&step["step"], &step["category"]),
        (&Value::from("upgrade"), &Value::from("timeout"))
    );
}

#[test]
fn a_server_that_drops_fails_at_the_round_trip_or_the_close() {
    let after = Duration::from_millis(0);
    let server = Server::start(Behaviour::DropAfter {
        after,
        greet: false,
    })
    .unwrap();
    let (code, report) = check(&[&server.url()]);
    assert_eq!(code, 1);
    assert_eq!(failed(&report)["category"], "network error", "{report}");
}

#[test]
fn headers_go_with_the_request() {
    let then = Box::new(Behaviour::Echo);
    let token = "secret".to_owned();
    let server = Server::start(Behaviour::Authorize {
        token,
        otherwise: 401,
        then,
    })
    .unwrap();
    let (code, _) = check(&[&server.url()]);
    assert_eq!(code, 1);
    let (code, report) = check(&[&server.url(), "--header", "Authorization: Bearer secret"]);
    assert_eq!(code, 0, "{report}");
}

#[test]
fn wrong_addresses_are_wrong_usage() {
    for (url, part) in [
        ("https://example.com/", "try wss://example.com/"),
        ("gopher://example.com/", "unknown scheme"),
        ("example.com", "ws://example.com"),
    ] {
        let Run { code, out, err } = run(&["check", url], b"");
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains(part), "{err}");
    }
}
