//! What waits until something is stored, and what becomes of it when that never is.

use redial::outbox::RefusedReason;
use redial::requests::{self, Requests};
use redial::session::SessionId;
use redial::{MessageId, Outcome, SendOptions};
use redial_faults::sessions::{Client, Memory};
use redial_tokio::store::recover;
use redial_tokio::{Correlate, NotStored};

use super::disk::{Reined, Reins};
use super::*;

struct Bench {
    _dir: tempfile::TempDir,
    path: PathBuf,
    server: SessionServer,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            path: dir.path().join("log"),
            _dir: dir,
            server: SessionServer::start().unwrap(),
        }
    }

    fn builder(&self) -> (Unbuilt, std::sync::Arc<Reins>) {
        let (disk, reins) = Reined::new(&self.path);
        let builder = unbuilt(&self.server.url(), config());
        let builder = builder.store_on(disk, &Options::default()).unwrap();
        (builder, reins)
    }

    fn client(&self) -> Client {
        assert!(self.server.wait_open(1, LONG));
        self.server.clients().remove(0)
    }

    /// A message from the server, and back again: the link has done all that it could do.
    async fn around(&self, session: SessionId, incoming: &mut Incoming<Message>, text: &str) {
        self.server.send(session, text, SendOptions::new()).unwrap();
        assert_eq!(next(incoming).await, text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_message_and_no_intent_is_written_before_it_is_stored() {
    let bench = Bench::new();
    let (builder, reins) = bench.builder();
    let (handle, mut incoming) = builder.spawn();
    let session = bench.client().session;
    let first = handle.send("0".into()).await.unwrap();
    soon("stored", handle.stored(first)).await.unwrap();
    assert_eq!(wait_got(&bench.server, 1).await, ["0"]);

    reins.hang(true);
    let id = handle.send("1".into()).await.unwrap();
    until("the disk hangs", || reins.hung() > 0).await;
    for round in 0..3 {
        bench
            .around(session, &mut incoming, &round.to_string())
            .await;
    }
    assert_eq!((got(&bench.server).len(), handle.status().queued), (1, 1));
    handle.declare("i".into()).unwrap();
    bench.around(session, &mut incoming, "again").await;
    assert_eq!(got(&bench.server).len(), 1);
    reins.hang(false);
    soon("stored", handle.stored(id)).await.unwrap();
    let mut all = wait_got(&bench.server, 3).await;
    all.sort();
    assert_eq!(all, ["#i", "0", "1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_before_the_log_says_that_it_may_be() {
    let bench = Bench::new();
    let (builder, reins) = bench.builder();
    let (handle, mut incoming) = builder.spawn();
    session(&mut incoming).await;
    bench.server.stop();
    until("an outage", || handle.status().phase != Phase::Connected).await;
    let id = handle.send("0".into()).await.unwrap();
    soon("stored", handle.stored(id)).await.unwrap();
    // The message is stored, but not that a connection is up.
    reins.hang(true);
    bench.server.start_again(Memory::Wipe).unwrap();
    let fresh = session(&mut incoming).await;
    assert!(matches!(fresh, Resumption::Fresh { .. }), "{fresh:?}");
    until("the disk hangs", || reins.hung() > 0).await;
    let session = bench.server.clients().last().unwrap().session;
    for round in 0..3 {
        bench
            .around(session, &mut incoming, &round.to_string())
            .await;
    }
    assert_eq!((got(&bench.server).len(), handle.status().queued), (0, 1));
    reins.hang(false);
    assert_eq!(wait_got(&bench.server, 1).await, ["0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_between_hello_and_ready_leaves_the_session_to_the_next() {
    let bench = Bench::new();
    let (builder, _) = bench.builder();
    let (handle, mut incoming) = builder.spawn();
    session(&mut incoming).await;
    soon("an end", handle.finish()).await.unwrap();

    let (builder, reins) = bench.builder();
    // Nothing of this process is written down, not even the number of its connection.
    reins.hang_after(0);
    let (handle, mut incoming) = builder.spawn();
    let resumed = session(&mut incoming).await;
    assert!(matches!(resumed, Resumption::Resumed { .. }), "{resumed:?}");
    until("the disk hangs", || reins.hung() > 0).await;
    let killed = crash(&bench.path, "killed");
    reins.hang(false);
    soon("an end", handle.finish()).await.unwrap();

    let url = bench.server.url();
    let (_handle, mut incoming) = open(&url, &config(), &killed, &Options::default()).await;
    let resumed = session(&mut incoming).await;
    assert!(matches!(resumed, Resumption::Resumed { .. }), "{resumed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_in_is_acknowledged_once_the_application_is_done_and_it_is_stored() {
    let bench = Bench::new();
    let (builder, reins) = bench.builder();
    let (handle, mut incoming) = builder.spawn();
    let session = bench.client().session;
    let acked = || bench.server.client(session).unwrap().fates.acked;
    let send = |text: &str| {
        bench
            .server
            .send(session, text, SendOptions::new())
            .unwrap()
    };

    send("a");
    send("b");
    assert_eq!(next(&mut incoming).await, "a");
    // The link has said what it had to say by the time at which this was acknowledged.
    let id = handle.send("0".into()).await.unwrap();
    assert_eq!(fate(&mut handle.fates()).await.id, id);
    assert_eq!(acked(), 0, "the application is at the first one");
    assert_eq!(next(&mut incoming).await, "b");
    assert!(incoming.try_recv().is_none());
    until("both are acknowledged", || acked() == 2).await;

    // The application is done, but the disk is not.
    reins.hang(true);
    send("c");
    assert_eq!(next(&mut incoming).await, "c");
    assert!(incoming.try_recv().is_none());
    until("the disk hangs", || reins.hung() > 0).await;
    send("d");
    assert_eq!(next(&mut incoming).await, "d");
    assert_eq!(acked(), 2);
    // Nor does the next connection say so.
    bench.server.drop_all();
    until("again", || handle.stats().resumed == 1).await;
    // Neither c nor d is given twice.
    bench.around(session, &mut incoming, "between").await;
    assert_eq!(acked(), 2);
    reins.hang(false);
    send("e");
    assert_eq!(next(&mut incoming).await, "e");
    assert!(incoming.try_recv().is_none());
    until("all are acknowledged", || acked() == 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_application_was_not_done_with_comes_again() {
    let bench = Bench::new();
    let options = Options::default();
    let url = bench.server.url();
    let (handle, mut incoming) = open(&url, &config(), &bench.path, &options).await;
    let session = bench.client().session;
    let send = |text: &str| {
        bench
            .server
            .send(session, text, SendOptions::new())
            .unwrap()
    };
    let acked = || bench.server.client(session).unwrap().fates.acked;
    send("a");
    assert_eq!(next(&mut incoming).await, "a");
    assert!(incoming.try_recv().is_none());
    until("it is acknowledged", || acked() == 1).await;
    for text in ["b", "c", "d"] {
        send(text);
    }
    assert_eq!(next(&mut incoming).await, "b");
    until("all are here", || handle.stats().received == 4).await;
    soon("an end", handle.finish()).await.unwrap();
    drop(incoming);

    let (handle, mut incoming) = open(&url, &config(), &bench.path, &options).await;
    for text in ["b", "c", "d"] {
        assert_eq!(next(&mut incoming).await, text);
    }
    // The end is exact for who reads to the end.
    assert_eq!(soon("a rest", handle.disconnect()).await.len(), 0);
    assert_eq!(soon("the end", incoming.recv()).await, None);
    soon("an end", handle.finish()).await.unwrap();
    let (_handle, mut incoming) = open(&url, &config(), &bench.path, &options).await;
    send("e");
    assert_eq!(next(&mut incoming).await, "e");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_hands_messages_back() {
    let bench = Bench::new();
    let (builder, reins) = bench.builder();
    let (handle, _incoming) = builder.spawn();
    bench.client();
    let mut fates = handle.fates();
    let id = handle.send("0".into()).await.unwrap();
    soon("stored", handle.stored(id)).await.unwrap();
    assert_eq!(fate(&mut fates).await.outcome, Outcome::Acked);
    reins.hang(true);
    let id = handle.send("1".into()).await.unwrap();
    until("the disk hangs", || reins.hung() > 0).await;
    reins.fail();
    reins.hang(false);
    let stored = soon("an answer", handle.stored(id)).await;
    assert!(matches!(stored, Err(NotStored::Failed(_))), "{stored:?}");
    let back = fate(&mut fates).await;
    assert_eq!((back.id, back.outcome), (id, Outcome::Returned));
    assert_eq!(back.payload, Some("1".into()));
    reach(&handle, Phase::Closed).await;
    let detail = handle.last_error().unwrap();
    assert!(detail.contains("disk"), "{detail}");

    // Nothing goes on with this store.
    handle.start();
    let refused = handle.try_send("2".into()).unwrap_err();
    assert_eq!(refused.reason, RefusedReason::NotStored);
    assert_eq!(got(&bench.server), ["0"]);
    let failed = soon("an end", handle.finish()).await;
    assert!(failed.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_store_has_no_room_for_is_refused() {
    let bench = Bench::new();
    let (handle, _incoming) = unbuilt(&bench.server.url(), config()).spawn();
    let id = MessageId::from_number(1);
    let none = handle.stored(id).await;
    assert!(matches!(none, Err(NotStored::NoStore)), "{none:?}");
    assert!(handle.recovery().is_none());
    soon("an end", handle.finish()).await.unwrap();

    let options = Options {
        max_bytes: 200,
        ..Options::default()
    };
    let (handle, _incoming) = open(&bench.server.url(), &config(), &bench.path, &options).await;
    until("a session", || handle.status().phase == Phase::Connected).await;
    let none = handle.stored(id).await;
    assert!(matches!(none, Err(NotStored::NotKept)), "{none:?}");
    let refused = handle.try_send("x".repeat(300).into()).unwrap_err();
    assert_eq!(refused.reason, RefusedReason::NotStored);
    assert_eq!(refused.payload, "x".repeat(300).into());
    let refused = handle.declare("x".repeat(300).into()).unwrap_err();
    assert_eq!(refused.reason, RefusedReason::NotStored);
    let volatile = SendOptions::new().volatile();
    handle
        .try_send_with("v".repeat(300).into(), volatile)
        .unwrap();
    assert_eq!(wait_got(&bench.server, 1).await.len(), 1);
    handle.try_send("1".into()).unwrap();
    let got = wait_got(&bench.server, 2).await;
    assert_eq!(got, ["v".repeat(300), "1".into()]);
}

/// Requests and answers begin with a number and a colon.
struct Numbers;

impl Correlate<Message> for Numbers {
    fn mark(&mut self, id: u64, message: &Message) -> Message {
        format!("{id}:{}", message.as_text().unwrap()).into()
    }

    fn of(&self, message: &Message) -> Option<u64> {
        message.as_text()?.split_once(':')?.0.parse().ok()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_not_for_the_next_process() {
    let bench = Bench::new();
    let (builder, _) = bench.builder();
    let requests = Requests::new(requests::Settings::default()).unwrap();
    let (handle, mut incoming) = builder.requests(Numbers, requests).spawn();
    let asked = handle.request("a".into());
    assert_eq!(wait_got(&bench.server, 1).await, ["1:a"]);
    // Asked again, as nobody else would bring it there.
    bench.server.drop_all();
    assert_eq!(wait_got(&bench.server, 2).await, ["1:a", "1:a"]);
    let id = handle.send("0".into()).await.unwrap();
    soon("stored", handle.stored(id)).await.unwrap();
    let killed = crash(&bench.path, "killed");

    let session = bench.client().session;
    bench.around(session, &mut incoming, "x").await;
    let answer = SendOptions::new();
    bench.server.send(session, "1:yes", answer).unwrap();
    let answer = soon("an answer", asked).await.unwrap();
    assert_eq!(answer, "1:yes".into());
    let bytes = std::fs::read(killed).unwrap();
    let found = recover::<Message>(&bytes, &Options::default()).unwrap();
    let kept = found.carryover.messages.iter();
    assert!(kept.map(|it| &it.payload).all(|it| it == &"0".into()));
}
