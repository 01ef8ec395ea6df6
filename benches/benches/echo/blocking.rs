//! The blocking variants: the bare library twice, then the handle of `redial-blocking`; and how
//! long a message takes from another thread to the wire.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use redial::Phase;
use redial_blocking::{Handle, Incoming, Message};
use tungstenite::{Message as Raw, WebSocket};

use crate::Variant;

pub(crate) const VARIANTS: [Variant; 3] = [
    Variant {
        name: "bare, batched (baseline)",
        run: |url, size, under_way, time| bare(url, size, under_way, time, true),
    },
    Variant {
        name: "bare, one flush a message",
        run: |url, size, under_way, time| bare(url, size, under_way, time, false),
    },
    Variant {
        name: "redial-blocking, handle",
        run: handle,
    },
];

fn open(url: &str) -> WebSocket<TcpStream> {
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let socket = TcpStream::connect(address).expect("the server");
    socket.set_nodelay(true).expect("a socket");
    let (line, _) = tungstenite::client::client_with_config(url, socket, Some(crate::settings()))
        .expect("an upgrade");
    line
}

/// Batched: half of what is under way is read, then written again with one flush, so that the
/// line never falls silent. A blocking socket cannot tell how much more has arrived.
fn bare(url: &str, size: usize, under_way: usize, time: Duration, batched: bool) -> u64 {
    let mut line = open(url);
    let message = Raw::Binary(Bytes::from(vec![7; size]));
    let batch = if batched { (under_way / 2).max(1) } else { 1 };
    for _ in 0..under_way {
        line.write(message.clone()).expect("a line that stays");
    }
    line.flush().expect("a line that stays");
    let until = Instant::now() + time;
    let mut echoed = 0;
    while Instant::now() < until {
        for _ in 0..batch {
            line.read().expect("an echo");
        }
        for _ in 0..batch {
            line.write(message.clone()).expect("a line that stays");
        }
        line.flush().expect("a line that stays");
        echoed += batch as u64;
    }
    echoed
}

fn connect(url: &str) -> (Handle<Message>, Incoming<Message>) {
    let (handle, incoming) = redial_blocking::websocket(url)
        .expect("a good url")
        .spawn()
        .expect("a thread");
    let connected = handle.wait(|s| s.phase == Phase::Connected, Duration::from_secs(5));
    connected.expect("the server is there");
    (handle, incoming)
}

fn handle(url: &str, size: usize, under_way: usize, time: Duration) -> u64 {
    let (handle, incoming) = connect(url);
    let message = Message::Binary(Bytes::from(vec![7; size]));
    let until = Instant::now() + time;
    let (mut echoed, mut out) = (0, 0);
    while Instant::now() < until {
        while out < under_way {
            handle.try_send(message.clone()).expect("room");
            out += 1;
        }
        incoming.recv().expect("an echo");
        let mut back = 1;
        while incoming.try_recv().is_ok() {
            back += 1;
        }
        out -= back;
        echoed += back as u64;
    }
    handle.disconnect();
    echoed
}

/// From `try_send` on this thread to the message in a server's hands, on an idle link: the wake
/// of the link's thread, the write, loopback, and the wake of the server's thread. Against the
/// same with the bare library, which has one wake less.
pub(crate) fn send_to_wire() {
    const TIMES: usize = 2_000;
    let median = |mut micros: Vec<u128>| {
        micros.sort_unstable();
        (micros[micros.len() / 2], micros[micros.len() * 99 / 100])
    };
    let server = redial_faults::Server::start(redial_faults::Behaviour::Sink).expect("a server");
    let mut seen = 0;
    let mut time = |send: &mut dyn FnMut()| {
        let mut micros = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            let begun = Instant::now();
            send();
            seen += 1;
            assert!(
                server.wait_received(seen, Duration::from_secs(5)),
                "arrives"
            );
            micros.push(begun.elapsed().as_micros());
        }
        median(micros)
    };
    let mut line = open(&server.url());
    let raw = time(&mut || line.send(Raw::Text("x".into())).expect("a line that stays"));
    let (handle, _incoming) = connect(&server.url());
    let own = time(&mut || {
        handle.try_send(Message::Text("x".into())).expect("room");
    });
    println!("\nblocking, send to the server's hands, idle link, {TIMES} times (median, p99)");
    println!("  bare library         {} us, {} us", raw.0, raw.1);
    println!("  from another thread  {} us, {} us", own.0, own.1);
}
