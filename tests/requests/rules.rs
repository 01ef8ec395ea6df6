//! Each rule by itself.

use redial::Instant;
use redial::backoff::Ratio;
use redial::requests::{
    Answer, Event, Outcome, RefusedRequest, RefusedRequestReason, RequestId, RequestOptions,
    Requests,
};

use crate::{FRESH, RESUMED, ask, at, secs, send, up, with};

#[test]
fn a_request_waits_for_a_connection_and_is_sent_once() {
    let mut requests = Requests::default();
    let id = ask(&mut requests, 0, "a");
    assert!(requests.poll_send().is_none());
    assert!(!requests.sent(at(0), id), "nothing is up");
    requests.handle(at(1), FRESH);
    let asking = requests.poll_send().expect("it is to be sent");
    assert_eq!((asking.id, asking.attempt), (id, 1));
    assert_eq!((asking.resent, *asking.payload), (false, "a"));
    assert!(requests.sent(at(1), id));
    assert!(!requests.sent(at(1), id), "it is sent already");
    assert!(requests.poll_send().is_none());
    assert_eq!(requests.poll_timeout(), Some(at(11)));
}

#[test]
fn an_answer_settles_once() {
    let mut requests = up();
    let id = ask(&mut requests, 0, "a");
    send(&mut requests, 0);
    assert_eq!(requests.answer(at(1), id), Answer::Answered("a"));
    assert_eq!(requests.answer(at(1), id), Answer::Late);
    assert_eq!(requests.poll_timeout(), None);
    assert_eq!(requests.poll_outcome(), None, "it was told by the answer");
    let stats = requests.stats();
    assert_eq!((stats.answered, stats.late, stats.unknown), (1, 1, 0));
    assert_eq!((requests.pending(), requests.bytes()), (0, 0));
}

#[test]
fn an_answer_to_what_was_never_sent_settles_nothing() {
    let mut requests = up();
    let id = ask(&mut requests, 0, "a");
    for number in [0, 1, 2, u64::MAX] {
        let answer = requests.answer(at(0), RequestId::from_number(number));
        assert_eq!(answer, Answer::Unknown, "{number}");
    }
    assert_eq!(requests.stats().unknown, 4);
    assert_eq!(requests.get(id), Some(&"a"));
    assert_eq!(send(&mut requests, 0), [(1, 1)]);
}

#[test]
fn an_answer_counts_though_its_deadline_has_passed_unnoticed() {
    let mut requests = up();
    let id = ask(&mut requests, 0, "a");
    send(&mut requests, 0);
    assert_eq!(requests.answer(at(1_000), id), Answer::Answered("a"));
}

#[test]
fn a_late_answer_to_the_first_attempt_settles_the_second() {
    let mut requests = up();
    let id = ask(&mut requests, 0, "a");
    send(&mut requests, 0);
    requests.handle(at(10), Event::Tick);
    assert_eq!(requests.answer(at(10), id), Answer::Answered("a"));
    assert!(requests.poll_send().is_none(), "it is not asked again");
}

#[test]
fn timeouts_grow_up_to_the_cap_and_end() {
    let mut requests = up();
    let id = ask(&mut requests, 0, "a");
    let mut now = 0;
    for (attempt, timeout) in [(1, 10), (2, 20), (3, 40), (4, 60), (5, 60)] {
        assert_eq!(send(&mut requests, now), [(1, attempt)]);
        now += timeout;
        assert_eq!(requests.poll_timeout(), Some(at(now)));
        requests.handle(at(now), Event::Tick);
    }
    let settled = requests.poll_outcome().expect("its attempts are spent");
    assert_eq!((settled.id, settled.outcome), (id, Outcome::AttemptsSpent));
    assert_eq!((settled.sent, settled.payload), (true, "a"));
    assert_eq!(requests.poll_outcome(), None);
    assert_eq!(requests.answer(at(now), id), Answer::Late);
    assert_eq!(requests.stats().sent, 5);
}

#[test]
fn a_fraction_grows_too() {
    let mut requests = Requests::new(with(|s| s.factor = Ratio::new(3, 2))).expect("valid");
    requests.handle(at(0), FRESH);
    ask(&mut requests, 0, "a");
    send(&mut requests, 0);
    requests.handle(at(10), Event::Tick);
    send(&mut requests, 10);
    assert_eq!(requests.poll_timeout(), Some(at(25)));
}

#[test]
fn a_timed_out_attempt_is_asked_again_before_what_is_newer() {
    let mut requests = up();
    ask(&mut requests, 0, "a");
    send(&mut requests, 0);
    requests.handle(at(10), Event::Tick);
    ask(&mut requests, 10, "b");
    let asking = requests.poll_send().expect("the first one");
    assert!(asking.resent, "the peer may have it");
    assert_eq!(send(&mut requests, 10), [(1, 2), (2, 1)]);
}

#[test]
fn own_options_override_the_settings() {
    let mut requests = up();
    let options = RequestOptions::new().timeout(secs(100)).max_attempts(2);
    requests.ask(at(0), "slow", options).expect("room");
    send(&mut requests, 0);
    requests.handle(at(100), Event::Tick);
    assert_eq!(send(&mut requests, 100), [(1, 2)]);
    assert_eq!(
        requests.poll_timeout(),
        Some(at(200)),
        "above the cap it stays"
    );
    requests.handle(at(200), Event::Tick);
    let settled = requests.poll_outcome().expect("two attempts");
    assert_eq!(settled.outcome, Outcome::AttemptsSpent);

    let options = RequestOptions::new().total(secs(3)).max_attempts(0);
    requests.ask(at(200), "soon", options).expect("room");
    requests.handle(at(203), Event::Tick);
    let settled = requests.poll_outcome().expect("no time left");
    assert_eq!((settled.outcome, settled.sent), (Outcome::TimeSpent, false));
}

#[test]
fn an_outage_eats_no_attempt() {
    let mut requests = up();
    ask(&mut requests, 0, "a");
    send(&mut requests, 0);
    requests.handle(at(9), Event::Down);
    assert_eq!(requests.poll_timeout(), None);
    requests.handle(at(9_999), Event::Tick);
    assert!(requests.poll_send().is_none());
    requests.handle(at(10_000), FRESH);
    assert_eq!(send(&mut requests, 10_000), [(1, 1)], "the same attempt");
    assert_eq!(requests.poll_timeout(), Some(at(10_010)));
}

#[test]
fn the_total_deadline_goes_on_in_an_outage() {
    let mut requests = Requests::new(with(|s| s.total = Some(secs(15)))).expect("valid");
    requests.handle(at(0), FRESH);
    ask(&mut requests, 0, "a");
    send(&mut requests, 0);
    requests.handle(at(5), Event::Down);
    assert_eq!(requests.poll_timeout(), Some(at(15)));
    requests.handle(at(15), Event::Tick);
    let settled = requests.poll_outcome().expect("no time left");
    assert_eq!((settled.outcome, settled.sent), (Outcome::TimeSpent, true));
}

#[test]
fn a_fresh_session_is_asked_everything_oldest_first() {
    let mut requests = up();
    for text in ["a", "b", "c", "d"] {
        ask(&mut requests, 0, text);
    }
    send(&mut requests, 0);
    let _ = requests.answer(at(1), RequestId::from_number(2));
    requests.handle(at(2), Event::Down);
    ask(&mut requests, 2, "e");
    requests.handle(at(3), FRESH);
    assert_eq!(send(&mut requests, 3), [(1, 1), (3, 1), (4, 1), (5, 1)]);
}

#[test]
fn a_connection_that_follows_without_a_down_is_another_one() {
    let mut requests = up();
    ask(&mut requests, 0, "a");
    send(&mut requests, 0);
    requests.handle(at(5), FRESH);
    assert_eq!(requests.poll_timeout(), None);
    assert_eq!(send(&mut requests, 5), [(1, 1)]);
}

#[test]
fn a_resumed_session_replays_by_itself() {
    let mut requests = up();
    ask(&mut requests, 0, "a");
    send(&mut requests, 0);
    requests.handle(at(9), Event::Down);
    ask(&mut requests, 9, "b");
    requests.handle(at(100), RESUMED);
    assert_eq!(requests.poll_timeout(), Some(at(110)), "its deadline anew");
    assert_eq!(send(&mut requests, 101), [(2, 1)], "only what was not sent");
}

#[test]
fn a_close_settles_everything_with_its_payload() {
    let mut requests = up();
    ask(&mut requests, 0, "a");
    send(&mut requests, 0);
    ask(&mut requests, 0, "b");
    requests.handle(at(1), Event::Closed);
    assert_eq!((requests.pending(), requests.poll_timeout()), (0, None));
    for (number, sent, payload) in [(1, true, "a"), (2, false, "b")] {
        let settled = requests.poll_outcome().expect("closed");
        assert_eq!((settled.id.number(), settled.sent), (number, sent));
        assert_eq!(
            (settled.outcome, settled.payload),
            (Outcome::Closed, payload)
        );
    }
    assert_eq!((requests.poll_outcome(), requests.bytes()), (None, 0));

    let refused = requests.ask(at(1), "c", RequestOptions::new());
    let RefusedRequest { reason, payload } = refused.expect_err("nobody would answer");
    assert_eq!((reason, payload), (RefusedRequestReason::Closed, "c"));
    // The link was started again: numbers go on.
    requests.handle(at(2), Event::Down);
    assert_eq!(ask(&mut requests, 2, "c").number(), 3);
}

#[test]
fn a_cancelled_request_is_gone() {
    let mut requests = up();
    let (first, second) = (ask(&mut requests, 0, "a"), ask(&mut requests, 0, "b"));
    send(&mut requests, 0);
    assert_eq!(requests.cancel(first), Some("a"));
    assert_eq!(requests.cancel(first), None);
    assert_eq!(requests.answer(at(1), first), Answer::Late);
    assert_eq!(requests.cancel(second), Some("b"));
    assert_eq!((requests.poll_timeout(), requests.bytes()), (None, 0));
    assert_eq!(requests.poll_outcome(), None, "it was told by the cancel");
}

#[test]
fn room_is_bounded_and_outcomes_keep_theirs_until_taken() {
    let settings = with(|s| (s.requests, s.bytes) = (2, 5));
    let mut requests = Requests::new(settings).expect("valid");
    let refusal = |requests: &mut Requests<&'static str>, text| {
        let refused = requests.ask(at(0), text, RequestOptions::new());
        let refused = refused.expect_err("no room");
        assert_eq!(refused.payload, text);
        refused.reason
    };
    let large = RefusedRequestReason::TooLarge { size: 6, limit: 5 };
    assert_eq!(refusal(&mut requests, "sixsix"), large);
    ask(&mut requests, 0, "four");
    assert_eq!(refusal(&mut requests, "ab"), RefusedRequestReason::Full);
    ask(&mut requests, 0, "a");
    assert_eq!(refusal(&mut requests, ""), RefusedRequestReason::Full);
    requests.handle(at(0), Event::Closed);
    requests.handle(at(0), Event::Down);
    assert_eq!((requests.outcomes(), requests.bytes()), (2, 5));
    assert_eq!(refusal(&mut requests, ""), RefusedRequestReason::Full);
    assert!(requests.poll_outcome().is_some());
    assert_eq!(requests.bytes(), 1);
    ask(&mut requests, 0, "four");
}

#[test]
fn a_late_tick_settles_in_the_order_of_the_deadlines() {
    let mut requests = up();
    for seconds in [3, 1, 2, 1] {
        let options = RequestOptions::new().total(secs(seconds));
        requests.ask(at(0), "a", options).expect("room");
    }
    requests.handle(at(60), Event::Tick);
    let order: Vec<u64> = std::iter::from_fn(|| requests.poll_outcome())
        .map(|settled| settled.id.number())
        .collect();
    assert_eq!(order, [2, 4, 3, 1]);
}

#[test]
fn time_does_not_run_backward() {
    let mut requests = up();
    requests.handle(at(100), Event::Tick);
    requests.handle(at(5), Event::Tick);
    ask(&mut requests, 5, "a");
    send(&mut requests, 5);
    assert_eq!(requests.poll_timeout(), Some(at(110)));
}

#[test]
fn nothing_hangs_at_the_end_of_time() {
    let end = Instant::from_origin(std::time::Duration::MAX);
    let mut requests = Requests::new(with(|s| s.max_attempts = 1)).expect("valid");
    requests.handle(end, FRESH);
    let id = requests.ask(end, "a", RequestOptions::new()).expect("room");
    assert!(requests.sent(end, id));
    assert_eq!(requests.poll_timeout(), Some(end));
    requests.handle(end, Event::Tick);
    assert!(requests.poll_outcome().is_some());
}

#[test]
fn ten_thousand_pending_are_answered_in_any_order() {
    let mut requests = Requests::new(with(|s| s.requests = 10_000)).expect("valid");
    requests.handle(at(0), FRESH);
    for _ in 0..10_000 {
        ask(&mut requests, 0, "a");
    }
    assert_eq!(send(&mut requests, 0).len(), 10_000);
    // 7,919 is prime, so that this meets each number once.
    for number in (0..10_000).map(|n| n * 7_919 % 10_000 + 1) {
        let answer = requests.answer(at(1), RequestId::from_number(number));
        assert_eq!(answer, Answer::Answered("a"), "{number}");
    }
    assert_eq!((requests.pending(), requests.poll_timeout()), (0, None));
}
