//! Every mode of the proxy, seen from both ends by plain sockets.

mod common;

use common::{QUIET, SOON, assert_fin, assert_reads, assert_rst, assert_silent, through};
use redial_faults::{Mode, Proxy, http_answer};
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

fn setup() -> (Proxy, TcpListener) {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("binds");
    let proxy = Proxy::start(upstream.local_addr().expect("is bound")).expect("starts");
    (proxy, upstream)
}

fn accepts_nothing(upstream: &TcpListener) -> bool {
    upstream.set_nonblocking(true).expect("sets");
    upstream
        .accept()
        .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[test]
fn pass_moves_bytes_and_half_closes() {
    let (proxy, upstream) = setup();
    let (mut client, mut server) = through(&proxy, &upstream);
    client.write_all(b"question").unwrap();
    assert_reads(&mut server, b"question");
    client.shutdown(Shutdown::Write).unwrap();
    assert_fin(&mut server);
    server.write_all(b"answer").unwrap();
    assert_reads(&mut client, b"answer");
    assert_eq!(proxy.stats().open, 1);
    drop(server);
    assert_fin(&mut client);
    assert!(proxy.wait(SOON, |stats| stats.open == 0));
    let stats = proxy.stats();
    assert_eq!((stats.accepted, stats.up, stats.down), (1, 8, 6));
}

#[test]
fn pass_moves_much_without_loss() {
    let (proxy, upstream) = setup();
    let (mut client, mut server) = through(&proxy, &upstream);
    let sent: Vec<u8> = (0..8_000_000_u32)
        .map(|i| i.to_le_bytes()[(i % 3) as usize])
        .collect();
    let expected = sent.clone();
    let writer = std::thread::spawn(move || {
        client.write_all(&sent).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        client
    });
    // The reader is late, so that the proxy meets a full socket.
    assert!(!proxy.wait(QUIET, |stats| stats.up == expected.len() as u64));
    let mut received = Vec::new();
    server.read_to_end(&mut received).unwrap();
    assert!(received == expected);
    drop(writer.join().unwrap());
}

#[test]
fn pass_moves_resets() {
    let (proxy, upstream) = setup();
    let (mut client, server) = through(&proxy, &upstream);
    SockRef::from(&server)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(server);
    assert_rst(&mut client);
    let (client, mut server) = through(&proxy, &upstream);
    SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    assert_rst(&mut server);
}

#[test]
fn refuse_answers_a_connect_and_leaves_the_rest() {
    let (proxy, upstream) = setup();
    let (mut client, mut server) = through(&proxy, &upstream);
    for _ in 0..3 {
        proxy.set(Mode::Refuse);
        let refused = TcpStream::connect(proxy.addr()).map_err(|error| error.kind());
        assert_eq!(refused.err(), Some(io::ErrorKind::ConnectionRefused));
        client.write_all(b"still").unwrap();
        assert_reads(&mut server, b"still");
        proxy.set(Mode::Pass);
        through(&proxy, &upstream);
    }
    assert_eq!(proxy.accepted(), 4);
}

#[test]
fn black_hole_stops_open_connections_and_lets_them_go_on() {
    let (proxy, upstream) = setup();
    let (mut client, mut server) = through(&proxy, &upstream);
    proxy.set(Mode::BlackHole);
    client.write_all(b"up").unwrap();
    server.write_all(b"down").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    assert_silent(&mut client);
    assert_silent(&mut server);
    proxy.set(Mode::Pass);
    assert_reads(&mut client, b"down");
    assert_fin(&mut client);
    assert_reads(&mut server, b"up");
}

#[test]
fn black_hole_fills_the_buffers_of_the_sender() {
    let (proxy, upstream) = setup();
    let (mut client, mut server) = through(&proxy, &upstream);
    proxy.set(Mode::BlackHole);
    client.set_write_timeout(Some(QUIET)).unwrap();
    let mut written = 0;
    let full = loop {
        match client.write(&vec![7; 65_536]) {
            Ok(count) => written += count,
            Err(error) => break error.kind(),
        }
        assert!(written < 1 << 28);
    };
    assert!(
        matches!(full, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        "{full:?}"
    );
    assert_eq!(proxy.stats().up, 0);
    proxy.set(Mode::Pass);
    assert_reads(&mut server, &vec![7; written]);
}

#[cfg(target_os = "linux")]
#[test]
fn black_hole_leaves_a_connect_unanswered() {
    let (proxy, upstream) = setup();
    for round in 0..3 {
        proxy.set(Mode::BlackHole);
        let hung = TcpStream::connect_timeout(&proxy.addr(), QUIET).map_err(|error| error.kind());
        assert_eq!(hung.err(), Some(io::ErrorKind::TimedOut));
        proxy.set(if round == 1 {
            Mode::StallAccept
        } else {
            Mode::Pass
        });
        proxy.set(Mode::Pass);
        through(&proxy, &upstream);
        assert_eq!(proxy.accepted(), round + 1, "its own connects don't count");
    }
}

#[test]
fn swallow_loses_what_comes_meanwhile() {
    let (proxy, upstream) = setup();
    let (mut client, mut server) = through(&proxy, &upstream);
    client.write_all(b"a").unwrap();
    assert_reads(&mut server, b"a");
    proxy.set(Mode::BlackHoleSwallow);
    // More than buffers hold: it is read.
    client.write_all(&vec![7; 16 << 20]).unwrap();
    assert_silent(&mut server);
    server.write_all(b"lost").unwrap();
    assert_silent(&mut client);
    proxy.set(Mode::Pass);
    client.write_all(b"b").unwrap();
    assert_reads(&mut server, b"b");
    server.write_all(b"c").unwrap();
    assert_reads(&mut client, b"c");
}

#[test]
fn stall_accept_connects_and_serves_later() {
    let (proxy, upstream) = setup();
    proxy.set(Mode::StallAccept);
    let mut client = common::tcp(proxy.addr());
    client.write_all(b"hello").unwrap();
    assert_silent(&mut client);
    assert_eq!(proxy.accepted(), 0);
    proxy.set(Mode::Pass);
    assert!(proxy.wait_accepted(1, SOON));
    let (mut server, _) = upstream.accept().unwrap();
    assert_reads(&mut server, b"hello");
}

#[test]
fn stall_handshake_accepts_and_says_nothing() {
    let (proxy, upstream) = setup();
    let (mut early, mut server) = through(&proxy, &upstream);
    proxy.set(Mode::StallHandshake);
    let mut client = common::tcp(proxy.addr());
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_silent(&mut client);
    assert_eq!(proxy.accepted(), 2);
    assert!(accepts_nothing(&upstream));
    early.write_all(b"passes").unwrap();
    assert_reads(&mut server, b"passes");
    drop(client);
    assert!(
        proxy.wait(SOON, |stats| stats.open == 1),
        "it is read to its end"
    );
}

#[test]
fn accept_then_drop_passes_and_ends_with_a_fin() {
    let (proxy, upstream) = setup();
    let after = Duration::from_millis(50);
    proxy.set(Mode::AcceptThenDrop { after });
    let begun = Instant::now();
    let (mut client, mut server) = through(&proxy, &upstream);
    client.write_all(b"up").unwrap();
    assert_reads(&mut server, b"up");
    server.write_all(b"down").unwrap();
    assert_reads(&mut client, b"down");
    assert_fin(&mut client);
    assert!(begun.elapsed() >= after);
    assert_fin(&mut server);
    assert_eq!(proxy.stats().open, 0);
}

#[test]
fn reset_after_ends_open_connections_counted_from_now() {
    let (proxy, upstream) = setup();
    let (mut client, mut server) = through(&proxy, &upstream);
    assert!(!proxy.wait_accepted(2, QUIET));
    // A later deadline, given up, is in the way of no earlier one.
    proxy.set(Mode::AcceptThenDrop {
        after: Duration::from_secs(60),
    });
    let begun = Instant::now();
    proxy.set(Mode::ResetAfter { after: QUIET });
    assert_rst(&mut client);
    assert!(begun.elapsed() >= QUIET);
    assert_rst(&mut server);
}

#[test]
fn answer_says_its_bytes_and_ends() {
    let (proxy, upstream) = setup();
    let busy = http_answer(503, "Service Unavailable", &[("Retry-After", "7")], "later");
    proxy.set(Mode::Answer(busy.clone()));
    let mut client = common::tcp(proxy.addr());
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").unwrap();
    assert_silent(&mut client);
    client.write_all(b"\r\n").unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, busy);
    assert!(accepts_nothing(&upstream));
    let refused = common::dial(proxy.addr(), "/", &[]);
    let Err(tungstenite::Error::Http(response)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["Retry-After"], "7");
}

#[test]
fn slow_paces_without_loss() {
    let (proxy, upstream) = setup();
    proxy.set(Mode::Slow {
        bytes_per_second: 40_000,
        buffer: 512,
    });
    let (mut client, mut server) = through(&proxy, &upstream);
    let sent: Vec<u8> = (0..8_000_u32).map(|i| i.to_le_bytes()[0]).collect();
    let begun = Instant::now();
    client.write_all(&sent).unwrap();
    assert_reads(&mut server, &sent);
    let took = begun.elapsed();
    // 8,000 bytes take 200 ms, less what one lot and a tenth of a second of credit may save.
    assert!(
        took >= Duration::from_millis(90) && took < Duration::from_secs(2),
        "{took:?}"
    );
    proxy.set(Mode::Pass);
    let begun = Instant::now();
    client.write_all(&vec![1; 100_000]).unwrap();
    assert_reads(&mut server, &vec![1; 100_000]);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[test]
fn slow_holds_little() {
    let (proxy, upstream) = setup();
    let early = through(&proxy, &upstream);
    proxy.set(Mode::Slow {
        bytes_per_second: 0,
        buffer: 1024,
    });
    let late = through(&proxy, &upstream);
    // The window of an open connection was told before, and is not taken back.
    for ((mut client, _server), most) in [(early, 96 * 1024), (late, 32 * 1024)] {
        SockRef::from(&client).set_send_buffer_size(4096).unwrap();
        client.set_write_timeout(Some(QUIET)).unwrap();
        let mut written = 0;
        while let Ok(count) = client.write(&[7; 1024]) {
            written += count;
        }
        assert!(written < most, "the sender feels it after {written} bytes");
    }
}

#[test]
fn cut_passes_exactly_so_many_bytes() {
    let (proxy, upstream) = setup();
    let (mut early, mut early_server) = through(&proxy, &upstream);
    early.write_all(b"0123456789").unwrap();
    assert_reads(&mut early_server, b"0123456789");

    proxy.set(Mode::CutAfterBytes {
        up: 5,
        down: u64::MAX,
    });
    early.write_all(b"abcdefgh").unwrap();
    assert_reads(&mut early_server, b"abcde");
    assert_rst(&mut early_server);
    assert_rst(&mut early);

    proxy.set(Mode::CutAfterBytes {
        up: u64::MAX,
        down: 100_000,
    });
    let (mut client, mut server) = through(&proxy, &upstream);
    let writer = std::thread::spawn(move || server.write_all(&vec![7; 200_000]));
    assert_reads(&mut client, &vec![7; 100_000]);
    assert_rst(&mut client);
    // Whether it noticed depends on how much the kernel took.
    let _ = writer.join().unwrap();
}

#[test]
fn reset_all_and_close_all_end_every_connection() {
    let (proxy, upstream) = setup();
    let mut pairs: Vec<_> = (0..3).map(|_| through(&proxy, &upstream)).collect();
    proxy.reset_all();
    assert_eq!(proxy.stats().open, 0);
    for (client, server) in &mut pairs {
        assert_rst(client);
        assert_rst(server);
    }
    let mut pairs: Vec<_> = (0..3).map(|_| through(&proxy, &upstream)).collect();
    for (client, _) in &mut pairs {
        client.write_all(b"unread").unwrap();
    }
    proxy.close_all();
    assert_eq!(proxy.stats().open, 0);
    for (client, server) in &mut pairs {
        assert_fin(client);
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).unwrap();
    }
}

#[test]
fn upstream_can_change_and_be_gone() {
    let (proxy, upstream) = setup();
    let (mut old, mut old_server) = through(&proxy, &upstream);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_upstream(other.local_addr().unwrap());
    through(&proxy, &other);
    old.write_all(b"old").unwrap();
    assert_reads(&mut old_server, b"old");
    drop(other);
    // The reset may come while the connection is still being made.
    match TcpStream::connect_timeout(&proxy.addr(), SOON) {
        Ok(mut client) => {
            client.set_read_timeout(Some(SOON)).unwrap();
            assert_rst(&mut client);
        }
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
}

#[test]
fn drop_ends_everything_and_frees_the_port() {
    for mode in [Mode::Pass, Mode::Refuse, Mode::BlackHole, Mode::StallAccept] {
        let set = mode.clone();
        let (proxy, upstream) = setup();
        let address = proxy.addr();
        let (mut client, mut server) = through(&proxy, &upstream);
        proxy.set(mode);
        assert_eq!(proxy.mode(), set);
        drop(proxy);
        assert_fin(&mut client);
        assert_fin(&mut server);
        let again = Proxy::start_on(address, upstream.local_addr().unwrap()).unwrap();
        through(&again, &upstream);
    }
}

#[test]
fn wait_accepted_wakes_and_gives_up() {
    let (proxy, _upstream) = setup();
    assert!(!proxy.wait_accepted(1, Duration::from_millis(10)));
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| proxy.wait_accepted(2, SOON));
        let _clients = [common::tcp(proxy.addr()), common::tcp(proxy.addr())];
        assert!(waiter.join().unwrap());
    });
    assert_eq!(proxy.dial_times().len(), 2);
}
