//! Servers that refuse, and providers that have nothing to give.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use redial::config::Preflight;
use redial::{Cause, Phase};
use redial_faults::{Behaviour, Mode, Proxy, Server};
use redial_tokio::websocket::tungstenite::ClientRequestBuilder;
use redial_tokio::{Attempt, Failure, redial, websocket, websocket_with};

use super::{LONG, caused, link, ms, next, quick, reach, until};

fn refuse(status: u16, headers: &[(&str, &str)]) -> Behaviour {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Behaviour::Http {
        status,
        headers: headers.iter().map(owned).collect(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unauthorized_fetches_fresh_credentials() {
    let server = Server::start(Behaviour::Authorize {
        token: "new".to_owned(),
        otherwise: 401,
        then: Box::new(Behaviour::Echo),
    })
    .unwrap();
    let url = server.url();
    let provider = move |attempt: Attempt| {
        let uri = url.parse().unwrap();
        async move {
            let token = if attempt.refresh { "new" } else { "old" };
            let request = ClientRequestBuilder::new(uri);
            Ok(request.with_header("Authorization", format!("Bearer {token}")))
        }
    };
    let (handle, mut incoming) = websocket_with(provider)
        .config(quick().credentials(true).build().unwrap())
        .seed(1)
        .spawn();
    handle.send("1".into()).await.unwrap();
    assert_eq!(next(&mut incoming).await.as_text(), Some("1"));
    let requests = server.requests();
    let tokens: Vec<_> = requests.iter().map(|r| r.bearer().unwrap()).collect();
    assert_eq!(tokens, ["old", "new"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unauthorized_for_good_is_final() {
    let server = Server::start(refuse(401, &[])).unwrap();
    let (handle, _incoming) = link(&server.url(), quick().auth_limit(2));
    reach(&handle, Phase::Failed).await;
    assert_eq!(handle.closed().await, Some(Cause::Http(401)));
    assert_eq!(server.dials(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forbidden_is_final_and_keeps_the_queue() {
    let server = Server::start(refuse(403, &[])).unwrap();
    // Not refused before there is something to keep.
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::StallAccept);
    let (handle, mut incoming) = link(&proxy.url(), quick());
    handle.try_send("1".into()).unwrap();
    proxy.set(Mode::Pass);
    assert_eq!(handle.closed().await, Some(Cause::Http(403)));
    assert_eq!(incoming.recv().await, None);
    assert_eq!(handle.status().phase, Phase::Failed);
    assert_eq!((server.dials(), handle.status().queued), (1, 1));
    handle.try_send("2".into()).unwrap_err();
    server.set(Behaviour::Echo);
    handle.reconnect();
    assert_eq!(next(&mut incoming).await.as_text(), Some("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_servers_are_left_alone_as_long_as_they_ask() {
    for status in [429, 503] {
        // 2050 is further away than the link lets itself be parked.
        for (after, at_least) in [("3", 3), ("Sat, 01 Jan 2050 00:00:00 GMT", 4)] {
            let server = Server::start(refuse(status, &[("Retry-After", after)])).unwrap();
            let (handle, _incoming) = link(&server.url(), quick().hint_max(ms(4000)));
            let waiting = reach(&handle, Phase::Waiting).await;
            assert_eq!(waiting.last_cause, Some(Cause::Http(status)));
            let wait = waiting.next_attempt_at.unwrap().since(waiting.since);
            let least = ms(at_least * 1000);
            assert!(wait >= least && wait <= least + ms(1000), "{wait:?}");
            assert_eq!(server.dials(), 1);
            server.set(Behaviour::Echo);
            handle.reconnect();
            reach(&handle, Phase::Connected).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_proxy_says_that_its_server_is_away() {
    let answer = b"HTTP/1.0 503 Service Unavailable\r\nretry-after: 60\r\n\r\nsorry";
    let server = Server::start(Behaviour::Garbage(answer.to_vec())).unwrap();
    let (handle, _incoming) = link(&server.url(), quick());
    let waiting = reach(&handle, Phase::Waiting).await;
    assert_eq!(waiting.last_cause, Some(Cause::Http(503)));
    let wait = waiting.next_attempt_at.unwrap().since(waiting.since);
    assert!(wait >= ms(60_000), "{wait:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirects_are_followed_and_bounded() {
    let goal = Server::start(Behaviour::Echo).unwrap();
    let http = goal.url().replace("ws://", "http://");
    let server = Server::start(refuse(307, &[("Location", &http)])).unwrap();
    let (handle, mut incoming) = link(&server.url(), quick());
    handle.send("1".into()).await.unwrap();
    assert_eq!(next(&mut incoming).await.as_text(), Some("1"));

    let circle = Server::start(refuse(302, &[("Location", "/again")])).unwrap();
    let (handle, _incoming) = link(&circle.url(), quick());
    assert_eq!(handle.closed().await, Some(Cause::Http(302)));
    assert_eq!(circle.dials(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_provider_is_asked_again() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let url = server.url();
    let provider = move |attempt: Attempt| {
        let url = url.clone();
        async move {
            if attempt.number < 3 {
                return Err(Failure::credentials("the vault is sealed"));
            }
            Ok(url)
        }
    };
    let config = quick().build().unwrap();
    let (handle, _incoming) = websocket_with(provider).config(config).seed(1).spawn();
    let status = caused(&handle, Cause::Credentials).await;
    assert_eq!(handle.last_error().unwrap(), "the vault is sealed");
    assert!(status.attempt > 1);
    reach(&handle, Phase::Connected).await;
    assert_eq!(server.dials(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_provider_is_dropped_at_the_deadline() {
    /// Counts those that live.
    struct Living(Arc<AtomicU32>);
    impl Drop for Living {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let living = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&living);
    let provider = move |_: Attempt| {
        counted.fetch_add(1, Ordering::Relaxed);
        let guard = Living(Arc::clone(&counted));
        async move {
            let _guard = guard;
            std::future::pending::<()>().await;
            Ok(String::new())
        }
    };
    let config = quick().build().unwrap();
    let (handle, _incoming) = websocket_with(provider).config(config).seed(1).spawn();
    let status = caused(&handle, Cause::ConnectTimeout).await;
    assert_eq!(status.phase, Phase::Waiting);
    until(&handle, "redialled", |s| s.attempt >= 3).await;
    assert!(living.load(Ordering::Relaxed) <= 1);
    handle.disconnect().await;
    drop(handle);
    let gone = async {
        while living.load(Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflight_waits_for_a_healthy_server() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (address, url) = (server.addr(), server.url());
    let health = format!("http://{address}/health");
    server.shutdown();
    let preflight = Preflight {
        interval: ms(50),
        ..Preflight::default()
    };
    let config = quick().preflight(Some(preflight)).build().unwrap();
    let builder = || websocket(&url).unwrap().config(config.clone()).seed(1);
    let (by_tcp, _a) = builder().spawn();
    let (by_http, _b) = builder().health_url(&health).unwrap().spawn();
    for handle in [&by_tcp, &by_http] {
        let status = caused(handle, Cause::Preflight).await;
        assert_eq!(status.phase, Phase::Probing);
        assert_eq!(handle.stats().dials, 0);
    }
    let server = Server::start_on(address, Behaviour::Echo).unwrap();
    reach(&by_tcp, Phase::Connected).await;
    reach(&by_http, Phase::Connected).await;
    let asked = server.requests().iter().any(|r| r.path == "/health");
    assert!(asked);
    // A path that is not healthy keeps the link from dialling.
    let sick = format!("http://{address}/");
    let (sick, _c) = builder().health_url(&sick).unwrap().spawn();
    caused(&sick, Cause::Preflight).await;
    assert_eq!(sick.stats().dials, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_health_url_that_hangs_costs_the_deadline_of_the_probe() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::StallHandshake);
    let preflight = Preflight {
        deadline: ms(300),
        interval: ms(50),
        ..Preflight::default()
    };
    let config = quick().preflight(Some(preflight)).build().unwrap();
    let begun = Instant::now();
    let (handle, _incoming) = websocket(server.url())
        .unwrap()
        .config(config)
        .health_url(&format!("http://{}/health", proxy.addr()))
        .unwrap()
        .seed(1)
        .spawn();
    caused(&handle, Cause::Preflight).await;
    let took = begun.elapsed();
    assert!((ms(300)..ms(2300)).contains(&took), "{took:?}");
    proxy.set(Mode::Pass);
    reach(&handle, Phase::Connected).await;
    assert_eq!(handle.stats().dials, 1);
}
