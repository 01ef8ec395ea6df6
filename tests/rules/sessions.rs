//! What two ends remember of each other: rules 9, 10, 11, 21 and 22 with acknowledgements.

use redial::inbox::{Gap, Header, Inbound};
use redial::outbox::Limits;
use redial::session::{Fresh, OnFresh, ServerId, SessionId};
use redial::{Action, Cause, Command, Event, Outcome, Phase, Resumption, SendOptions, Welcome};

use crate::common::{Driver, acked, has, ms, secs, welcome, with_session};

pub(crate) fn reporting() -> redial::Config {
    with_session(Limits::default(), OnFresh::Report)
}

pub(crate) fn intent(driver: &mut Driver, text: &str) -> redial::IntentId {
    let declared = driver.link.declare(driver.now, text.into());
    driver.act();
    declared.expect("there is room")
}

#[test]
fn rule_09_what_was_sent_and_not_acknowledged_is_replayed_in_order() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    for text in ["a", "b", "c"] {
        driver.send(text, acked());
    }
    driver.acknowledge(epoch, 1);
    assert_eq!(driver.outcomes(), [(1, Outcome::Acked)]);
    let epoch = driver.resume(epoch, 1);
    assert_eq!(driver.written(), ["a", "b", "c", "b", "c"]);
    assert_eq!(
        driver.outcomes().len(),
        1,
        "nothing is told before it is known"
    );
    driver.acknowledge(epoch, 3);
    assert_eq!(
        driver.outcomes()[1..],
        [(2, Outcome::Acked), (3, Outcome::Acked)]
    );
}

#[test]
fn rule_10_what_the_peer_has_is_not_replayed_and_keeps_its_sequence() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    for text in ["a", "b", "c"] {
        driver.send(text, acked());
    }
    driver.room = 0;
    let epoch = driver.resume(epoch, 2);
    assert_eq!(
        driver.outcomes(),
        [(1, Outcome::Acked), (2, Outcome::Acked)],
        "the handshake acknowledges"
    );
    let next = driver.link.peek(driver.now, epoch).expect("c");
    assert_eq!(
        (next.sequence, next.tries, next.resent),
        (Some(3), 1, false)
    );
    assert_eq!(next.payload, b"c");
}

#[test]
fn rule_10_a_failed_resume_reports_or_resends_what_nobody_knows() {
    for on_fresh in [OnFresh::Report, OnFresh::Resend] {
        let (mut driver, epoch) = Driver::in_session(with_session(Limits::default(), on_fresh));
        driver.send("sent", acked());
        driver.room = 0;
        driver.send("queued", acked());
        driver.close(epoch, Cause::Lost);
        let epoch = driver.dialled();
        let (hello, told) = driver.meet(epoch, &welcome(false, 0));
        assert_eq!(
            (hello.session, hello.first),
            (Some(welcome(false, 0).session), 1)
        );
        let Some(Resumption::Fresh {
            reason: Fresh::Forgotten,
            unknown,
            resent,
            ..
        }) = told
        else {
            panic!("{told:?}");
        };
        let next = driver.link.peek(driver.now, epoch).expect("one is left");
        if on_fresh == OnFresh::Report {
            assert_eq!((unknown, resent), (1, 0));
            assert_eq!((next.sequence, next.resent), (Some(2), false));
            assert_eq!(driver.outcomes(), [(1, Outcome::Unknown)]);
            assert_eq!(driver.fates[0].payload.as_deref(), Some(&b"sent"[..]));
        } else {
            assert_eq!((unknown, resent), (0, 1));
            assert_eq!((next.sequence, next.resent), (Some(1), true));
            assert_eq!(driver.outcomes(), []);
        }
    }
}

#[test]
fn rule_10_what_was_seen_is_dropped_and_what_is_missing_is_told() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    let now = driver.now;
    let mut receive = |epoch, place| driver.link.receive(now, epoch, Header::Sequence(place), 1);
    assert_eq!(receive(epoch, 1), Inbound::Deliver);
    assert_eq!(receive(epoch, 1), Inbound::Duplicate);
    assert_eq!(receive(epoch, 5), Inbound::Gap(Gap { from: 2, to: 4 }));
    assert_eq!(
        receive(epoch, 4),
        Inbound::Duplicate,
        "it was told as missing"
    );
    assert_eq!(receive(epoch, 0), Inbound::Stale);
    driver.close(epoch, Cause::Lost);
    let late = driver.link.receive(now, epoch, Header::Sequence(6), 1);
    assert_eq!(late, Inbound::Stale);
    let epoch = driver.dialled();
    let answer = Welcome {
        first: 9,
        ..welcome(true, 0)
    };
    let (hello, told) = driver.meet(epoch, &answer);
    assert_eq!(hello.last_seen, 5);
    let Some(Resumption::Resumed { missed, .. }) = told else {
        panic!("{told:?}");
    };
    assert_eq!(missed, Some(Gap { from: 6, to: 8 }));
    assert_eq!(driver.link.stats().missed, 6);
}

#[test]
fn rule_10_what_was_received_is_acknowledged_on_time() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    let ack = |sequence| Action::SendAck {
        epoch,
        sequence,
        intents: 0,
    };
    let header = Header::Sequence;
    let _ = driver.link.receive(driver.now, epoch, header(1), 1);
    let _ = driver.link.receive(driver.now, epoch, header(2), 1);
    assert!(!has(&driver.act(), |a| *a == ack(2)), "not at once");
    assert!(!has(&driver.pass(ms(49)), |a| *a == ack(2)));
    assert!(has(&driver.pass(ms(1)), |a| *a == ack(2)), "after 50 ms");
    for place in 3..=34 {
        assert!(driver.act().is_empty());
        let _ = driver.link.receive(driver.now, epoch, header(place), 1);
    }
    assert!(has(&driver.act(), |a| *a == ack(34)), "after 32 messages");
    let _ = driver.link.receive(driver.now, epoch, header(35), 64 << 10);
    assert!(has(&driver.act(), |a| *a == ack(35)), "after 64 KiB");
    let _ = driver.link.receive(driver.now, epoch, header(36), 1);
    let closing = driver.command(Command::Disconnect);
    let said: Vec<&Action> = closing
        .iter()
        .filter(|a| matches!(a, Action::SendAck { .. } | Action::Close(_)))
        .collect();
    assert_eq!(said, [&ack(36), &Action::Close(epoch)], "the last word");
}

#[test]
fn rule_11_a_replay_goes_before_what_is_queued_and_what_is_new() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    driver.send("A", acked());
    driver.send("once", SendOptions::new());
    driver.send("B", acked());
    driver.room = 0;
    driver.send("queued", acked());
    driver.close(epoch, Cause::Lost);
    driver.send("new", SendOptions::new());
    let epoch = driver.dialled();
    driver.room = 2;
    driver.meet(epoch, &welcome(true, 0));
    driver.room = 9;
    driver.send("newest", acked());
    assert_eq!(driver.written()[3..], ["A", "B", "queued", "new", "newest"]);
}

#[test]
fn rule_21_a_resume_is_told_with_the_run_of_the_server() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    let told = driver.link.status().resumption;
    let first = Resumption::Fresh {
        reason: Fresh::First,
        server: Some(welcome(false, 0).server),
        restarted: false,
        unknown: 0,
        resent: 0,
    };
    assert_eq!(told, Some(first));
    driver.close(epoch, Cause::Lost);
    let epoch = driver.dialled();
    let server = ServerId::new([2; 16]);
    let other = Welcome {
        server,
        ..welcome(true, 0)
    };
    let (_, told) = driver.meet(epoch, &other);
    let resumed = Resumption::Resumed {
        server,
        restarted: true,
        missed: None,
        forgotten: None,
    };
    assert_eq!(told, Some(resumed));
    assert_eq!(driver.link.phase(), Phase::Connected);
}

#[test]
fn rule_21_a_peer_without_sessions_is_told_as_such() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    driver.send("sent", acked());
    driver.close(epoch, Cause::Lost);
    let epoch = driver.dialled();
    driver.tell(Event::Opened(epoch));
    driver.tell(Event::Ready(epoch));
    let told = driver.link.status().resumption;
    assert!(
        matches!(
            told,
            Some(Resumption::Fresh {
                reason: Fresh::Sessionless,
                unknown: 1,
                ..
            })
        ),
        "{told:?}"
    );
    assert_eq!(driver.outcomes(), [(1, Outcome::Unknown)]);
}

#[test]
fn rule_21_a_resume_that_keeps_failing_leads_to_a_fresh_session() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    driver.close(epoch, Cause::Lost);
    let session = Some(welcome(false, 0).session);
    for round in 0..4 {
        let epoch = driver.dialled();
        driver.tell(Event::Opened(epoch));
        let hello = driver.link.hello(epoch).expect("a hello is due");
        assert_eq!(
            hello.session,
            session.filter(|_| round < 3),
            "round {round}"
        );
        if round < 3 {
            driver.close(epoch, Cause::Close(1011));
        } else {
            let told = driver.link.welcome(driver.now, epoch, &welcome(false, 0));
            assert!(
                matches!(
                    told,
                    Some(Resumption::Fresh {
                        reason: Fresh::GaveUp,
                        ..
                    })
                ),
                "{told:?}"
            );
        }
    }
}

#[test]
fn rule_21_connections_that_are_merely_cut_hardly_count() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    driver.close(epoch, Cause::Lost);
    let mut rounds = 0;
    loop {
        let epoch = driver.dialled();
        driver.tell(Event::Opened(epoch));
        let hello = driver.link.hello(epoch).expect("a hello is due");
        if hello.session.is_none() {
            break;
        }
        rounds += 1;
        let busy = [Cause::Lost, Cause::ReadyTimeout, Cause::Close(1012)];
        driver.close(epoch, busy[rounds % 3]);
    }
    assert_eq!(rounds, 3 * 64);
}

#[test]
fn rule_21_an_answer_that_cannot_be_ends_the_connection_and_the_session() {
    let lies = [
        welcome(true, 2),
        welcome(true, u64::MAX),
        Welcome {
            session: SessionId::new([9; 16]),
            ..welcome(true, 0)
        },
    ];
    for lie in lies {
        let (mut driver, epoch) = Driver::in_session(reporting());
        driver.send("sent", acked());
        driver.close(epoch, Cause::Lost);
        let epoch = driver.dialled();
        driver.tell(Event::Opened(epoch));
        driver.link.hello(epoch).expect("a hello is due");
        assert_eq!(
            driver.link.welcome(driver.now, epoch, &lie),
            None,
            "{lie:?}"
        );
        assert!(has(&driver.act(), |a| *a == Action::Abort(epoch)));
        assert_eq!(driver.outcomes(), [], "nothing is believed");
        let epoch = driver.dialled();
        let (hello, told) = driver.meet(epoch, &welcome(false, 0));
        assert_eq!(hello.session, None);
        assert!(
            matches!(
                told,
                Some(Resumption::Fresh {
                    reason: Fresh::Mismatch,
                    unknown: 1,
                    ..
                })
            ),
            "{told:?}"
        );
    }
    // Resumed without having asked.
    let mut driver = Driver::new(reporting(), 1);
    let epoch = driver.start();
    driver.tell(Event::Opened(epoch));
    driver.link.hello(epoch).expect("a hello is due");
    let told = driver.link.welcome(driver.now, epoch, &welcome(true, 0));
    assert_eq!(told, None);
}

#[test]
fn rule_22_intents_are_written_again_in_a_fresh_session_and_not_in_a_resumed_one() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    intent(&mut driver, "first");
    let gone = intent(&mut driver, "gone");
    intent(&mut driver, "last");
    assert_eq!(driver.written(), ["first", "gone", "last"]);
    driver.link.withdraw(gone);
    driver.close(epoch, Cause::Lost);
    driver.send("message", acked());
    let epoch = driver.dialled();
    let seen = Welcome {
        intents: 3,
        ..welcome(true, 0)
    };
    driver.meet(epoch, &seen);
    assert_eq!(driver.written()[3..], ["message"], "none on resumed");
    driver.close(epoch, Cause::Lost);
    let epoch = driver.dialled();
    let unseen = Welcome {
        intents: 1,
        ..welcome(true, 1)
    };
    driver.meet(epoch, &unseen);
    assert_eq!(driver.written()[4..], ["last"], "only what was not seen");
    driver.close(epoch, Cause::Lost);
    driver.send("another", acked());
    let epoch = driver.dialled();
    driver.meet(epoch, &welcome(false, 0));
    assert_eq!(
        driver.written()[5..],
        ["first", "last", "another"],
        "all on fresh, in order, before messages"
    );
}

#[test]
fn rule_22_what_was_not_written_behind_an_intent_is_queued_again() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    driver.flushes = false;
    driver.send("before", SendOptions::new());
    let watch = intent(&mut driver, "watch");
    driver.send("behind", SendOptions::new());
    assert_eq!(driver.written(), ["before", "watch", "behind"]);
    let name = driver.link.peek(driver.now, epoch).map(|next| next.id);
    assert_eq!(name, None, "all is in flight");
    let writing = redial::MessageId::from_number(watch.number() | 1 << 63);
    assert_eq!(writing.intent(), Some(watch));
    driver.link.take_back(epoch, writing);
    driver.close(epoch, Cause::Lost);
    assert_eq!(driver.outcomes(), [(1, Outcome::Unknown)]);
    let epoch = driver.dialled();
    driver.meet(epoch, &welcome(true, 0));
    assert_eq!(driver.written()[3..], ["watch", "behind"]);
}

#[test]
fn rule_22_a_refused_intent_is_tried_again_by_a_schedule_of_its_own() {
    let (mut driver, epoch) = Driver::in_session(reporting());
    intent(&mut driver, "refused");
    intent(&mut driver, "fine");
    assert!(driver.link.refuse_intent(driver.now, epoch, 1));
    assert!(!driver.link.refuse_intent(driver.now, epoch, 1), "once");
    assert!(!driver.link.refuse_intent(driver.now, epoch, 0));
    assert!(!driver.link.refuse_intent(driver.now, epoch, 9));
    assert_eq!(driver.link.phase(), Phase::Connected);
    driver.send("message", SendOptions::new());
    assert_eq!(driver.written(), ["refused", "fine", "message"]);
    driver.pass(secs(25));
    assert_eq!(driver.written()[3..], ["refused"], "once, within the cap");
    assert!(
        driver.link.refuse_intent(driver.now, epoch, 3),
        "a new number"
    );
}
