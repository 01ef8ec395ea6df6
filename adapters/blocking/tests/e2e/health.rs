//! The readiness check before the first dial: by a TCP connect, and by a health URL.

use std::time::{Duration, Instant};

use redial_blocking::redial::config::{Builder, Preflight};
use redial_blocking::redial::{Cause, Phase};
use redial_blocking::{RequestError, websocket};
use redial_faults::{Behaviour, Mode, Proxy, Server, http_answer};

use crate::common::{SOON, builder, connected, ended_by, ms, quick, wait};

fn checked(deadline: Duration) -> Builder {
    quick().preflight(Some(Preflight {
        deadline,
        interval: ms(50),
        ..Preflight::default()
    }))
}

#[test]
fn a_server_that_comes_up_late() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (address, url) = (server.addr(), server.url());
    server.shutdown();
    let health = format!("http://localhost:{}/health", address.port());
    let (by_tcp, _a) = builder(&url, checked(SOON)).spawn().unwrap();
    let by_http = builder(&url, checked(SOON)).health_url(&health).unwrap();
    let (by_http, _b) = by_http.spawn().unwrap();
    for handle in [&by_tcp, &by_http] {
        let mut last = ended_by(handle, Cause::Preflight).epoch;
        for _ in 0..3 {
            // Probes that fail during start-up count as no attempts.
            let status = wait(handle, |s| s.epoch.is_some() && s.epoch != last);
            assert_eq!((status.phase, status.attempt), (Phase::Probing, 1));
            last = status.epoch;
        }
        assert_eq!(handle.stats().dials, 0);
    }
    let server = Server::start_on(address, Behaviour::Echo).unwrap();
    connected(&by_tcp);
    connected(&by_http);
    assert_eq!((by_tcp.stats().dials, by_http.stats().dials), (1, 1));
    let requests = server.requests();
    let asked = requests.iter().find(|r| r.path == "/health").unwrap();
    let host = format!("localhost:{}", address.port());
    assert_eq!(
        (asked.method.as_str(), asked.header("Host")),
        ("GET", Some(&*host))
    );
}

#[test]
fn a_server_that_is_up_and_not_well() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let health = format!("http://{}/health", proxy.addr());
    let (handle, _incoming) = builder(&server.url(), checked(SOON))
        .health_url(&health)
        .unwrap()
        .spawn()
        .unwrap();
    connected(&handle);
    for (answer, words) in [
        (http_answer(503, "Away", &[], ""), "HTTP/1.1 503"),
        (
            http_answer(302, "Found", &[("Location", "/")], ""),
            "HTTP/1.1 302",
        ),
        (b"SSH-2.0-OpenSSH".to_vec(), "SSH-2.0-Open"),
        (b"HTTP/1.1 20".to_vec(), "end of file"),
    ] {
        proxy.set(Mode::Answer(answer));
        let (handle, _incoming) = builder(&server.url(), checked(SOON))
            .health_url(&health)
            .unwrap()
            .spawn()
            .unwrap();
        ended_by(&handle, Cause::Preflight);
        let detail = handle.last_error().unwrap();
        assert!(detail.contains(words), "{detail}");
        assert_eq!(handle.stats().dials, 0);
        proxy.set(Mode::Pass);
        connected(&handle);
    }
}

#[test]
fn a_server_that_hangs_costs_the_deadline_of_the_probe() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let deadline = ms(300);
    for mode in [Mode::StallHandshake, Mode::StallAccept] {
        proxy.set(mode.clone());
        let begun = Instant::now();
        let (handle, _incoming) = builder(&server.url(), checked(deadline))
            .health_url(&format!("http://{}/health", proxy.addr()))
            .unwrap()
            .spawn()
            .unwrap();
        handle.try_send("1 kept").unwrap();
        assert_eq!(wait(&handle, |_| true).phase, Phase::Probing);
        ended_by(&handle, Cause::Preflight);
        let took = begun.elapsed();
        println!("{mode:?}: given up after {took:?}");
        assert!((deadline..deadline + ms(2000)).contains(&took), "{took:?}");
        // What was asked in vain is let go of, and its answer is nobody's.
        let dials = server.dials();
        proxy.set(Mode::Pass);
        connected(&handle);
        assert_eq!(handle.stats().dials, 1);
        assert!(server.wait_dials(dials + 2, SOON));
        handle.disconnect();
        assert_eq!(wait(&handle, |s| s.phase.is_final()).phase, Phase::Closed);
    }
}

#[test]
fn a_disconnect_ends_a_probe_at_once() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::StallHandshake);
    let (handle, _incoming) = builder(&server.url(), checked(SOON))
        .health_url(&format!("http://{}/health", proxy.addr()))
        .unwrap()
        .spawn()
        .unwrap();
    assert!(proxy.wait_accepted(1, SOON));
    handle.disconnect();
    assert_eq!(wait(&handle, |s| s.phase.is_final()).phase, Phase::Closed);
    assert!(proxy.wait(SOON, |stats| stats.open == 0));
    assert_eq!((handle.stats().dials, server.dials()), (0, 0));
}

#[test]
fn a_provider_is_not_asked_for_a_probe() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let url = server.url();
    let (tell, told) = std::sync::mpsc::channel();
    let (handle, _incoming) = builder("ws://127.0.0.1:1", checked(SOON))
        .provider(move |attempt| {
            tell.send(attempt.number).unwrap();
            redial_blocking::Request::websocket(&url).map_err(redial_blocking::Failure::credentials)
        })
        .health_url(&format!("http://{}/health", server.addr()))
        .unwrap()
        .spawn()
        .unwrap();
    connected(&handle);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [1]);
}

#[test]
fn what_is_no_health_url() {
    let refused = |url: &str| {
        let builder = websocket("ws://localhost").unwrap();
        builder.health_url(url).map(drop).unwrap_err()
    };
    for (url, error) in [
        (
            "ws://host/health",
            RequestError::UnsupportedScheme("ws".to_owned()),
        ),
        (
            "ftp://host/",
            RequestError::UnsupportedScheme("ftp".to_owned()),
        ),
        ("/health", RequestError::InvalidUrl("/health".to_owned())),
        ("http://", RequestError::NoHost),
        ("http://me@host/", RequestError::Credentials),
    ] {
        assert_eq!(refused(url), error, "{url}");
    }
    if cfg!(feature = "rustls") {
        assert!(
            websocket("ws://localhost")
                .unwrap()
                .health_url("https://host")
                .is_ok()
        );
    } else {
        assert_eq!(refused("https://host"), RequestError::TlsNotCompiledIn);
    }
}

#[cfg(feature = "rustls")]
#[test]
fn a_health_url_behind_tls() {
    let server = Server::start_tls(Behaviour::Echo).unwrap();
    let health = format!("https://{}/health", server.addr());
    let link = || {
        builder(&server.url(), checked(SOON))
            .health_url(&health)
            .unwrap()
    };
    let (trusting, _a) = link().tls(crate::tls::trusting(&server)).spawn().unwrap();
    connected(&trusting);
    assert_eq!(server.requests()[0].path, "/health");
    let (wary, _b) = link().spawn().unwrap();
    ended_by(&wary, Cause::Preflight);
    let detail = wary.last_error().unwrap();
    assert!(detail.contains("certificate"), "{detail}");
    assert_eq!(wary.stats().dials, 0);
}
