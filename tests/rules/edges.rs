//! The edges of a session, each of which went wrong once or could.

use redial::inbox::{Header, Inbound};
use redial::outbox::{DropReason, Limits};
use redial::server::{self, Denied, Session};
use redial::session::{OnFresh, ServerId, SessionId, Settings};
use redial::{
    Action, Cause, Command, Config, Event, Hello, Instant, MessageId, Outcome, Phase, SendOptions,
    Welcome,
};

use crate::common::{Driver, acked, ms, secs, welcome, with_session};
use crate::sessions::{intent, reporting};

#[test]
fn an_intent_number_that_a_server_made_up_does_not_outlive_its_session() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    driver.close(epoch, Cause::Lost);
    let epoch = driver.dialled();
    let lie = Welcome {
        intents: u64::MAX,
        ..welcome(true, 0)
    };
    driver.meet(epoch, &lie);
    driver.close(epoch, Cause::Lost);
    intent(&mut driver, "a");
    intent(&mut driver, "b");
    let epoch = driver.dialled();
    driver.room = 0;
    driver.meet(epoch, &welcome(false, 0));
    for number in [1, 2] {
        let next = driver.link.peek(driver.now, epoch).expect("two stand");
        assert_eq!(next.intent, Some(number));
        let id = next.id;
        assert!(driver.link.commit(driver.now, epoch, id));
    }
}

#[test]
fn what_expired_unsent_before_a_hello_does_not_spoil_the_next_resume() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    driver.close(epoch, Cause::Lost);
    driver.send("late", acked().ttl(ms(1)));
    driver.sleep(ms(2));
    let epoch = driver.dialled();
    let (hello, _) = driver.meet(epoch, &welcome(false, 0));
    assert_eq!(hello.first, 2);
    // The peer has passed over what will not come.
    driver.resume(epoch, 1);

    let now = Instant::ORIGIN;
    let (mut session, epoch, mut hello) = served(now);
    session.handle(now, Event::Closed(epoch, Cause::Lost.into()));
    let late = session.send(now, b"late".to_vec(), acked().ttl(ms(1)));
    assert!(late.is_ok());
    let now = now + ms(2);
    hello.session = Some(ID);
    hello.connection = 2;
    let resumed = session.resume(now, SERVER, &hello).expect("it is there");
    assert_eq!(resumed.welcome.first, 2);
    hello.last_seen = 1;
    hello.connection = 3;
    let resumed = session.resume(now, SERVER, &hello);
    assert!(resumed.is_ok(), "{resumed:?}");
}

#[test]
fn a_hello_that_was_held_up_takes_no_session_back_from_a_later_one() {
    let now = Instant::ORIGIN;
    let (mut session, epoch, mut hello) = served(now);
    hello.session = Some(ID);
    hello.connection = 3;
    let live = session
        .resume(now, SERVER, &hello)
        .expect("it goes on")
        .epoch;
    assert_eq!(session.poll_action(), Some(Action::Abort(epoch)));
    for connection in [2, 3] {
        hello.connection = connection;
        let denied = session.resume(now, SERVER, &hello);
        assert_eq!(
            denied,
            Err(Denied::Overtaken {
                connection,
                last: 3
            })
        );
    }
    assert_eq!((session.epoch(), session.poll_action()), (Some(live), None));
}

#[test]
fn a_server_that_ends_a_session_says_first_what_it_has() {
    let now = Instant::ORIGIN;
    let (mut session, epoch, _) = served(now);
    let got = session.receive(now, epoch, Header::Sequence(1), 1);
    assert_eq!(got, Inbound::Deliver);
    session.handle(now, Event::Command(Command::Disconnect));
    let last_word = Action::SendAck {
        epoch,
        sequence: 1,
        intents: 0,
    };
    let said: Vec<_> = std::iter::from_fn(|| session.poll_action()).collect();
    assert_eq!(said, [last_word, Action::Close(epoch)]);
}

#[test]
fn a_resume_that_was_cut_short_by_its_own_user_is_no_failure() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    driver.close(epoch, Cause::Close(1011));
    for _ in 0..10 {
        let epoch = driver.dialled();
        driver.tell(Event::Opened(epoch));
        let hello = driver.link.hello(epoch).expect("a hello is due");
        assert!(hello.session.is_some(), "{hello:?}");
        driver.command(Command::Reconnect);
    }
}

#[test]
fn with_a_session_there_is_always_a_handshake() {
    let config = Config::builder().session(Some(Settings::default()));
    let config = config.build().expect("a good configuration");
    assert_eq!(config.ready_deadline(), Some(config.connect_deadline()));
}

const ID: SessionId = SessionId::new([7; 16]);
const SERVER: ServerId = ServerId::new([1; 16]);

/// A server's session whose client has just said its first hello.
fn served(now: Instant) -> (Session<Vec<u8>>, redial::Epoch, Hello) {
    let hello = Hello {
        session: None,
        last_seen: 0,
        first: 1,
        connection: 1,
    };
    let settings = server::Settings::default();
    let (session, epoch, _) = Session::open(now, ID, SERVER, settings, &hello);
    (session, epoch, hello)
}

#[test]
fn taken_back_twice_it_was_still_never_sent() {
    let (mut driver, mut epoch) = Driver::in_session(reporting());
    driver.flushes = false;
    let first = driver.send("once", SendOptions::new());
    driver.send("acknowledged", acked());
    for _ in 0..2 {
        driver.link.take_back(epoch, first);
        epoch = driver.resume(epoch, 0);
    }
    assert_eq!(driver.outcomes(), []);
    driver.link.take_back(epoch, first);
    assert_eq!(driver.link.status().queued, 2);
    assert_eq!(driver.link.status().in_flight, 0);
    driver.command(Command::Disconnect);
    assert_eq!(
        driver.outcomes(),
        [(1, Outcome::Returned), (2, Outcome::Returned)]
    );
}

#[test]
fn a_flush_is_reported_through_an_intent_that_was_withdrawn_since() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    driver.flushes = false;
    driver.send("message", SendOptions::new());
    driver.room = 0;
    let id = intent(&mut driver, "intent");
    let next = driver.link.peek(driver.now, epoch).expect("the intent").id;
    assert!(driver.link.commit(driver.now, epoch, next));
    assert!(driver.link.withdraw(id).is_some());
    driver.tell(Event::Flushed(epoch, next));
    assert_eq!(driver.outcomes(), [(1, Outcome::Written)]);
}

#[test]
fn a_drain_ends_with_a_message_that_cannot_be_replayed() {
    let limits = Limits {
        max_tries: Some(1),
        ..Limits::default()
    };
    let (mut driver, epoch) = Driver::in_session(with_session(limits, OnFresh::Report));
    driver.send("once", acked());
    driver.close(epoch, Cause::Lost);
    driver.command(Command::Drain(secs(60)));
    let epoch = driver.dialled();
    driver.meet(epoch, &welcome(true, 0));
    assert_eq!(
        driver.outcomes(),
        [(1, Outcome::Dropped(DropReason::Tries))]
    );
    assert_eq!(driver.link.phase(), Phase::Closing);
}

#[test]
fn a_connection_that_is_closed_before_its_welcome_carries_nothing() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    driver.send("sent", acked());
    let now = driver.now;
    let _ = driver.link.receive(now, epoch, Header::Sequence(1), 1);
    driver.close(epoch, Cause::Lost);
    let epoch = driver.dialled();
    driver.tell(Event::Opened(epoch));
    driver.link.hello(epoch).expect("a hello is due");
    driver.command(Command::Disconnect);
    assert_eq!(driver.link.phase(), Phase::Closing);
    // It may be of another session than the one that is known.
    let place = Header::Sequence(2);
    let judged = driver.link.receive(driver.now, epoch, place, 1);
    assert_eq!(judged, Inbound::Stale);
    driver.acknowledge(epoch, 1);
    assert_eq!(driver.link.inbox().last(), 1);
    assert_eq!(
        driver.outcomes(),
        [(1, Outcome::Unknown)],
        "by the disconnect"
    );
}

#[test]
fn acknowledgements_that_cannot_be_change_nothing() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    driver.send("sent", acked());
    driver.send("once", SendOptions::new());
    driver.room = 0;
    driver.send("queued", acked());
    let before = driver.link.stats().stale;
    driver.acknowledge(epoch, 2);
    driver.acknowledge(epoch, u64::MAX);
    for id in [MessageId::from_number(2), MessageId::from_number(3)] {
        driver.tell(Event::Acked(epoch, redial::Ack::One(id)));
    }
    let intents = redial::Ack::Through {
        sequence: 1,
        intents: 1,
    };
    driver.tell(Event::Acked(epoch, intents));
    assert_eq!(driver.outcomes(), [(2, Outcome::Written)]);
    assert_eq!(driver.link.stats().stale, before + 5);
    driver.acknowledge(epoch, 1);
    driver.acknowledge(epoch, 1);
    assert_eq!(driver.outcomes()[1..], [(1, Outcome::Acked)]);
}
