//! Close frames of the server, one code after the other.

use redial::{Cause, Phase};
use redial_faults::{Behaviour, Server};
use redial_tokio::redial;

use super::{LONG, end, link, ms, next, quick, reach, until};

/// What follows from a close.
enum Then {
    /// At rest.
    Rest(Phase),
    /// Dialled again soon.
    Again,
    /// Dialled again after so many seconds at least, and at most.
    After(u64, u64),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_has_its_consequence() {
    for (code, then) in [
        (1000, Then::Rest(Phase::Closed)),
        (1001, Then::Again),
        (1005, Then::Again),
        (1008, Then::Rest(Phase::Failed)),
        (1009, Then::Again),
        (1011, Then::After(5, 10)),
        (1012, Then::After(5, 30)),
        (1013, Then::After(30, 60)),
        (4401, Then::Again),
    ] {
        println!("{code}");
        let server = Server::start(Behaviour::Echo).unwrap();
        let (handle, mut incoming) = link(&server.url(), quick());
        handle.send("1".into()).await.unwrap();
        next(&mut incoming).await;
        server.close_all(code, "because");
        let status = until(&handle, "closed", |s| s.phase != Phase::Connected).await;
        assert_eq!(status.last_cause, Some(Cause::Close(code)));
        // The close is answered, with the same code.
        assert!(server.wait_closes(1, LONG));
        let answer = (code != 1005).then_some(code);
        assert_eq!(server.closes(), [answer]);
        match then {
            Then::Rest(phase) => {
                assert_eq!(status.phase, phase);
                end(&mut incoming).await;
                assert_eq!(server.dials(), 1);
                handle.reconnect();
                reach(&handle, Phase::Connected).await;
                handle.send("2".into()).await.unwrap();
                assert_eq!(next(&mut incoming).await.as_text(), Some("2"));
            }
            Then::Again => {
                assert!(server.wait_handshakes(2, LONG));
                handle.send("2".into()).await.unwrap();
                assert_eq!(next(&mut incoming).await.as_text(), Some("2"));
            }
            Then::After(least, most) => {
                let wait = status.next_attempt_at.unwrap().since(status.since);
                let (least, most) = (ms(least * 1000), ms(most * 1000));
                assert!(wait >= least && wait <= most, "{wait:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_last_handle_closes_in_order() {
    let server = Server::start(Behaviour::Echo).unwrap();
    let (handle, mut incoming) = link(&server.url(), quick());
    let clone = handle.clone();
    handle.send("1".into()).await.unwrap();
    next(&mut incoming).await;
    drop(handle);
    clone.send("2".into()).await.unwrap();
    assert_eq!(next(&mut incoming).await.as_text(), Some("2"));
    drop(clone);
    assert!(server.wait_closes(1, LONG));
    assert_eq!(server.closes(), [Some(1000)]);
    end(&mut incoming).await;
    assert!(server.wait_closed(LONG));
}
