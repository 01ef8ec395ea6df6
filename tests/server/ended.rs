//! A session that the server ends.

use redial::inbox::{Header, Inbound};
use redial::server::{Session, Settings};
use redial::session::{Hello, ServerId, SessionId};
use redial::{Action, Command, Epoch, Event, Instant, Outcome, SendOptions};

const NOW: Instant = Instant::ORIGIN;

fn open() -> (Session<String>, Epoch) {
    let (id, server) = (SessionId::new([1; 16]), ServerId::new([2; 16]));
    let new = Hello {
        session: None,
        last_seen: 0,
        first: 1,
        connection: 1,
    };
    let (session, epoch, _) = Session::open(NOW, id, server, Settings::default(), &new);
    (session, epoch)
}

fn actions(session: &mut Session<String>) -> Vec<Action> {
    core::iter::from_fn(|| session.poll_action()).collect()
}

#[test]
fn what_was_received_is_acknowledged_ahead_of_the_close() {
    let (mut session, epoch) = open();
    let inbound = session.receive(NOW, epoch, Header::Sequence(1), 1);
    assert_eq!(inbound, Inbound::Deliver);
    assert_eq!(actions(&mut session), [], "the cadence has time");
    session.handle(NOW, Event::Command(Command::Disconnect));
    let ack = Action::SendAck {
        epoch,
        sequence: 1,
        intents: 0,
    };
    // Nobody can resume it to ask again.
    assert_eq!(actions(&mut session), [ack, Action::Close(epoch)]);
    assert_eq!((session.is_over(), session.poll_timeout()), (true, None));
}

#[test]
fn every_message_has_a_fate_and_nothing_follows() {
    let (mut session, epoch) = open();
    for text in ["written", "queued"] {
        let sent = session.send(NOW, text.to_owned(), SendOptions::new());
        sent.expect("room");
    }
    let first = session.peek(NOW, epoch).expect("a message").id;
    assert!(session.commit(NOW, epoch, first));
    assert_eq!(actions(&mut session), [Action::Flush(epoch)]);
    session.handle(NOW, Event::Command(Command::Disconnect));
    let fates = core::iter::from_fn(|| session.poll_fate());
    let outcomes: Vec<_> = fates.map(|fate| fate.outcome).collect();
    assert_eq!(outcomes, [Outcome::Unknown, Outcome::Returned]);
    assert_eq!(actions(&mut session), [Action::Close(epoch)]);
    let late = session.receive(NOW, epoch, Header::Sequence(1), 1);
    assert_eq!(late, Inbound::Stale);
    let refused = session.send(NOW, "late".to_owned(), SendOptions::new());
    assert!(refused.is_err());
    assert_eq!(actions(&mut session), []);
}
