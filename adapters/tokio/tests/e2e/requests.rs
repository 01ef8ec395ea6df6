//! Requests and their answers, over connections that end, and with links that do.

use std::future::Future;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use redial::Phase;
use redial::heartbeat::Pulse;
use redial::outbox::{Batch, Limits, Overflow};
use redial::requests::{RefusedRequestReason, RequestOptions, Requests, Settings};
use redial::session::Settings as Session;
use redial_faults::{Behaviour, Frame, Mode, Proxy, Server};
use redial_tokio::{
    Correlate, Handle, Incoming, Message, Reply, RequestFailed, RequestFailure, redial, websocket,
};

use super::{LONG, ms, next, quick, reach, until};

/// Requests and answers begin with a number and a colon, so an echo is an answer.
struct Numbers;

impl Correlate<Message> for Numbers {
    fn mark(&mut self, id: u64, message: &Message) -> Message {
        format!("{id}:{}", message.as_text().unwrap()).into()
    }

    fn of(&self, message: &Message) -> Option<u64> {
        message.as_text()?.split_once(':')?.0.parse().ok()
    }
}

fn link(
    url: &str,
    config: redial::config::Builder,
    settings: Settings,
) -> (Handle<Message>, Incoming<Message>) {
    websocket(url)
        .unwrap()
        .config(config.build().unwrap())
        .requests(Numbers, Requests::new(settings).unwrap())
        .seed(1)
        .spawn()
}

/// Without a heartbeat, so that nothing wakes a link but what is under test, until a connection
/// is stable after 10 s.
fn quiet() -> redial::config::Builder {
    let pulse = Pulse {
        interval: None,
        ..Pulse::default()
    };
    // A timer that was armed for a dial fires once more, though there is nothing to do.
    quick()
        .heartbeat(pulse)
        .connect_deadline(LONG)
        .patience(LONG)
}

/// Long, and well before that.
const SOON: Duration = Duration::from_secs(6);

async fn end(reply: Reply<Message>) -> Result<Message, RequestFailed<Message>> {
    tokio::time::timeout(SOON, reply)
        .await
        .expect("an end in time")
}

async fn reason(reply: Reply<Message>) -> RequestFailure {
    end(reply).await.expect_err("no answer").reason
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_go_to_who_asked_and_the_rest_to_the_application() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (handle, mut incoming) = link(&server.url(), quiet(), Settings::default());
    let early = handle.request("early".into());
    reach(&handle, Phase::Connected).await;
    let (a, b) = (handle.request("a".into()), handle.request("b".into()));
    handle.send("between".into()).await.unwrap();
    assert_eq!(end(b).await.unwrap(), "3:b".into());
    assert_eq!(end(a).await.unwrap(), "2:a".into());
    assert_eq!(end(early).await.unwrap(), "1:early".into());
    // What answers nothing that is pending is nobody's.
    handle.send("2:a".into()).await.unwrap();
    handle.send("9:never".into()).await.unwrap();
    handle.send("last".into()).await.unwrap();
    assert_eq!(next(&mut incoming).await.as_text(), Some("between"));
    assert_eq!(next(&mut incoming).await.as_text(), Some("last"));
    // And from a link that rests in between.
    assert_eq!(end(handle.request("c".into())).await.unwrap(), "4:c".into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_asked_again_on_the_next_connection() {
    let server = Server::start(Behaviour::Sink).unwrap();
    server.keep_received(true);
    let (handle, _incoming) = link(&server.url(), quiet(), Settings::default());
    let reply = handle.request("a".into());
    assert!(server.wait_received(1, LONG));
    server.set(Behaviour::Echo);
    server.drop_all();
    assert_eq!(end(reply).await.unwrap(), "1:a".into());
    assert_eq!(
        server.received(),
        ["1:a", "1:a"].map(|text| text.as_bytes().to_vec())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_without_an_answer_is_asked_again_and_then_given_up() {
    let server = Server::start(Behaviour::Sink).unwrap();
    server.keep_received(true);
    let settings = Settings {
        timeout: ms(30),
        cap: ms(60),
        max_attempts: 3,
        ..Settings::default()
    };
    let (handle, _incoming) = link(&server.url(), quiet(), settings);
    reach(&handle, Phase::Connected).await;
    let began = handle.now();
    let failed = end(handle.request("a".into())).await.unwrap_err();
    assert_eq!(
        (failed.reason, failed.sent),
        (RequestFailure::TimedOut, true)
    );
    assert_eq!(failed.message, "a".into());
    // 30, 60 and 60 ms.
    assert!(handle.now().since(began) >= ms(150));
    assert_eq!(
        server.received(),
        ["1:a"; 3].map(|text| text.as_bytes().to_vec())
    );
    // All of it has an end too, connected or not.
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::Refuse);
    let (handle, _incoming) = link(&proxy.url(), quiet(), Settings::default());
    let soon = RequestOptions::new().total(ms(50));
    let failed = end(handle.request_with("b".into(), soon))
        .await
        .unwrap_err();
    assert_eq!(
        (failed.reason, failed.sent),
        (RequestFailure::TimedOut, false)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_outlives_its_link() {
    let server = Server::start(Behaviour::Sink).unwrap();
    // By a disconnect; and a new start takes new ones.
    let (handle, _incoming) = link(&server.url(), quiet(), Settings::default());
    let asked = handle.request("a".into());
    reach(&handle, Phase::Connected).await;
    handle.disconnect().await;
    assert_eq!(reason(asked).await, RequestFailure::Closed);
    let late = reason(handle.request("b".into())).await;
    assert_eq!(late, RequestFailure::Refused(RefusedRequestReason::Closed));
    server.set(Behaviour::Echo);
    handle.start();
    reach(&handle, Phase::Connected).await;
    assert_eq!(end(handle.request("c".into())).await.unwrap(), "2:c".into());
    // By the last handle.
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.set(Mode::Refuse);
    let (handle, _incoming) = link(&proxy.url(), quiet(), Settings::default());
    let asked = handle.request("d".into());
    drop(handle);
    assert_eq!(reason(asked).await, RequestFailure::Closed);
    // By a failure.
    let forbidden = Server::start(Behaviour::Http {
        status: 403,
        headers: Vec::new(),
    });
    let forbidden = forbidden.unwrap();
    proxy.set_upstream(forbidden.addr());
    proxy.set(Mode::StallAccept);
    let (handle, _incoming) = link(&proxy.url(), quiet(), Settings::default());
    let asked = handle.request("e".into());
    proxy.set(Mode::Pass);
    assert_eq!(reason(asked).await, RequestFailure::Closed);
    drop(handle);
    // By the end of its runtime.
    proxy.set(Mode::Refuse);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (handle, _incoming) = {
        let _inside = runtime.enter();
        link(&proxy.url(), quiet(), Settings::default())
    };
    let asked = handle.request("f".into());
    runtime.shutdown_background();
    assert_eq!(reason(asked).await, RequestFailure::Closed);
    let late = reason(handle.request("g".into())).await;
    assert_eq!(late, RequestFailure::Refused(RefusedRequestReason::Closed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_drops_no_message_for_room_and_waits_for_it() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let config = quiet().outbox(Limits {
        messages: 2,
        overflow: Overflow::DropOldest,
        ..Limits::default()
    });
    let (handle, mut incoming) = websocket(server.url())
        .unwrap()
        .config(config.build().unwrap())
        .requests(Numbers, Requests::default())
        .seed(1)
        .spawn();
    let mut fates = handle.fates();
    reach(&handle, Phase::Connected).await;
    // Fates that nobody takes keep their slots: twice as many as messages.
    for text in ["a", "b", "c", "d"] {
        handle.send(text.into()).await.unwrap();
    }
    for text in ["a", "b", "c", "d"] {
        assert_eq!(next(&mut incoming).await.as_text(), Some(text));
    }
    let mut reply = Box::pin(handle.request("e".into()));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(reply.as_mut().poll(&mut cx), Poll::Pending));
    let stats = tokio::time::timeout(ms(100), &mut reply).await;
    assert!(stats.is_err(), "{:?}", handle.stats());
    tokio::time::timeout(LONG, fates.recv()).await.unwrap();
    let answer = tokio::time::timeout(SOON, reply).await.unwrap();
    assert_eq!(answer.unwrap(), "1:e".into());
    assert_eq!((handle.stats().dropped, handle.stats().unknown), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_makes_no_room_by_dropping_what_is_queued() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let config = quiet().outbox(Limits {
        messages: 2,
        overflow: Overflow::DropOldest,
        // Messages stay in the queue for a while, connected or not.
        batch: Some(Batch {
            messages: 2,
            delay: ms(100),
        }),
        ..Limits::default()
    });
    let (handle, mut incoming) = link(&server.url(), config, Settings::default());
    reach(&handle, Phase::Connected).await;
    for number in 1..=5_u32 {
        handle.send("a".into()).await.unwrap();
        let reply = handle.request("b".into());
        let other = handle.request("c".into());
        assert_eq!(next(&mut incoming).await.as_text(), Some("a"));
        let answers = [end(reply).await.unwrap(), end(other).await.unwrap()];
        let expected = [format!("{}:b", 2 * number - 1), format!("{}:c", 2 * number)];
        assert_eq!(answers, expected.map(Message::from));
    }
    assert_eq!(handle.stats().dropped, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_future_is_dropped_is_asked_no_more() {
    let server = Server::start(Behaviour::Sink).unwrap();
    server.keep_received(true);
    let one = Settings {
        requests: 1,
        ..Settings::default()
    };
    let (handle, _incoming) = link(&server.url(), quiet(), one);
    let cancelled = handle.request("a".into());
    let full = reason(handle.request("b".into())).await;
    assert_eq!(full, RequestFailure::Refused(RefusedRequestReason::Full));
    assert!(server.wait_received(1, LONG));
    drop(cancelled);
    server.set(Behaviour::Echo);
    server.drop_all();
    assert_eq!(end(handle.request("c".into())).await.unwrap(), "2:c".into());
    assert_eq!(
        server.received(),
        ["1:a", "2:c"].map(|text| text.as_bytes().to_vec())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_asked_is_told_at_once() {
    let server = Server::start(Behaviour::SendFirst(vec![Frame::Text("7:x".into())])).unwrap();
    let (handle, mut incoming) = super::link(&server.url(), quiet());
    let failed = end(handle.request("a".into())).await.unwrap_err();
    assert_eq!(failed.reason, RequestFailure::NoCorrelation);
    assert_eq!(failed.message, "a".into());
    // Without requests every message is the application's.
    assert_eq!(next(&mut incoming).await.as_text(), Some("7:x"));
    let config = quiet().outbox(Limits {
        bytes: 10,
        ..Limits::default()
    });
    let (handle, _incoming) = link(&server.url(), config, Settings::default());
    let unfit = reason(handle.request("more than ten".into())).await;
    assert!(matches!(unfit, RequestFailure::Unfit(_)), "{unfit:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumed_session_replays_a_request_and_a_fresh_one_asks_it_again() {
    use redial_faults::sessions::{Memory, SessionServer};
    use redial_tokio::wire::Wire;

    let server = SessionServer::start().unwrap();
    let proxy = Proxy::start(server.addr()).unwrap();
    let config = quiet().session(Some(Session::default()));
    let (handle, _incoming) = websocket(proxy.url())
        .unwrap()
        .config(config.build().unwrap())
        .protocol(Wire::new())
        .requests(Numbers, Requests::default())
        .seed(1)
        .spawn();
    reach(&handle, Phase::Connected).await;
    proxy.set(Mode::BlackHoleSwallow);
    let reply = handle.request("a".into());
    let written = async {
        while handle.status().in_flight == 0 {
            tokio::time::sleep(ms(1)).await;
        }
    };
    tokio::time::timeout(LONG, written).await.unwrap();
    proxy.set(Mode::Pass);
    proxy.reset_all();
    until(&handle, "resumed", |_| handle.stats().resumed == 1).await;
    handle.send("mark".into()).await.unwrap();
    assert!(server.wait_received(2, LONG));
    server.restart(Memory::Wipe).unwrap();
    assert!(server.wait_received(3, LONG));
    // Once by the replay, once anew.
    assert_eq!(
        server.received(),
        ["1:a", "mark", "1:a"].map(|text| text.as_bytes().to_vec())
    );
    let client = server.clients().pop().unwrap();
    let options = redial::SendOptions::new();
    server.send(client.session, "1:yes", options).unwrap();
    assert_eq!(end(reply).await.unwrap(), "1:yes".into());
    let stats = handle.stats();
    assert_eq!((stats.resumed, stats.fresh), (1, 2), "{stats:?}");
}
