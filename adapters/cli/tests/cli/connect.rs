//! `redial connect` in a pipeline, through outages, to every exit code.

use crate::run::{PATIENCE, Run, run, start, start_deaf};
use redial_faults::{Behaviour, Proxy, Server};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

#[test]
fn lines_go_out_and_answers_come_back() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let Run { code, out, err } = run(&["connect", &server.url()], b"a\nb b\n\nlast");
    assert_eq!((code, out.as_str()), (0, "a\nb b\n\nlast\n"), "{err}");
    assert_eq!(server.received(), [&b"a"[..], b"b b", b"", b"last"]);
    assert_eq!(server.closes(), [Some(1000)]);
    assert!(err.contains("ended: 4 written, 4 received"), "{err}");
}

#[test]
fn binary_passes_every_byte() {
    let server = Server::start(Behaviour::Echo).unwrap();
    // Text on the way back, as stdout must be UTF-8 for this test: every byte below 128.
    let input: Vec<u8> = (0..100_000_u32)
        .map(|n| n.to_le_bytes()[0] & 0x7f)
        .collect();
    let Run { code, out, err } = run(&["connect", "--binary", "--quiet", &server.url()], &input);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.as_bytes() == input);
}

#[test]
fn more_lines_than_the_queue_holds_wait_for_room() {
    let server = Server::start(Behaviour::Sink).unwrap();
    let lines: Vec<_> = (0..20_000).map(|n| n.to_string()).collect();
    let Run { code, err, .. } = run(&["connect", &server.url()], lines.join("\n").as_bytes());
    assert_eq!(code, 0, "{err}");
    assert_eq!(server.ledger().missing(0..20_000), 0);
    assert_eq!(disorder(&server), (0, 0));
}

#[test]
fn more_lines_than_the_queue_holds_wait_for_a_server() {
    let address = nobody();
    let mut running = start(&["connect", &format!("ws://{address}/")]);
    let mut input = running.input.take().unwrap();
    // As many as the pipe takes at once on every system, and three times what the queue takes.
    for number in 0..3_000 {
        writeln!(input, "{number}").unwrap();
    }
    drop(input);
    running.err.wait("attempt 3");
    let server = Server::start_on(address, Behaviour::Sink).unwrap();
    let Run { code, err, .. } = running.finish();
    assert_eq!(code, 0, "{err}");
    assert_eq!(server.ledger().missing(0..3_000), 0);
    assert_eq!(disorder(&server), (0, 0));
}

#[test]
fn a_restart_in_the_middle_of_a_pipeline_is_survived() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let address = server.addr();
    let mut running = start(&["connect", &server.url()]);
    let mut input = running.input.take().unwrap();
    input.write_all(b"1\n2\n").unwrap();
    running.out.wait("2\n");
    server.kill();
    running.err.wait("; attempt");
    // Sent while nobody is there.
    input.write_all(b"3\n4\n").unwrap();
    let server = Server::start_on(address, Behaviour::Echo).unwrap();
    input.write_all(b"5\n").unwrap();
    drop(input);
    let Run { code, out, err } = running.finish();
    assert_eq!((code, out.as_str()), (0, "1\n2\n3\n4\n5\n"), "{err}");
    assert_eq!(server.received(), [b"3", b"4", b"5"]);
    assert_eq!(err.matches("connected to").count(), 2, "{err}");
}

#[test]
fn answers_are_waited_for() {
    let server = Server::start(Behaviour::Sink).unwrap();
    let mut running = start(&["connect", "--linger", "60", &server.url()]);
    running.input.take().unwrap().write_all(b"ask\n").unwrap();
    assert!(server.wait_received(1, PATIENCE));
    for answer in ["first", "second"] {
        server.send_all(answer);
        running.out.wait(answer);
    }
    server.close_all(1000, "");
    let Run { code, out, err } = running.finish();
    assert_eq!((code, out.as_str()), (0, "first\nsecond\n"), "{err}");
}

#[test]
fn silence_is_waited_out() {
    let after = Duration::from_millis(500);
    let reason = String::new();
    let code = 1000;
    let server = Server::start(Behaviour::CloseWith {
        code,
        reason,
        after,
    })
    .unwrap();
    let begun = Instant::now();
    let Run { code, err, .. } = run(&["connect", "--linger", "60", &server.url()], b"a\n");
    assert_eq!(code, 0, "{err}");
    // Not the program but the server had enough.
    assert!(begun.elapsed() >= after);
}

#[test]
fn a_server_that_comes_later_is_waited_for() {
    let address = nobody();
    let mut running = start(&["connect", &format!("ws://{address}/")]);
    let mut input = running.input.take().unwrap();
    input.write_all(b"early\n").unwrap();
    let server = Server::start_on(address, Behaviour::Echo).unwrap();
    assert!(server.wait_received(1, PATIENCE));
    drop(input);
    let Run { code, out, err } = running.finish();
    assert_eq!((code, out.as_str()), (0, "early\n"), "{err}");
}

#[test]
fn what_is_refused_for_good_ends_with_1() {
    let headers = Vec::new();
    let server = Server::start(Behaviour::Http {
        status: 403,
        headers,
    })
    .unwrap();
    let Run { code, out, err } = run(&["connect", "--quiet", &server.url()], b"a\n");
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("HTTP 403"), "{err}");
    assert_eq!(server.dials(), 1);
}

#[test]
fn spent_retries_end_with_1() {
    let address = nobody();
    let url = format!("ws://{address}/");
    let running = start(&["connect", "--listen", "--max-retries", "1", &url]);
    let Run { code, err, .. } = running.finish();
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("gave up after 1 retry: connection refused"),
        "{err}"
    );
}

#[test]
fn what_is_left_at_the_deadline_ends_with_3() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let mut running = start(&["connect", "--drain", "0.2", &server.url()]);
    assert!(server.wait_handshakes(1, PATIENCE));
    running.err.wait("connected to");
    server.kill();
    running.err.wait("; attempt");
    running.input.take().unwrap().write_all(b"a\nb\n").unwrap();
    let Run { code, err, .. } = running.finish();
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("not sent: 2"), "{err}");
}

#[test]
fn nothing_to_send_and_nobody_there_ends_with_3() {
    let url = format!("ws://{}/", nobody());
    let Run { code, err, .. } = run(&["connect", "--drain", "0.2", &url], b"");
    assert_eq!(code, 3, "{err}");
}

#[test]
fn wrong_usage_and_wrong_input_end_with_2() {
    for args in [
        &["connect"][..],
        &["connect", "http://localhost/"],
        &["connect", "ws://localhost/", "--header", "x"],
        &["connect", "ws://localhost/", "--ping", "0"],
    ] {
        let Run { code, out, err } = run(args, b"");
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
    }
    let server = Server::start(Behaviour::Echo).unwrap();
    let Run { code, out, err } = run(&["connect", &server.url()], b"ok\n\xff\xfe\nnever\n");
    assert_eq!((code, out.as_str()), (2, "ok\n"), "{err}");
    assert!(err.contains("line 2 of stdin is not UTF-8"), "{err}");
}

#[test]
fn a_server_that_says_goodbye_ends_it() {
    let after = Duration::from_millis(50);
    let reason = String::new();
    let server = Server::start(Behaviour::CloseWith {
        code: 1000,
        reason,
        after,
    })
    .unwrap();
    let mut running = start(&["connect", &server.url()]);
    // Stdin stays open: it is the server that ends it.
    let input = running.input.take();
    let Run { code, err, .. } = running.finish();
    assert_eq!(code, 0, "{err}");
    drop(input);
}

#[test]
fn a_closed_stdout_ends_it() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let mut running = start_deaf(&["connect", "--listen", &server.url()]);
    running.close_stdout();
    running.input.take().unwrap().write_all(b"a\n").unwrap();
    // The first message finds stdout closed, and a later one finds that out.
    let deadline = Instant::now() + PATIENCE;
    while running.is_running() {
        assert!(Instant::now() < deadline, "it goes on for nobody");
        server.send_all("more");
        std::thread::sleep(Duration::from_millis(5));
    }
    let Run { code, err, .. } = running.finish();
    assert_eq!(code, 0, "{err}");
    assert_eq!(server.closes(), [Some(1000)]);
}

#[cfg(unix)]
#[test]
fn an_interrupt_closes_in_order() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let mut running = start(&["connect", &server.url()]);
    let mut input = running.input.take().unwrap();
    input.write_all(b"a\n").unwrap();
    running.out.wait("a\n");
    let id = running.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-INT", &id])
        .status();
    assert!(killed.unwrap().success());
    let Run { code, out, err } = running.finish();
    assert_eq!((code, out.as_str()), (0, "a\n"), "{err}");
    assert_eq!(server.closes(), [Some(1000)]);
    drop(input);
}

#[test]
fn nothing_is_sent_twice_over_a_line_that_is_cut() {
    let server = Server::start(Behaviour::Sink).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let mut running = start(&["connect", &proxy.url()]);
    let mut input = running.input.take().unwrap();
    for number in 0..200 {
        writeln!(input, "{number}").unwrap();
        if number == 100 {
            assert!(server.wait_received(50, PATIENCE));
            proxy.reset_all();
        }
    }
    drop(input);
    let Run { code, err, .. } = running.finish();
    assert_eq!(disorder(&server), (0, 0));
    // In doubt is told in doubt.
    assert_eq!(code == 3, err.contains("in doubt:"), "{code} {err}");
}

/// An address at which nobody listens.
fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// How many numbered messages came late, and how many twice.
fn disorder(server: &Server) -> (u64, u64) {
    let ledger = server.ledger();
    (ledger.late(), ledger.duplicated())
}
