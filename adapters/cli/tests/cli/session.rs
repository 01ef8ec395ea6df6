//! `redial connect --session`: each line arrives once, or is told to be in doubt.

use crate::run::{PATIENCE, Run, Running, run, start};
use redial::SendOptions;
use redial_faults::sessions::{Memory, SessionServer};
use redial_faults::{Behaviour, Mode, Proxy, Server};
use std::io::Write;
use std::process::ChildStdin;
use std::time::Duration;

/// A run that is connected through a proxy, and its stdin.
fn connected(proxy: &Proxy) -> (Running, ChildStdin) {
    let mut running = start(&["connect", "--session", &proxy.url()]);
    running.err.wait("connected to");
    let input = running.input.take().unwrap();
    (running, input)
}

/// Writes a line that is lost with its connection; no other comes up until the proxy passes.
fn lose(proxy: &Proxy, running: &Running, input: &mut ChildStdin, line: &str) {
    // With nothing to pass on it would end the connection before the line is written.
    proxy.set(Mode::CutAfterBytes {
        up: 1,
        down: u64::MAX,
    });
    writeln!(input, "{line}").unwrap();
    running.err.wait("; attempt");
}

fn received(server: &SessionServer) -> Vec<String> {
    let received = server.received().into_iter();
    received
        .map(|line| String::from_utf8(line).unwrap())
        .collect()
}

#[test]
fn a_line_that_is_lost_with_its_connection_is_sent_again() {
    let server = SessionServer::start().unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (running, mut input) = connected(&proxy);
    writeln!(input, "1").unwrap();
    assert!(server.wait_received(1, PATIENCE));
    lose(&proxy, &running, &mut input, "2");
    let session = server.clients()[0].session;
    server.send(session, "hello", SendOptions::new()).unwrap();
    proxy.set(Mode::Pass);
    running.out.wait("hello");
    writeln!(input, "3").unwrap();
    drop(input);
    let Run { code, out, err } = running.finish();
    assert_eq!((code, out.as_str()), (0, "hello\n"), "{err}");
    assert_eq!(received(&server), ["1", "2", "3"]);
    assert_eq!(server.sessions().0, 1);
    assert!(err.contains("ended: 3 acknowledged, 1 received"), "{err}");
}

#[test]
fn a_line_whose_session_is_lost_is_in_doubt() {
    let server = SessionServer::start().unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (running, mut input) = connected(&proxy);
    lose(&proxy, &running, &mut input, "1");
    server.restart(Memory::Wipe).unwrap();
    proxy.set(Mode::Pass);
    running.err.wait("the server has lost the session");
    writeln!(input, "2").unwrap();
    drop(input);
    let Run { code, err, .. } = running.finish();
    assert_eq!(code, 3, "{err}");
    assert_eq!(received(&server), ["2"]);
    assert!(err.contains("ended: 1 acknowledged, 0 received"), "{err}");
    assert!(err.contains("in doubt: 1 "), "{err}");
}

#[test]
fn what_will_not_come_is_told() {
    let server = SessionServer::start().unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let (running, mut input) = connected(&proxy);
    lose(&proxy, &running, &mut input, "1");
    let session = server.clients()[0].session;
    let soon = SendOptions::new().ttl(Duration::from_millis(1));
    // One before all that come, and one between them.
    for (text, options) in [
        ("a", soon),
        ("b", SendOptions::new()),
        ("c", soon),
        ("d", SendOptions::new()),
    ] {
        server.send(session, text, options).unwrap();
    }
    assert!(server.wait_clients(PATIENCE, |clients| clients[0].fates.unsent == 2));
    proxy.set(Mode::Pass);
    running.out.wait("d\n");
    drop(input);
    let Run { code, out, err } = running.finish();
    assert_eq!((code, out.as_str()), (0, "b\nd\n"), "{err}");
    assert!(err.contains("missed: 2 of the server"), "{err}");
}

#[test]
fn a_server_without_sessions_does_not_understand_it() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let url = server.url();
    let args = ["connect", "--session", "--max-retries", "1", &url];
    let Run { code, err, .. } = run(&args, b"1\n");
    assert_eq!(code, 1, "{err}");
    // It echoes what only a client says.
    assert!(err.contains("a frame out of place: Hello"), "{err}");
    assert!(err.contains("not sent: 1"), "{err}");
}
