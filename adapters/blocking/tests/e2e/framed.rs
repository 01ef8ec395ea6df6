//! Framed TCP.

use redial_blocking::redial::cause::ProtocolError;
use redial_blocking::redial::{Cause, Outcome, Phase};
use redial_blocking::tcp;
use redial_faults::{Behaviour, Frame, FramedServer, Mode, Proxy};

use crate::common::{SOON, connected, ended_by, ms, pulse, quick, wait};

#[test]
fn carries_messages_over_an_outage() {
    let server = FramedServer::start(Behaviour::Echo).unwrap();
    let config = quick().build().unwrap();
    let builder = tcp(&server.addr().to_string()).unwrap().config(config);
    let (handle, incoming) = builder.spawn().unwrap();
    connected(&handle);
    for payload in [b"1 a".to_vec(), Vec::new(), vec![9; 100_000]] {
        handle.try_send(payload.clone()).unwrap();
        assert_eq!(incoming.recv_timeout(SOON).unwrap(), payload);
    }
    server.drop_all();
    ended_by(&handle, Cause::Lost);
    handle.try_send("2 later").unwrap();
    assert_eq!(incoming.recv_timeout(SOON).unwrap(), b"2 later");
    server.close_all(1000, "");
    // A close frame has no code here: the link dials again.
    ended_by(&handle, Cause::Close(1005));
    connected(&handle);
    handle.disconnect();
    wait(&handle, |status| status.phase == Phase::Closed);
    assert!(server.wait_closes(1, SOON));
}

#[test]
fn notices_a_silent_peer_by_its_pings() {
    let server = FramedServer::start(Behaviour::Sink).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let config = quick().heartbeat(pulse(100, 200)).build().unwrap();
    let builder = tcp(&proxy.addr().to_string()).unwrap().config(config);
    let (handle, _incoming) = builder.spawn().unwrap();
    assert!(server.wait_pings(3, SOON));
    assert_eq!(handle.stats().dials, 1);
    assert!(handle.status().round_trip.unwrap() < ms(200));
    proxy.set(Mode::BlackHole);
    ended_by(&handle, Cause::PongTimeout);
    proxy.set(Mode::Pass);
    connected(&handle);
    // There is no handshake: the server knows of the connection once a message has arrived.
    handle.try_send("here").unwrap();
    assert!(server.wait_received(1, SOON));
    server.ping_all();
    assert!(server.wait_pongs(1, SOON));
}

#[test]
fn frames_that_can_not_be() {
    for (bytes, cause) in [
        (vec![0, 0, 0, 0], ProtocolError::Frame),
        (vec![0, 0, 0, 1, 9], ProtocolError::Frame),
        (vec![0, 0, 0, 2, 1, 1], ProtocolError::Frame),
        (vec![0, 1, 0, 0], ProtocolError::TooBig),
    ] {
        let behaviour = Behaviour::SendFirst(vec![Frame::Raw(bytes)]);
        let server = FramedServer::start(behaviour).unwrap();
        let builder = tcp(&server.addr().to_string()).unwrap();
        let config = quick().build().unwrap();
        let builder = builder.config(config).max_incoming(1000).max_outgoing(1000);
        let (handle, _incoming) = builder.spawn().unwrap();
        ended_by(&handle, Cause::Protocol(cause));
    }
}

#[test]
fn a_message_over_the_limit() {
    let server = FramedServer::start(Behaviour::Sink).unwrap();
    let builder = tcp(&server.addr().to_string()).unwrap().max_outgoing(3);
    let (handle, _incoming) = builder.spawn().unwrap();
    let fates = handle.fates();
    handle.try_send("four").unwrap();
    handle.try_send("1 a").unwrap();
    assert!(matches!(
        fates.recv_timeout(SOON).unwrap().outcome,
        Outcome::Dropped(_)
    ));
    assert_eq!(fates.recv_timeout(SOON).unwrap().outcome, Outcome::Written);
    assert!(server.wait_received(1, SOON));
}
