//! Links on real sockets, against servers and proxies that misbehave.
//!
//! Servers are awaited by blocking calls, so every test has a runtime with workers. Each wait
//! has a deadline, far above what it should take.

mod cancel;
mod closes;
mod disconnect;
mod faces;
mod flow;
mod handshake;
mod input;
mod load;
mod outage;
mod peer;
mod plain;
mod refusals;
mod requests;
mod sessions;
mod spoken;
mod tls;

use std::time::Duration;

use redial::backoff::{Backoff, Jitter, Schedule};
use redial::config::Builder;
use redial::heartbeat::Pulse;
use redial::{Cause, Config, Payload, Phase, Status};
use redial_tokio::{Handle, Incoming, Message, redial, websocket};

/// Longer than anything here should take, by far.
const LONG: Duration = Duration::from_secs(10);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Short deadlines.
fn quick() -> Builder {
    Config::builder()
        .connect_deadline(ms(500))
        .patience(ms(500))
        .close_deadline(ms(500))
        .backoff(windows(20, 100))
        .heartbeat(Pulse {
            interval: Some(ms(200)),
            pong_deadline: ms(200),
            ..Pulse::default()
        })
}

/// Windows from `first` to `cap` milliseconds.
fn windows(first: u64, cap: u64) -> Backoff {
    let schedule = Schedule::Stratified {
        first: ms(first),
        cap: ms(cap),
        contended_floor: ms(first),
        contended_cap: ms(cap * 2),
    };
    Backoff::new(schedule, Jitter::Full, ms(5)).expect("the windows grow")
}

/// A link to `url`.
fn link(url: &str, config: Builder) -> (Handle<Message>, Incoming<Message>) {
    websocket(url)
        .expect("a URL")
        .config(config.build().expect("a configuration"))
        .seed(1)
        .spawn()
}

/// Waits for a status.
async fn until<M: Payload + Send>(
    handle: &Handle<M>,
    what: &str,
    condition: impl FnMut(&Status) -> bool,
) -> Status {
    let mut watch = handle.watch();
    let found = tokio::time::timeout(LONG, watch.wait_for(condition)).await;
    match found {
        Ok(Ok(status)) => *status,
        _ => panic!(
            "never {what}: {:?} {:?}",
            handle.status(),
            handle.last_error()
        ),
    }
}

async fn reach<M: Payload + Send>(handle: &Handle<M>, phase: Phase) -> Status {
    until(handle, phase.name(), |status| status.phase == phase).await
}

async fn caused<M: Payload + Send>(handle: &Handle<M>, cause: Cause) -> Status {
    let what = format!("{cause:?}");
    until(handle, &what, |status| status.last_cause == Some(cause)).await
}

/// The next message.
async fn next<M: Payload>(incoming: &mut Incoming<M>) -> M {
    tokio::time::timeout(LONG, incoming.recv())
        .await
        .expect("a message in time")
        .expect("a link that goes on")
}

/// The end of the messages.
async fn end(incoming: &mut Incoming<Message>) {
    let last = tokio::time::timeout(LONG, incoming.recv()).await;
    assert_eq!(last.expect("an end in time"), None);
}
