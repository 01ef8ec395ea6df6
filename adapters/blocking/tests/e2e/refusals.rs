//! What servers answer instead of a connection, or to end one: each has its cause and its delay.

use std::time::Duration;

use redial_blocking::redial::{Cause, Phase, Status};
use redial_blocking::{Handle, Message};
use redial_faults::{Behaviour, Server};

use crate::common::{SOON, connected, ended_by, link, ms, quick, wait};

fn http(status: u16, headers: &[(&str, &str)]) -> Behaviour {
    let headers = headers
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
    Behaviour::Http {
        status,
        headers: headers.collect(),
    }
}

fn close(code: u16) -> Behaviour {
    Behaviour::CloseWith {
        code,
        reason: "because".to_owned(),
        after: ms(20),
    }
}

/// How long the link waits for the next dial, counted from the end of the last.
fn delay(handle: &Handle<Message>, status: &Status) -> Duration {
    assert_eq!(status.phase, Phase::Waiting, "{:?}", handle.status());
    status.next_attempt_at.unwrap().since(status.since)
}

#[test]
fn http_without_a_hint() {
    let server = Server::start(http(401, &[])).unwrap();
    let (handle, _incoming) = link(&server.url(), quick().auth_limit(2));
    handle.try_send("1 kept").unwrap();
    let status = wait(&handle, |status| status.phase == Phase::Failed);
    assert_eq!(status.last_cause, Some(Cause::Http(401)));
    assert_eq!((status.queued, server.dials()), (1, 3));
    server.set(http(403, &[]));
    handle.reconnect();
    let status = ended_by(&handle, Cause::Http(403));
    assert_eq!((status.phase, status.queued), (Phase::Failed, 1));
    server.set(Behaviour::Echo);
    handle.start();
    assert!(server.wait_received(1, SOON));
}

#[test]
fn http_with_a_hint() {
    for status in [429, 503] {
        let server = Server::start(http(status, &[("Retry-After", "1")])).unwrap();
        let (handle, _incoming) = link(&server.url(), quick());
        handle.try_send("1 kept").unwrap();
        let told = ended_by(&handle, Cause::Http(status));
        let delay = delay(&handle, &told);
        println!("HTTP {status} with Retry-After: 1: {delay:?}");
        assert!((ms(1000)..=ms(2000)).contains(&delay), "{delay:?}");
        server.set(Behaviour::Echo);
        assert!(server.wait_received(1, SOON));
        let dials = server.dial_times();
        assert!(dials[1] - dials[0] >= ms(1000));
    }
    // The other form: a date, here one long past.
    let past = http(503, &[("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")]);
    let server = Server::start(past).unwrap();
    let (handle, _incoming) = link(&server.url(), quick());
    let told = ended_by(&handle, Cause::Http(503));
    assert!(delay(&handle, &told) <= ms(1000));
}

#[test]
fn an_old_proxy_says_that_its_server_is_away() {
    let answer = b"HTTP/1.0 503 Service Unavailable\r\nretry-after: 60\r\n\r\nsorry";
    let server = Server::start(Behaviour::Garbage(answer.to_vec())).unwrap();
    let (handle, _incoming) = link(&server.url(), quick());
    let told = ended_by(&handle, Cause::Http(503));
    assert!(delay(&handle, &told) >= Duration::from_secs(60));
}

#[test]
fn redirections_are_followed_within_one_attempt() {
    let target = Server::start(Behaviour::Echo).unwrap();
    let elsewhere = format!("http://{}/there?x=1", target.addr());
    let server = Server::start(http(307, &[("Location", &elsewhere)])).unwrap();
    let (handle, _incoming) = link(&server.url(), quick());
    connected(&handle);
    assert_eq!(handle.stats().dials, 1);
    assert_eq!(target.requests()[0].path, "/there?x=1");
    // In a circle: five are followed.
    let server = Server::start(http(302, &[("Location", "/again")])).unwrap();
    let (handle, _incoming) = link(&server.url(), quick());
    let status = ended_by(&handle, Cause::Http(302));
    assert_eq!((status.phase, server.dials()), (Phase::Failed, 6));
}

#[test]
fn close_codes() {
    let seconds = |least, most| Some((Duration::from_secs(least), Duration::from_secs(most)));
    let soon = Some((ms(20), ms(100)));
    for (code, phase, expected) in [
        (1000, Phase::Closed, None),
        (1001, Phase::Waiting, soon),
        (1005, Phase::Waiting, soon),
        (1008, Phase::Failed, None),
        (1009, Phase::Waiting, soon),
        (1011, Phase::Waiting, seconds(5, 10)),
        (1012, Phase::Waiting, seconds(5, 30)),
        (1013, Phase::Waiting, seconds(30, 60)),
        (4401, Phase::Waiting, Some((ms(20), ms(20)))),
    ] {
        let server = Server::start(close(code)).unwrap();
        let (handle, _incoming) = link(&server.url(), quick());
        let status = ended_by(&handle, Cause::Close(code));
        assert_eq!(status.phase, phase, "{code}");
        if let Some((least, most)) = expected {
            let delay = delay(&handle, &status);
            println!("{code}: {delay:?}");
            assert!((least..=most).contains(&delay), "{code}: {delay:?}");
        }
        // The close frame was answered, with the same code.
        assert!(server.wait_closes(1, SOON), "{code}");
        let answered = server.closes()[0].unwrap_or(1005);
        assert_eq!(answered, code);
    }
}
