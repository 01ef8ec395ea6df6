//! The server for framed TCP, seen by a plain client.

mod common;

use common::{QUIET, SOON, assert_fin, assert_reads};
use redial_faults::{Behaviour, Frame, FramedServer};
use std::io::Write;

const DATA: u8 = 0;
const PING: u8 = 1;
const PONG: u8 = 2;
const CLOSE: u8 = 3;

fn tagged(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).unwrap();
    [&length.to_be_bytes(), &[tag][..], body].concat()
}

fn frame(payload: &[u8]) -> Vec<u8> {
    tagged(DATA, payload)
}

#[test]
fn echoes_frames_however_they_are_cut() {
    let server = FramedServer::start(Behaviour::Echo).unwrap();
    let mut client = common::tcp(server.addr());
    assert!(server.wait_open(1, SOON));
    let sent = [
        frame(b"1 a"),
        frame(b""),
        frame(&vec![9; 100_000]),
        frame(b"2"),
    ]
    .concat();
    client.write_all(&sent[..2]).unwrap();
    assert!(!server.wait_received(1, QUIET));
    client.write_all(&sent[2..]).unwrap();
    assert_reads(&mut client, &sent);
    assert_eq!(server.received_count(), 4);
    assert_eq!(server.ledger().missing(1..3), 0);
    server.send_all("news");
    assert_reads(&mut client, &frame(b"news"));
    client.write_all(&tagged(PING, &[7; 8])).unwrap();
    assert_reads(&mut client, &tagged(PONG, &[7; 8]));
    server.close_all(1000, "");
    assert_reads(&mut client, &tagged(CLOSE, &[]));
    assert_fin(&mut client);
    assert!(server.wait_closed(SOON));
}

#[test]
fn follows_its_script() {
    let server = FramedServer::start(Behaviour::SendFirst(vec![
        Frame::Text("hi".to_owned()),
        Frame::Raw(vec![1, 2]),
    ]))
    .unwrap();
    let mut client = common::tcp(server.addr());
    assert_reads(&mut client, &[0, 0, 0, 3, DATA, b'h', b'i', 1, 2]);
    // A length that no message has ends the connection.
    client.write_all(&[255; 4]).unwrap();
    assert!(server.wait_closed(SOON));
    server.set(Behaviour::EchoThenDrop { after: QUIET });
    let mut client = common::tcp(server.addr());
    client.write_all(&frame(b"x")).unwrap();
    assert_reads(&mut client, &frame(b"x"));
    assert_fin(&mut client);
    let address = server.addr();
    let mut client = common::tcp(address);
    assert!(server.wait_open(1, SOON));
    server.kill();
    common::assert_rst(&mut client);
    FramedServer::start_on(address, Behaviour::Echo).unwrap();
}
