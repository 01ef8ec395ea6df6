//! Address and credentials from a provider: fresh at each attempt, and never in the way.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use redial_blocking::redial::{Cause, Phase, config::Preflight};
use redial_blocking::{Attempt, Failure, Request};
use redial_faults::{Behaviour, Mode, Proxy, Server};

use crate::common::{SOON, builder, connected, ended_by, ms, quick, wait};

#[test]
fn credentials_are_fresh_at_each_attempt() {
    let accepts = |token: &str| Behaviour::Authorize {
        token: token.to_owned(),
        otherwise: 401,
        then: Box::new(Behaviour::Echo),
    };
    let server = Server::start(accepts("t2")).unwrap();
    let url = server.url();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let provider = move |attempt: Attempt| {
        let mut log = log.lock().unwrap();
        log.push((attempt.number, attempt.refresh));
        Request::websocket(&url)
            .and_then(|r| r.header("Authorization", &format!("Bearer t{}", log.len())))
            .map_err(|error| Failure::credentials(error.to_string()))
    };
    let (handle, _incoming) = builder(&server.url(), quick())
        .provider(provider)
        .spawn()
        .unwrap();
    connected(&handle);
    assert_eq!(*seen.lock().unwrap(), [(1, false), (1, true)]);
    // A policy close asks for fresh ones too, as there is a provider.
    server.set(accepts("t3"));
    server.close_all(1008, "expired");
    assert!(server.wait_handshakes(2, SOON));
    // The second refusal since the last stable connection, so it counts.
    assert_eq!(seen.lock().unwrap().last(), Some(&(2, true)));
}

#[test]
fn a_provider_that_fails_and_one_that_hangs() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let url = server.url();
    let (release, hang) = channel::<()>();
    let mut calls = 0;
    let provider = move |_| {
        calls += 1;
        match calls {
            1 => Err(Failure::credentials("the vault is sealed")),
            // An answer long after its attempt has ended.
            2 => {
                let _ = hang.recv();
                Err(Failure::credentials("too late"))
            }
            _ => Ok(Request::websocket(&url).unwrap()),
        }
    };
    let (handle, _incoming) = builder(&server.url(), quick().connect_deadline(ms(200)))
        .provider(provider)
        .spawn()
        .unwrap();
    ended_by(&handle, Cause::Credentials);
    assert_eq!(handle.last_error().as_deref(), Some("the vault is sealed"));
    ended_by(&handle, Cause::ConnectTimeout);
    // The link goes on while it hangs: it counts attempts and obeys.
    let dials = handle.stats().dials;
    wait(&handle, |status| status.attempt > 4);
    assert!(handle.stats().dials > dials);
    handle.disconnect();
    assert_eq!(handle.status().phase, Phase::Closed);
    handle.start();
    release.send(()).unwrap();
    connected(&handle);
    assert_eq!(server.handshakes(), 1);
    // The attempt under way was not taken for the one of the late answer.
    assert_ne!(handle.last_error().as_deref(), Some("too late"));
}

#[test]
fn a_provider_that_panics_or_mistakes_the_protocol() {
    let (handle, _incoming) = builder("ws://127.0.0.1:1/", quick())
        .provider(|_| panic!("a bug of the user's"))
        .spawn()
        .unwrap();
    ended_by(&handle, Cause::ConnectTimeout);
    ended_by(&handle, Cause::Credentials);
    let (handle, _incoming) = builder("ws://127.0.0.1:1/", quick())
        .provider(|_| Ok(Request::tcp("127.0.0.1:1").unwrap()))
        .spawn()
        .unwrap();
    ended_by(&handle, Cause::Credentials);
}

#[test]
fn probes_before_the_first_dial() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::Refuse);
    let preflight = Preflight {
        interval: ms(50),
        ..Preflight::default()
    };
    let (handle, _incoming) = builder(&proxy.url(), quick().preflight(Some(preflight)))
        .spawn()
        .unwrap();
    ended_by(&handle, Cause::Preflight);
    assert_eq!(handle.stats().dials, 0);
    proxy.set(Mode::Pass);
    connected(&handle);
    assert_eq!(handle.stats().dials, 1);
}
