//! Outages of every kind: the link notices on time, comes back, and keeps what was sent.

use std::time::Instant;

use redial_blocking::redial::outbox::Limits;
use redial_blocking::redial::{Cause, Outcome, Phase, cause::SocketError, heartbeat::Pulse};
use redial_faults::{Behaviour, Mode, Proxy, Server};

use crate::common::{SOON, builder, connected, ended_by, link, ms, pulse, quick, wait};

fn roomy(messages: usize) -> Limits {
    Limits {
        messages,
        ..Limits::default()
    }
}

#[test]
fn a_server_that_is_not_yet_up() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::Refuse);
    let (handle, incoming) = link(&proxy.url(), quick());
    handle.try_send("1 early").unwrap();
    ended_by(&handle, Cause::Socket(SocketError::Refused));
    proxy.set(Mode::Pass);
    connected(&handle);
    assert_eq!(
        incoming.recv_timeout(SOON).unwrap().as_text(),
        Some("1 early")
    );
}

#[test]
fn a_restart_keeps_the_queue_in_order() {
    let server = Server::start(Behaviour::Sink).unwrap();
    let address = server.addr();
    let (handle, _incoming) = link(&server.url(), quick().outbox(roomy(20_000)));
    connected(&handle);
    server.kill();
    wait(&handle, |status| status.phase != Phase::Connected);
    let fates = handle.fates();
    for number in 0..10_000 {
        handle.try_send(format!("{number} while away")).unwrap();
    }
    let server = Server::start_on(address, Behaviour::Sink).unwrap();
    assert!(server.wait_received(10_000, SOON));
    let ledger = server.ledger();
    assert_eq!(
        (
            ledger.missing(0..10_000),
            ledger.late(),
            ledger.duplicated()
        ),
        (0, 0, 0)
    );
    for number in 1..=10_000 {
        let fate = fates.recv_timeout(SOON).unwrap();
        assert_eq!(fate.id.number(), number);
        assert_eq!(fate.outcome, Outcome::Written);
    }
}

#[test]
fn ends_without_a_close_frame() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (handle, _incoming) = link(&server.url(), quick());
    connected(&handle);
    server.drop_all();
    ended_by(&handle, Cause::Lost);
    assert!(server.wait_handshakes(2, SOON));
    connected(&handle);
    server.reset_all();
    ended_by(&handle, Cause::Socket(SocketError::Reset));
    assert!(server.wait_handshakes(3, SOON));
}

#[test]
fn a_black_hole_in_both_directions() {
    for mode in [Mode::BlackHole, Mode::BlackHoleSwallow] {
        let server = Server::start(Behaviour::Echo).unwrap();
        let proxy = Proxy::start(server.addr()).unwrap();
        let config = quick().heartbeat(pulse(300, 300));
        let (idle, loaded) = config.clone().build().unwrap().detection().unwrap();
        assert_eq!((idle, loaded), (ms(600), ms(1200)));
        let (handle, _incoming) = link(&proxy.url(), config);
        connected(&handle);
        let start = Instant::now();
        proxy.set(mode.clone());
        ended_by(&handle, Cause::PongTimeout);
        let took = start.elapsed();
        println!("{mode:?}: noticed after {took:?}, bound {idle:?}");
        assert!(took < idle + ms(300), "{took:?}");
        handle.try_send("1 in the dark").unwrap();
        proxy.set(Mode::Pass);
        assert!(server.wait_received(1, SOON));
    }
}

#[test]
fn a_black_hole_under_load() {
    let server = Server::start(Behaviour::Sink).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let config = quick().heartbeat(pulse(300, 300));
    let (_, loaded) = config.clone().build().unwrap().detection().unwrap();
    let (handle, _incoming) = link(&proxy.url(), config);
    connected(&handle);
    let sender = handle.clone();
    let load = std::thread::spawn(move || while sender.send(vec![7; 4096]).is_ok() {});
    assert!(server.wait_received(1000, SOON));
    let start = Instant::now();
    proxy.set(Mode::BlackHole);
    ended_by(&handle, Cause::PongTimeout);
    let took = start.elapsed();
    println!("under load: noticed after {took:?}, bound {loaded:?}");
    assert!(took < loaded + ms(300), "{took:?}");
    handle.disconnect();
    load.join().unwrap();
}

#[test]
fn a_silent_server_before_the_handshake() {
    let server = Server::start(Behaviour::Echo).unwrap();
    for mode in [Mode::StallAccept, Mode::StallHandshake] {
        let proxy = Proxy::start(server.addr()).unwrap();
        proxy.set(mode.clone());
        let (handle, incoming) = link(&proxy.url(), quick());
        handle.try_send("1 patient").unwrap();
        // The kernel accepts, so that the host counts as reached.
        ended_by(&handle, Cause::HandshakeTimeout);
        proxy.set(Mode::Pass);
        let echo = incoming.recv_timeout(SOON).unwrap();
        assert_eq!(echo.as_text(), Some("1 patient"), "{mode:?}");
    }
}

#[test]
fn an_unreachable_host() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::BlackHole);
    let (handle, _incoming) = link(&proxy.url(), quick());
    if cfg!(target_os = "linux") {
        ended_by(&handle, Cause::ConnectTimeout);
    }
    proxy.set(Mode::Pass);
    connected(&handle);
}

#[test]
fn all_addresses_of_a_name_are_tried() {
    let server = Server::start(Behaviour::Echo).unwrap();
    // Usually ::1 too, where nobody listens.
    let url = format!("ws://localhost:{}/", server.addr().port());
    let (handle, _incoming) = link(&url, quick().connect_deadline(SOON).patience(SOON));
    connected(&handle);
    assert_eq!(handle.stats().dials, 1);
}

#[test]
fn accepts_and_drops() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::AcceptThenDrop { after: ms(0) });
    let (handle, incoming) = link(&proxy.url(), quick());
    handle.try_send("1 persistent").unwrap();
    ended_by(&handle, Cause::Lost);
    assert!(proxy.wait_accepted(3, SOON));
    proxy.set(Mode::Pass);
    let echo = incoming.recv_timeout(SOON).unwrap();
    assert_eq!(echo.as_text(), Some("1 persistent"));
}

#[test]
fn what_may_not_have_left_is_not_called_written() {
    let server = Server::start(Behaviour::Ignore).unwrap();
    let (handle, _incoming) = link(&server.url(), quick());
    let fates = handle.fates();
    connected(&handle);
    // More than the buffers of the kernel take from a server that does not read.
    let large = vec![5; 12 << 20];
    let id = handle.try_send(large.clone()).unwrap();
    ended_by(&handle, Cause::PongTimeout);
    let fate = fates.recv_timeout(SOON).unwrap();
    assert_eq!((fate.id, fate.outcome), (id, Outcome::Unknown));
    assert!(fate.payload.unwrap().as_bytes() == large);
}

#[test]
fn a_slow_line_stays_up() {
    let server = Server::start(Behaviour::Sink).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::Slow {
        bytes_per_second: 20_000,
        buffer: 2048,
    });
    // A ping waits behind some 16 KiB here and below, which is less than a second.
    let config = quick()
        .connect_deadline(ms(5000))
        .patience(ms(5000))
        .heartbeat(Pulse {
            extension: 3,
            ..pulse(500, 1000)
        });
    let (handle, _incoming) = builder(&proxy.url(), config)
        .unsent_limit(4096)
        .spawn()
        .unwrap();
    let padding = "x".repeat(500);
    for number in 0..200 {
        handle.try_send(format!("{number} {padding}")).unwrap();
    }
    let start = Instant::now();
    assert!(server.wait_received(200, 3 * SOON));
    let took = start.elapsed();
    println!("100 kB at 20 kB/s in {took:?}, {} pings", server.pings());
    let ledger = server.ledger();
    assert_eq!(
        (ledger.missing(0..200), ledger.late(), ledger.duplicated()),
        (0, 0, 0)
    );
    assert_eq!(handle.stats().dials, 1);
    assert!(server.pings() >= 2 && took > ms(3000));
}

#[test]
fn a_send_from_another_thread_goes_out_at_once() {
    let server = Server::start(Behaviour::Sink).unwrap();
    let (handle, _incoming) = link(&server.url(), quick());
    connected(&handle);
    let mut times: Vec<_> = (1..=200)
        .map(|number| {
            let start = Instant::now();
            handle.try_send(format!("{number}")).unwrap();
            assert!(server.wait_received(number, SOON));
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!(
        "send to server: median {:?}, 99 of 100 {:?}",
        times[100], times[198]
    );
    assert!(times[100] < ms(5), "{:?}", times[100]);
}
