//! Requests: asked until they are answered, and nobody left waiting.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use redial_blocking::redial::config::Builder as Config;
use redial_blocking::redial::outbox::{Limits, Overflow, RefusedReason};
use redial_blocking::redial::requests::{RefusedRequestReason, RequestOptions, Requests, Settings};
use redial_blocking::redial::{Outcome, Phase};
use redial_blocking::{Correlate, Ends, Handle, RequestFailed, RequestFailure, Wire, tcp};

use crate::common::peer::{Peer, resumed, welcome};
use crate::common::{SOON, connected, ms, quick, wait};
use crate::sessions::acknowledged;

/// Requests are `ask 7 text`, answers are `answer 7 text`.
struct Lines;

impl Correlate<Vec<u8>> for Lines {
    fn mark(&mut self, id: u64, message: &Vec<u8>) -> Vec<u8> {
        [format!("ask {id} ").as_bytes(), message].concat()
    }

    fn of(&self, message: &Vec<u8>) -> Option<u64> {
        let text = std::str::from_utf8(message).ok()?;
        let (id, _) = text.strip_prefix("answer ")?.split_once(' ')?;
        id.parse().ok()
    }
}

fn link(peer: &Peer, config: Config, settings: Settings) -> Ends<Vec<u8>> {
    let config = config.build().unwrap();
    let session = config.session().is_some();
    let builder = tcp(&peer.addr().to_string())
        .unwrap()
        .config(config)
        .requests(Lines, Requests::new(settings).unwrap());
    if session {
        builder.protocol(Wire::new()).spawn().unwrap()
    } else {
        builder.spawn().unwrap()
    }
}

type Asked = JoinHandle<Result<Vec<u8>, RequestFailed<Vec<u8>>>>;

fn ask(handle: &Handle<Vec<u8>>, text: &'static str) -> Asked {
    let handle = handle.clone();
    thread::spawn(move || handle.request(text))
}

/// How a request fails, and whether it was sent.
fn failed(asked: Asked) -> (RequestFailure, bool) {
    let failed = asked.join().unwrap().unwrap_err();
    (failed.reason, failed.sent)
}

#[test]
fn answers_find_who_has_asked() {
    let peer = Peer::start();
    let (handle, incoming) = link(&peer, quick(), Settings::default());
    let first = ask(&handle, "one");
    let mut line = peer.accept();
    assert_eq!(line.hear_text(), "ask 1 one");
    let second = ask(&handle, "two");
    assert_eq!(line.hear_text(), "ask 2 two");
    // In another order, between messages, and twice; one is to nothing that was asked.
    for said in [
        "x",
        "answer 2 zwei",
        "answer 2 deux",
        "answer 9 neuf",
        "y",
        "answer 1 eins",
    ] {
        line.write(said.as_bytes());
    }
    assert_eq!(first.join().unwrap().unwrap(), b"answer 1 eins");
    assert_eq!(second.join().unwrap().unwrap(), b"answer 2 zwei");
    for expected in ["x", "y"] {
        assert_eq!(incoming.recv_timeout(SOON).unwrap(), expected.as_bytes());
    }
    assert!(incoming.try_recv().is_err());
}

#[test]
fn a_request_is_asked_again_on_the_next_connection() {
    let peer = Peer::start();
    let (handle, _incoming) = link(&peer, quick(), Settings::default());
    let asked = ask(&handle, "one");
    let mut line = peer.accept();
    assert_eq!(line.hear_text(), "ask 1 one");
    drop(line);
    let mut line = peer.accept();
    assert_eq!(line.hear_text(), "ask 1 one");
    line.write(b"answer 1 eins");
    assert_eq!(asked.join().unwrap().unwrap(), b"answer 1 eins");
}

#[test]
fn a_session_replays_requests_and_a_fresh_one_asks_again() {
    let peer = Peer::start();
    let (handle, _incoming) = link(&peer, acknowledged(), Settings::default());
    let first = ask(&handle, "one");
    let mut line = peer.meet("hello new seen 0 first 1", welcome(7, 1));
    assert_eq!(line.hear(), "1 ask 1 one");
    let second = ask(&handle, "two");
    assert_eq!(line.hear(), "2 ask 2 two");
    drop(line);
    // It has the first one: only the session asks again.
    let mut line = peer.meet("hello 7 seen 0 first 1", resumed(7, 1, 1, 0));
    assert_eq!(line.hear(), "2 ask 2 two");
    line.message(1, "answer 2 zwei");
    assert_eq!(second.join().unwrap().unwrap(), b"answer 2 zwei");
    drop(line);
    let mut line = peer.meet("hello 7 seen 1 first 2", welcome(8, 2));
    assert_eq!(line.hear(), "3 ask 1 one");
    line.message(1, "answer 1 eins");
    assert_eq!(first.join().unwrap().unwrap(), b"answer 1 eins");
}

#[test]
fn an_answer_that_does_not_come() {
    let peer = Peer::start();
    let settings = Settings {
        timeout: ms(60),
        max_attempts: 2,
        ..Settings::default()
    };
    let (handle, _incoming) = link(&peer, quick(), settings);
    let asked = ask(&handle, "one");
    let mut line = peer.accept();
    for heard in ["ask 1 one", "ask 1 one"] {
        assert_eq!(line.hear_text(), heard);
    }
    assert_eq!(failed(asked), (RequestFailure::TimedOut, true));
    // Too late, and nobody's.
    line.write(b"answer 1 eins");
    let options = RequestOptions::new().total(ms(30));
    let failed = handle.request_with("two", options).unwrap_err();
    assert_eq!(
        (failed.reason, failed.message),
        (RequestFailure::TimedOut, b"two".to_vec())
    );
}

#[test]
fn nobody_is_left_waiting() {
    // By a disconnect, while connected and while there is no connection.
    let peer = Peer::start();
    let (handle, _incoming) = link(&peer, quick(), Settings::default());
    let asked = ask(&handle, "one");
    let mut line = peer.accept();
    assert_eq!(line.hear_text(), "ask 1 one");
    handle.disconnect();
    assert_eq!(line.hear(), "close");
    drop(line);
    assert_eq!(failed(asked), (RequestFailure::Closed, true));
    let refused = handle.request("two").unwrap_err();
    assert_eq!(
        refused.reason,
        RequestFailure::Refused(RefusedRequestReason::Closed)
    );
    // The link was started anew: so are requests.
    handle.start();
    let asked = ask(&handle, "three");
    let mut line = peer.accept();
    assert_eq!(line.hear_text(), "ask 2 three");
    // By a drain, at its deadline.
    let handle_too = handle.clone();
    let drain = thread::spawn(move || handle_too.drain(ms(50)));
    assert_eq!(line.hear(), "close");
    drop(line);
    drain.join().unwrap();
    assert_eq!(failed(asked), (RequestFailure::Closed, true));

    let peer = Peer::start();
    let address = peer.addr();
    drop(peer);
    let (handle, _incoming) = tcp(&address.to_string())
        .unwrap()
        .config(quick().max_retries(Some(1)).build().unwrap())
        .requests(Lines, Requests::default())
        .spawn()
        .unwrap();
    let failed = handle.request("one").unwrap_err();
    let reason = failed.reason;
    assert!(
        matches!(reason, RequestFailure::Closed | RequestFailure::Refused(_)),
        "{reason:?}"
    );
    assert!(!failed.sent);
    wait(&handle, |status| status.phase == Phase::Failed);
}

#[test]
fn what_can_not_be_asked() {
    let peer = Peer::start();
    let plain = tcp(&peer.addr().to_string()).unwrap().spawn().unwrap();
    let failed = plain.0.request("one").unwrap_err();
    assert_eq!(failed.reason, RequestFailure::NoCorrelation);
    let limits = Limits {
        bytes: 10,
        ..Limits::default()
    };
    let peer = Peer::start();
    let (handle, _incoming) = link(&peer, quick().outbox(limits), Settings::default());
    let _line = peer.accept();
    let failed = handle.request("twenty bytes or more").unwrap_err();
    let RequestFailure::Unfit(RefusedReason::TooLarge { limit: 10, .. }) = failed.reason else {
        panic!("{:?}", failed.reason);
    };
    assert_eq!(failed.message, b"twenty bytes or more");
}

#[test]
fn no_message_is_dropped_for_a_request() {
    let limits = Limits {
        messages: 2,
        overflow: Overflow::DropOldest,
        ..acknowledged().build().unwrap().outbox().clone()
    };
    let peer = Peer::start();
    let (handle, _incoming) = link(&peer, acknowledged().outbox(limits), Settings::default());
    let fates = handle.fates();
    let mut line = peer.meet("hello new seen 0 first 1", welcome(7, 1));
    connected(&handle);
    for text in ["a", "b"] {
        handle.try_send(text).unwrap();
    }
    let asked = ask(&handle, "one");
    assert_eq!([line.hear(), line.hear()], ["1 a", "2 b"]);
    // There is room once one of them is acknowledged.
    line.ping(1);
    assert_eq!(line.hear(), "pong 1");
    line.ack(1, 0);
    assert_eq!(line.hear(), "3 ask 1 one");
    line.message(1, "answer 1 eins");
    line.ack(3, 0);
    asked.join().unwrap().unwrap();
    for _ in 0..3 {
        let fate = fates.recv_timeout(Duration::from_secs(5)).unwrap();
        assert_eq!(fate.outcome, Outcome::Acked);
    }
}
