//! A session that was written down goes on in another process.

use core::time::Duration;

use std::sync::atomic::{AtomicU64, Ordering};

use redial::inbox::{Header, Inbound};
use redial::outbox::Delivery;
use redial::server::{Denied, Resumed, Session, Settings};
use redial::session::{Hello, ServerId, SessionId};
use redial::{Action, Command, Epoch, Event, Fate, Instant, Outcome, SendOptions};

const ID: SessionId = SessionId::new([1; 16]);
const BEFORE: ServerId = ServerId::new([2; 16]);
const AFTER: ServerId = ServerId::new([3; 16]);
const NEW: Hello = Hello {
    session: None,
    last_seen: 0,
    first: 1,
    connection: 1,
};

/// Each hello of a test is of a later connection than those before.
fn next_connection() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(1);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

type Served = Session<String>;

/// Late on a clock that the next process doesn't have.
fn late() -> Instant {
    Instant::from_origin(Duration::from_secs(1_000_000))
}

/// Early on the clock of the next process.
fn early() -> Instant {
    Instant::from_origin(Duration::from_secs(1))
}

fn open() -> (Served, Epoch) {
    let (session, epoch, _) = Session::open(late(), ID, BEFORE, Settings::default(), &NEW);
    (session, epoch)
}

/// Written down and read again.
fn written(session: &Served) -> Served {
    let text = serde_json::to_string(session).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn write_all(session: &mut Served, now: Instant, epoch: Epoch) -> Vec<(Option<u64>, String)> {
    let mut all = Vec::new();
    while let Some(next) = session.peek(now, epoch) {
        let id = next.id;
        all.push((next.sequence, next.payload.clone()));
        assert!(session.commit(now, epoch, id));
    }
    all
}

fn resume(session: &mut Served, last_seen: u64) -> Result<Resumed, Denied> {
    let hello = Hello {
        session: Some(ID),
        last_seen,
        first: 1,
        connection: next_connection(),
    };
    session.resume(early(), AFTER, &hello)
}

fn send(session: &mut Served, text: &str, options: SendOptions) {
    session.send(late(), text.to_owned(), options).unwrap();
}

fn actions(session: &mut Served) -> Vec<Action> {
    core::iter::from_fn(|| session.poll_action()).collect()
}

#[test]
fn it_has_no_connection_and_a_whole_window() {
    let (session, epoch) = open();
    let mut session = written(&session).restored(early(), Duration::from_secs(3600));
    assert_eq!(session.epoch(), None);
    assert_eq!(actions(&mut session), []);
    let window = session.settings().window;
    assert_eq!(session.expires_at(), Some(early() + window));
    assert_eq!(session.poll_timeout(), Some(early() + window));
    // What was a connection is none any more.
    let inbound = session.receive(early(), epoch, Header::Sequence(1), 1);
    assert_eq!(inbound, Inbound::Stale);
    session.handle(early() + window, Event::Tick);
    assert!(session.is_over());
    assert_eq!(resume(&mut session, 0), Err(Denied::Over));
}

#[test]
fn it_replays_what_was_sent_and_drops_what_was_seen() {
    let (mut session, epoch) = open();
    for text in ["a", "b"] {
        send(&mut session, text, SendOptions::new());
    }
    write_all(&mut session, late(), epoch);
    send(&mut session, "c", SendOptions::new());
    let one = Header::Sequence(1);
    assert_eq!(session.receive(late(), epoch, one, 1), Inbound::Deliver);
    let mut session = written(&session).restored(early(), Duration::ZERO);
    // The delay of an acknowledgement ended with the connection.
    assert_eq!(session.inbox().next_deadline(), None);
    let resumed = resume(&mut session, 1).unwrap();
    assert!(resumed.epoch.number() > epoch.number());
    assert_eq!((resumed.missed, resumed.forgotten), (None, None));
    let welcome = resumed.welcome;
    assert!(welcome.resumed && welcome.server == AFTER);
    assert_eq!((welcome.last_seen, welcome.first), (1, 2));
    let replayed = write_all(&mut session, early(), resumed.epoch);
    assert_eq!(replayed, [(Some(2), "b".into()), (Some(3), "c".into())]);
    let again = session.receive(early(), resumed.epoch, one, 1);
    assert_eq!(again, Inbound::Duplicate);
}

#[test]
fn nothing_is_left_to_do_where_the_client_has_it_all() {
    let (mut session, epoch) = open();
    send(&mut session, "a", SendOptions::new());
    // It was written although nobody took the action that asks for it.
    write_all(&mut session, late(), epoch);
    let mut session = written(&session).restored(early(), Duration::ZERO);
    resume(&mut session, 1).unwrap();
    assert_eq!(actions(&mut session), []);
}

#[test]
fn what_was_written_before_it_was_sent_is_known_to_the_client_only_so_far() {
    let (mut session, epoch) = open();
    send(&mut session, "a", SendOptions::new());
    let too_early = written(&session);
    write_all(&mut session, late(), epoch);
    let in_time = written(&session);
    let ahead = Denied::Ahead {
        last_seen: 1,
        sent: 0,
    };
    let mut session = too_early.restored(early(), Duration::ZERO);
    assert_eq!(resume(&mut session, 1), Err(ahead));
    let mut session = in_time.restored(early(), Duration::ZERO);
    assert!(resume(&mut session, 1).is_ok());
}

#[test]
fn at_most_once_the_fate_of_what_was_committed_is_unknown() {
    let once = SendOptions::new().delivery(Delivery::AtMostOnce);
    let (mut session, epoch) = open();
    send(&mut session, "committed", once);
    write_all(&mut session, late(), epoch);
    send(&mut session, "queued", once);
    send(&mut session, "volatile", SendOptions::new().volatile());
    let mut session = written(&session).restored(early(), Duration::ZERO);
    let fates: Vec<Fate<String>> = core::iter::from_fn(|| session.poll_fate()).collect();
    let outcomes: Vec<_> = fates.iter().map(|f| (f.id.number(), f.outcome)).collect();
    assert_eq!(outcomes, [(1, Outcome::Unknown), (3, Outcome::Expired)]);
    assert_eq!(fates[0].payload.as_deref(), Some("committed"));
    let resumed = resume(&mut session, 0).unwrap();
    let queued = write_all(&mut session, early(), resumed.epoch);
    assert_eq!(queued, [(None, "queued".into())]);
}

#[test]
fn times_to_live_run_on_while_the_server_is_away() {
    let ttl = |seconds| SendOptions::new().ttl(Duration::from_secs(seconds));
    let (mut session, _) = open();
    send(&mut session, "short", ttl(10));
    send(&mut session, "long", ttl(60));
    let away = Duration::from_secs(20);
    let mut session = written(&session).restored(early(), away);
    session.handle(early(), Event::Tick);
    let fate = session.poll_fate().expect("the short one has expired");
    assert_eq!((fate.id.number(), fate.outcome), (1, Outcome::Expired));
    assert_eq!(session.poll_fate(), None);
    let due = early() + Duration::from_secs(40);
    assert_eq!(session.poll_timeout(), Some(due));
    session.handle(due - Duration::from_nanos(1), Event::Tick);
    assert_eq!(session.poll_fate(), None);
    session.handle(due, Event::Tick);
    assert_eq!(session.poll_fate().map(|fate| fate.id.number()), Some(2));
}

#[test]
fn one_that_is_over_stays_over() {
    let (mut session, _) = open();
    session.handle(late(), Event::Command(Command::Disconnect));
    let mut session = written(&session).restored(early(), Duration::ZERO);
    assert!(session.is_over());
    assert_eq!(session.expires_at(), None);
    assert_eq!(actions(&mut session), []);
    assert_eq!(resume(&mut session, 0), Err(Denied::Over));
}
