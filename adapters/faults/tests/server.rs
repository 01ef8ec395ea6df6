//! Every behaviour of the WebSocket server, seen by a plain client.

mod common;

use common::{QUIET, SOON, assert_fin, dial, next, open};
use redial_faults::{Behaviour, Frame, Server};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};
use tungstenite::protocol::{CloseFrame, Role};
use tungstenite::{Error, Message, WebSocket};

fn start(behaviour: Behaviour) -> Server {
    Server::start(behaviour).expect("starts")
}

fn close_frame(message: Message) -> Option<(u16, String)> {
    let Message::Close(frame) = message else {
        panic!("{message:?}")
    };
    frame.map(|CloseFrame { code, reason }| (code.into(), reason.to_string()))
}

#[test]
fn echo_returns_and_counts() {
    let server = start(Behaviour::Echo);
    let mut client = open(server.addr());
    client.send(Message::text("1 one")).unwrap();
    client.send(Message::binary(vec![0, 255])).unwrap();
    client.send(Message::Ping("x".into())).unwrap();
    assert_eq!(next(&mut client), Message::text("1 one"));
    assert_eq!(next(&mut client), Message::binary(vec![0, 255]));
    assert_eq!(client.read().unwrap(), Message::Pong("x".into()));
    assert_eq!(server.received(), [b"1 one".to_vec(), vec![0, 255]]);
    assert_eq!(
        (server.dials(), server.handshakes(), server.open()),
        (1, 1, 1)
    );
    assert_eq!((server.received_count(), server.pings()), (2, 1));
    assert_eq!(server.ledger().max(), Some(1));
    client
        .close(Some(CloseFrame {
            code: 1000.into(),
            reason: "done".into(),
        }))
        .unwrap();
    assert_eq!(
        close_frame(next(&mut client)),
        Some((1000, "done".to_owned()))
    );
    assert!(matches!(client.read(), Err(Error::ConnectionClosed)));
    assert!(server.wait_closed(SOON));
    assert_eq!(server.closes(), [Some(1000)]);
}

#[test]
fn echo_keeps_up_with_many_messages_and_with_full_sockets() {
    let server = start(Behaviour::Echo);
    server.keep_received(false);
    let client = open(server.addr());
    let half = client.get_ref().try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        let mut half = WebSocket::from_raw_socket(half, Role::Client, None);
        for number in 0..5_000_u32 {
            half.write(Message::text(number.to_string())).unwrap();
        }
        for number in 5_000..5_100_u32 {
            half.write(Message::text(format!("{number} {}", "x".repeat(200_000))))
                .unwrap();
        }
        half.flush().unwrap();
    });
    // The reader is late: 20 MB are more than all buffers hold, and the server must wait.
    assert!(!server.wait_received(5_100, QUIET));
    let mut client = client;
    for number in 0..5_100_u32 {
        let text = next(&mut client).into_text().unwrap();
        assert_eq!(text.split(' ').next(), Some(number.to_string().as_str()));
    }
    writer.join().unwrap();
    let ledger = server.ledger();
    assert_eq!(
        (
            ledger.delivered(),
            ledger.duplicated(),
            ledger.missing(0..5_100)
        ),
        (5_100, 0, 0)
    );
    assert!(server.received().is_empty());
}

#[test]
fn sink_reads_and_returns_only_pongs() {
    let server = start(Behaviour::Sink);
    let mut client = open(server.addr());
    client.send(Message::text("a")).unwrap();
    client.send(Message::Ping("p".into())).unwrap();
    assert_eq!(client.read().unwrap(), Message::Pong("p".into()));
    assert_eq!(server.received(), [b"a"]);
}

#[test]
fn ignore_opens_and_freezes() {
    let server = start(Behaviour::Ignore);
    let mut client = open(server.addr());
    client.send(Message::text("a")).unwrap();
    client.send(Message::Ping("p".into())).unwrap();
    common::assert_silent(client.get_mut());
    assert_eq!(
        (server.open(), server.received_count(), server.pings()),
        (1, 0, 0)
    );
}

#[test]
fn close_with_sends_its_code_after_its_time() {
    let after = Duration::from_millis(40);
    let reason = "going away".to_owned();
    let server = start(Behaviour::CloseWith {
        code: 1001,
        reason: reason.clone(),
        after,
    });
    let begun = Instant::now();
    let mut client = open(server.addr());
    client.send(Message::text("read")).unwrap();
    assert_eq!(close_frame(next(&mut client)), Some((1001, reason.clone())));
    assert!(begun.elapsed() >= after);
    assert!(matches!(client.read(), Err(Error::ConnectionClosed)));
    assert!(server.wait_closed(SOON));
    assert_eq!(server.closes(), [Some(1001)]);
    assert_eq!(server.received_count(), 1);
    server.set(Behaviour::CloseWith {
        code: 1005,
        reason,
        after: Duration::ZERO,
    });
    assert_eq!(close_frame(next(&mut open(server.addr()))), None);
}

#[test]
fn drop_after_greets_and_ends_with_a_fin() {
    let server = start(Behaviour::DropAfter {
        after: QUIET,
        greet: true,
    });
    let begun = Instant::now();
    let mut client = open(server.addr());
    client.send(Message::text("unanswered")).unwrap();
    assert_eq!(next(&mut client), Message::text("hello"));
    assert_fin(client.get_mut());
    assert!(begun.elapsed() >= QUIET);
    assert_eq!((server.open(), server.received_count()), (0, 1));
    server.set(Behaviour::DropAfter {
        after: Duration::ZERO,
        greet: false,
    });
    assert_fin(open(server.addr()).get_mut());
}

#[test]
fn echo_then_drop_does_both() {
    let server = start(Behaviour::EchoThenDrop { after: QUIET });
    let mut client = open(server.addr());
    client.send(Message::text("a")).unwrap();
    assert_eq!(next(&mut client), Message::text("a"));
    assert_fin(client.get_mut());
}

#[test]
fn http_refuses_with_status_and_headers() {
    let headers = vec![("Retry-After".to_owned(), "3".to_owned())];
    let server = start(Behaviour::Http {
        status: 429,
        headers,
    });
    let refused = dial(server.addr(), "/", &[]);
    let Err(Error::Http(response)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "3");
    assert_eq!(
        (server.dials(), server.handshakes(), server.requests().len()),
        (1, 0, 1)
    );
}

#[test]
fn garbage_is_no_handshake() {
    let server = start(Behaviour::Garbage(b"SSH-2.0-nonsense\r\n".to_vec()));
    assert!(dial(server.addr(), "/", &[]).is_err());
    let mut raw = common::tcp(server.addr());
    raw.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = String::new();
    raw.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "SSH-2.0-nonsense\r\n");
}

#[test]
fn authorize_asks_for_the_token() {
    let then = Box::new(Behaviour::Echo);
    let server = start(Behaviour::Authorize {
        token: "fresh".to_owned(),
        otherwise: 401,
        then,
    });
    let address = server.addr();
    let denied = |result: Result<_, Error>| matches!(result, Err(Error::Http(response)) if response.status() == 401);
    assert!(denied(dial(address, "/", &[])));
    assert!(denied(dial(
        address,
        "/",
        &[("authorization", "Bearer stale")]
    )));
    assert!(denied(dial(address, "/?token=stale", &[])));
    assert!(denied(dial(
        address,
        "/?token=fresh",
        &[("authorization", "Bearer stale")]
    )));
    let mut client = dial(address, "/", &[("authorization", "Bearer fresh")]).unwrap();
    client.send(Message::text("a")).unwrap();
    assert_eq!(next(&mut client), Message::text("a"));
    dial(address, "/feed?x=1&token=fresh", &[]).unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 6);
    assert_eq!(requests[4].header("AUTHORIZATION"), Some("Bearer fresh"));
    assert_eq!(requests[5].path, "/feed?x=1&token=fresh");
    assert_eq!(requests[5].query("x"), Some("1"));
    assert_eq!(server.handshakes(), 2);
}

#[test]
fn send_first_sends_good_and_bad_frames() {
    let frames = vec![
        Frame::Text("a".to_owned()),
        Frame::Binary(vec![1; 70_000]),
        // A frame with a reserved opcode.
        Frame::Raw(vec![0x83, 0]),
    ];
    let server = start(Behaviour::SendFirst(frames));
    let mut client = open(server.addr());
    assert_eq!(next(&mut client), Message::text("a"));
    assert_eq!(next(&mut client), Message::binary(vec![1; 70_000]));
    assert!(matches!(client.read(), Err(Error::Protocol(_))));
    client.get_mut().shutdown(std::net::Shutdown::Both).unwrap();
    assert!(server.wait_closed(SOON));
}

#[test]
fn commands_reach_every_open_connection() {
    let server = start(Behaviour::Echo);
    let mut clients: Vec<_> = (0..3).map(|_| open(server.addr())).collect();
    assert!(server.wait_open(3, SOON));
    server.send_all("news");
    server.ping_all();
    for client in &mut clients {
        assert_eq!(next(client), Message::text("news"));
        assert!(matches!(client.read().unwrap(), Message::Ping(_)));
        client.flush().unwrap();
    }
    assert!(server.wait_pongs(3, SOON));
    server.close_all(1012, "restart");
    for client in &mut clients {
        assert_eq!(
            close_frame(next(client)),
            Some((1012, "restart".to_owned()))
        );
        assert!(matches!(client.read(), Err(Error::ConnectionClosed)));
    }
    assert!(server.wait_closed(SOON));
    assert!(server.wait_closes(3, SOON));
}

#[test]
fn drop_all_sends_fin_and_reset_all_rst() {
    let server = start(Behaviour::Ignore);
    let mut client = open(server.addr());
    client.send(Message::text("unread")).unwrap();
    server.drop_all();
    assert_eq!(server.open(), 0);
    assert_fin(client.get_mut());
    let mut client = open(server.addr());
    server.reset_all();
    assert_eq!(server.open(), 0);
    common::assert_rst(client.get_mut());
}

#[test]
fn close_all_gives_up_on_a_silent_peer() {
    let server = start(Behaviour::Echo);
    let mut client = open(server.addr());
    server.close_all(1000, "");
    assert_eq!(server.open(), 1, "the peer has not answered");
    // The close frame, 4 bytes, and then the end without an answer of ours.
    assert_eq!(client.get_mut().read(&mut [0; 64]).unwrap(), 4);
    assert_fin(client.get_mut());
    assert!(server.wait_closed(SOON));
}

#[test]
fn a_new_behaviour_is_for_new_connections() {
    let server = start(Behaviour::Echo);
    let mut old = open(server.addr());
    server.set(Behaviour::Http {
        status: 503,
        headers: Vec::new(),
    });
    assert!(dial(server.addr(), "/", &[]).is_err());
    old.send(Message::text("a")).unwrap();
    assert_eq!(next(&mut old), Message::text("a"));
}

#[test]
fn restarts_at_once_on_the_same_port() {
    let mut server = start(Behaviour::Echo);
    let address = server.addr();
    for round in 0..6 {
        let mut client = open(address);
        if round % 2 == 0 {
            server.shutdown();
            assert_fin(client.get_mut());
        } else {
            server.kill();
            common::assert_rst(client.get_mut());
        }
        let refused = std::net::TcpStream::connect(address).map_err(|error| error.kind());
        assert_eq!(refused.err(), Some(io::ErrorKind::ConnectionRefused));
        server = Server::start_on(address, Behaviour::Echo).unwrap();
    }
}

#[test]
fn plain_requests_and_protocols_are_answered() {
    let server = start(Behaviour::Echo);
    for (path, expected) in [
        ("/health", "HTTP/1.1 200 OK"),
        ("/", "HTTP/1.1 426 Upgrade Required"),
    ] {
        let mut raw = common::tcp(server.addr());
        write!(raw, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        raw.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.lines().next(), Some(expected));
    }
    let offered = [("sec-websocket-protocol", "graph, other")];
    assert!(dial(server.addr(), "/", &offered).is_ok());
    assert_eq!(server.url(), format!("ws://{}/", server.addr()));
}

#[test]
fn a_frame_right_behind_the_request_is_read() {
    let server = start(Behaviour::Sink);
    let mut raw = common::tcp(server.addr());
    let mut bytes = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    bytes.extend([0x81, 0x81, 0, 0, 0, 0, b'a']);
    raw.write_all(&bytes).unwrap();
    assert!(server.wait_received(1, SOON));
    assert_eq!(server.received(), [b"a"]);
}

#[test]
fn waits_give_up() {
    let server = start(Behaviour::Echo);
    let short = Duration::from_millis(5);
    assert!(!server.wait_dials(1, short) && !server.wait_open(1, short));
    assert!(!server.wait_received(1, short) && !server.wait_handshakes(1, short));
    assert!(!server.wait_ledger(short, |ledger| ledger.delivered() > 0));
    let mut client = open(server.addr());
    assert!(server.wait_dials(1, SOON) && server.wait_handshakes(1, SOON));
    assert!(!server.wait_closed(short));
    client.send(Message::text("8")).unwrap();
    assert!(server.wait_ledger(SOON, |ledger| ledger.max() == Some(8)));
}
