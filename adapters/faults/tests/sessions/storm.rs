//! Messages both ways while connections and the server die at random moments.

use crate::client::{Client, data, message, next_connection, seen};
use crate::places::Place;
use redial::Hello;
use redial::session::SessionId;
use redial::wire::Frame;
use redial_faults::sessions::{Feed, Memory, SessionOptions, SessionServer, Store};
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tungstenite::{Error, Message};

/// Of each end.
const MESSAGES: u64 = 2_000;
/// So many at most between a death and the next, but for those that are under way.
const APART: u64 = 20;
/// So many of the client's are under way.
const AHEAD: u64 = 12;
/// Far longer than it takes, on a machine that has other things to do as well.
const PATIENCE: Duration = Duration::from_secs(60);
/// What must have happened for the test to mean anything.
const DEATHS: u64 = 60;

/// What the client remembers, whatever dies.
#[derive(Debug, Default)]
struct Memo {
    session: Option<SessionId>,
    /// The last of the server's messages that was seen.
    seen: u64,
    /// The last of its own that the server has.
    acked: u64,
    /// The last of its own that was written on this connection.
    written: u64,
}

fn random(state: &mut u64, below: u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1);
    (*state >> 33) % below
}

/// Carries messages on one connection until it dies, or until both ends have seen all.
fn carry(server: &SessionServer, memo: &mut Memo) -> Result<(), Error> {
    let mut client = Client::dial_again(server.addr());
    let hello = Frame::Hello(Hello {
        session: memo.session,
        last_seen: memo.seen,
        first: memo.acked + 1,
        connection: next_connection(),
    });
    client.0.send(Message::binary(hello.to_vec()))?;
    memo.written = memo.acked;
    let wait = Some(Duration::from_millis(1));
    client.0.get_mut().set_read_timeout(wait)?;
    loop {
        match client.0.read() {
            Ok(Message::Binary(bytes)) => hear(&mut client, memo, &bytes)?,
            Ok(_) => {}
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => client.0.flush()?,
            Err(error) => return Err(error),
        }
        // Not before it was welcomed.
        while memo.session.is_some() && memo.written < MESSAGES.min(memo.acked + AHEAD) {
            memo.written += 1;
            let text = memo.written.to_string();
            let frame = data(memo.written, &text).to_vec();
            client.0.write(Message::binary(frame))?;
        }
        client.0.flush()?;
        if memo.seen >= MESSAGES && memo.acked >= MESSAGES {
            return Ok(());
        }
    }
}

fn hear(client: &mut Client, memo: &mut Memo, bytes: &[u8]) -> Result<(), Error> {
    match Frame::parse(bytes).expect("is a frame") {
        Frame::Welcome(welcome) => {
            assert_eq!(welcome.resumed, memo.session.is_some());
            memo.session = Some(welcome.session);
            memo.acked = memo.acked.max(welcome.last_seen);
            memo.written = memo.acked;
        }
        Frame::Ack { sequence, .. } => memo.acked = memo.acked.max(sequence),
        Frame::Data { sequence, body, .. } => {
            assert_eq!(sequence, memo.seen + 1, "in order, and none twice");
            assert_eq!(body.bytes(), (sequence - 1).to_string().as_bytes());
            memo.seen = sequence;
            if sequence % 8 == 0 {
                let ack = Frame::Ack {
                    sequence,
                    intents: 0,
                };
                client.0.write(Message::binary(ack.to_vec()))?;
            }
        }
        other => panic!("{other:?}"),
    }
    Ok(())
}

/// Lets the server or its connections die, each time that a client is there and some more of its
/// messages have arrived; gives how often.
fn kill(server: &SessionServer, mut state: u64) -> u64 {
    let mut deaths = 0;
    loop {
        let moment = server.received_count() + 1 + random(&mut state, APART);
        if moment >= MESSAGES {
            return deaths;
        }
        assert!(server.wait_received(moment, PATIENCE) && server.wait_open(1, PATIENCE));
        deaths += 1;
        match random(&mut state, 4) {
            0 => server.restart(Memory::Keep).expect("comes up"),
            1 => server.reset_all(),
            2 => server.drop_all(),
            _ => {
                let (after, bytes) = (random(&mut state, 3), random(&mut state, 3_000));
                let bytes = usize::try_from(bytes).expect("is small");
                assert!(server.crash_in_write(after, bytes));
            }
        }
    }
}

#[test]
fn each_message_arrives_once_and_in_order_whatever_dies() {
    let seed = 20_261_120_u64;
    println!("seed {seed}");
    let place = Place::new();
    let mut options = SessionOptions {
        store: Some(Store::new(place.path())),
        seed: Some(seed),
        ..SessionOptions::default()
    };
    options.settings.acks.delay = Duration::from_millis(2);
    let server = SessionServer::start_with(&options).unwrap();
    server.feed(Some(Feed::new(MESSAGES)));
    let mut memo = Memo::default();
    let deadline = Instant::now() + 2 * PATIENCE;
    let mut dials = 1;
    let deaths = std::thread::scope(|scope| {
        let killer = scope.spawn(|| kill(&server, seed));
        while let Err(error) = carry(&server, &mut memo) {
            assert!(Instant::now() < deadline, "{error} {memo:?}");
            dials += 1;
        }
        killer.join().expect("kills")
    });
    let session = memo.session.expect("was welcomed");
    let expected: Vec<_> = (1..=MESSAGES).map(|n| message(n, &n.to_string())).collect();
    assert_eq!(seen(&server, session).got, expected);
    // And so says the disk.
    server.restart(Memory::Keep).unwrap();
    assert_eq!(seen(&server, session).got, expected);
    let (restarts, writes) = (server.restarts(), server.writes());
    println!("{deaths} deaths, {restarts} restarts, {dials} dials, {writes} writes");
    assert!(deaths > DEATHS && restarts > DEATHS / 3 && dials > DEATHS);
}
