//! Links with a durable store, on real sockets: what outlives a handle, a runtime and a disk, and
//! what waits until it is stored.

mod disk;
mod gates;
mod restarts;

use std::path::{Path, PathBuf};
use std::time::Duration;

use redial::backoff::{Backoff, Jitter, Schedule};
use redial::config::Builder;
use redial::outbox::{Limits, Overflow};
use redial::session::{Cadence, Settings};
use redial::{Config, Delivery, Fate, Phase, Resumption};
use redial_faults::sessions::{Got, SessionServer};
use redial_tokio::store::{OpenError, Options};
use redial_tokio::websocket::{Fixed, WebSocketBuilder};
use redial_tokio::wire::Wire;
use redial_tokio::{Fates, Handle, Incoming, Message, Received, redial, websocket};

/// Longer than anything here should take, by far.
const LONG: Duration = Duration::from_secs(10);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Acknowledged delivery, soon and often.
fn config() -> Builder {
    let fixed = Schedule::Fixed { delay: ms(10) };
    let backoff = Backoff::new(fixed, Jitter::None, ms(5)).expect("a schedule");
    Config::builder()
        .backoff(backoff)
        .quick(None)
        .connect_deadline(ms(500))
        .close_deadline(ms(500))
        .session(Some(Settings {
            acks: Cadence {
                delay: ms(5),
                ..Cadence::default()
            },
            ..Settings::default()
        }))
        .outbox(Limits {
            overflow: Overflow::RejectNew,
            delivery: Delivery::Acknowledged,
            ..Limits::default()
        })
}

type Unbuilt = WebSocketBuilder<Fixed>;

fn unbuilt(url: &str, config: Builder) -> Unbuilt {
    websocket(url)
        .expect("a URL")
        .config(config.build().expect("a configuration"))
        .protocol(Wire::new())
        .seed(1)
}

/// A link with its log, which an earlier one may still be about to close.
async fn open(
    url: &str,
    config: &Builder,
    path: &Path,
    options: &Options,
) -> (Handle<Message>, Incoming<Message>) {
    let opened = async {
        loop {
            match unbuilt(url, config.clone()).store(path, options) {
                Ok(builder) => return builder.spawn(),
                Err(OpenError::Held { .. }) => tokio::time::sleep(ms(1)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    soon("the log is free", opened).await
}

/// What a process leaves that is killed now.
fn crash(path: &Path, name: &str) -> PathBuf {
    let copy = path.with_file_name(name);
    std::fs::copy(path, &copy).expect("a copy");
    copy
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(LONG, future).await;
    done.unwrap_or_else(|_| panic!("never: {what}"))
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let looks = async {
        while !condition() {
            tokio::time::sleep(ms(1)).await;
        }
    };
    soon(what, looks).await;
}

async fn reach(handle: &Handle<Message>, phase: Phase) {
    let mut watch = handle.watch();
    let reached = watch.wait_for(|status| status.phase == phase);
    soon(phase.name(), reached).await.expect("a link");
}

async fn fate(fates: &mut Fates<Message>) -> Fate<Message> {
    soon("a fate", fates.recv()).await.expect("a link")
}

/// The next message.
async fn next(incoming: &mut Incoming<Message>) -> String {
    let next = soon("a message", incoming.recv()).await;
    next.expect("a link that goes on")
        .as_text()
        .expect("text")
        .to_owned()
}

async fn session(incoming: &mut Incoming<Message>) -> Resumption {
    match soon("a session", incoming.recv_told()).await {
        Some(Received::Session(resumption)) => resumption,
        other => panic!("{other:?}"),
    }
}

/// What the applications behind all sessions got, in short: messages, `#` and an intent.
fn got(server: &SessionServer) -> Vec<String> {
    let clients = server.clients();
    let all = clients.iter().flat_map(|client| &client.got);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    all.map(|got| match got {
        Got::Message { content, .. } => text(content.bytes()),
        Got::Intent { content, .. } => format!("#{}", text(content.bytes())),
        Got::Gap(gap) => format!("{}-{}", gap.from, gap.to),
    })
    .collect()
}

async fn wait_got(server: &SessionServer, count: usize) -> Vec<String> {
    until("they have it", || got(server).len() >= count).await;
    got(server)
}
