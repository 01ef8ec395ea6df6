//! The default table, row by row, and what overrides do to it.

use std::time::Duration;

use proptest::prelude::*;
use redial::backoff::Contention;
use redial::cause::{
    Category, Cause, Outcome, Pattern, ProtocolError, SocketError, Verdict, Verdicts,
};

use super::all;

fn by_default(cause: Cause) -> Verdict {
    Verdicts::default().of(cause)
}

const fn between(verdict: Verdict, min: u64, max: u64) -> Verdict {
    verdict.between(Duration::from_secs(min), Duration::from_secs(max))
}

#[test]
fn rule_18_close_codes_follow_the_table() {
    let retry = Verdict::retry();
    let rows = [
        (&[1000][..], Verdict::stop()),
        (&[1001], retry),
        (&[1002, 1003, 1007, 1010], retry.at_most(1)),
        (&[1005, 1006], retry),
        (&[1008], Verdict::refresh_if_able()),
        (&[1009], Verdict::too_big()),
        (&[1011], between(retry, 5, 10)),
        (&[1012], between(Verdict::busy(), 5, 30)),
        (&[1013], between(Verdict::busy(), 30, 60)),
        (&[1014], Verdict::busy()),
        (&[1015], retry.at_most(3)),
        (&[3000, 3003, 3008, 3499, 3500, 3999], retry),
        (&[4000, 4004, 4400, 4402, 4403, 4429, 4500, 4999], retry),
        (&[4401], Verdict::refresh()),
        (&[1004, 1016, 1999, 2000, 2999], retry),
        (&[0, 1, 999, 5000, u16::MAX], retry.at_most(1)),
    ];
    for (codes, verdict) in rows {
        for &code in codes {
            assert_eq!(by_default(Cause::Close(code)), verdict, "close {code}");
        }
    }
    assert_eq!(by_default(Cause::Lost), retry);
}

#[test]
fn rule_18_http_statuses_follow_the_table() {
    let retry = Verdict::retry();
    let rows = [
        (&[401, 407][..], Verdict::refresh()),
        (&[408, 425], retry),
        (&[429, 503], Verdict::busy()),
        (&[500, 502, 504], retry),
        (&[501, 505, 520, 599], retry),
        (&[403, 404, 410, 426], Verdict::fail()),
        (
            &[400, 402, 405, 409, 411, 418, 422, 451, 499],
            Verdict::fail(),
        ),
        (&[300, 301, 302, 307, 308, 399], Verdict::fail()),
        (&[100, 101, 103, 200, 204, 299], retry.at_most(1)),
        (&[0, 99, 600, u16::MAX], retry.at_most(1)),
    ];
    for (statuses, verdict) in rows {
        for &status in statuses {
            assert_eq!(by_default(Cause::Http(status)), verdict, "HTTP {status}");
        }
    }
    assert_eq!(by_default(Cause::NotWebSocket), retry.at_most(1));
}

#[test]
fn rule_18_every_other_cause_follows_the_table() {
    let retry = Verdict::retry();
    let rows = [
        (
            &[
                Cause::Socket(SocketError::Refused),
                Cause::Socket(SocketError::Unreachable),
                Cause::Socket(SocketError::Reset),
                Cause::Socket(SocketError::TimedOut),
                Cause::Socket(SocketError::NameNotFound),
                Cause::Socket(SocketError::Other),
                Cause::Credentials,
                Cause::ConnectTimeout,
                Cause::PongTimeout,
                Cause::CloseTimeout,
                Cause::Preflight,
                Cause::NetworkChanged,
                Cause::Local(0),
                Cause::Local(u16::MAX),
            ][..],
            retry,
        ),
        (&[Cause::Socket(SocketError::Tls)], retry.at_most(3)),
        (
            &[Cause::Socket(SocketError::PermissionDenied)],
            Verdict::fail(),
        ),
        (
            &[Cause::HandshakeTimeout, Cause::ReadyTimeout],
            Verdict::silent(),
        ),
        (
            &[
                Cause::Protocol(ProtocolError::Frame),
                Cause::Protocol(ProtocolError::Utf8),
                Cause::Protocol(ProtocolError::TooBig),
            ],
            retry.at_most(1),
        ),
        (&[Cause::Requested, Cause::DrainTimeout], Verdict::stop()),
        (&[Cause::Protocol(ProtocolError::Version)], Verdict::fail()),
        (&[Cause::AttemptsSpent, Cause::TimeSpent], Verdict::fail()),
    ];
    for (causes, verdict) in rows {
        for &cause in causes {
            assert_eq!(by_default(cause), verdict, "{cause:?}");
        }
    }
}

#[test]
fn rule_18_the_table_is_total() {
    let verdicts = Verdicts::new();
    let mut finals = 0;
    for cause in all() {
        let verdict = verdicts.of(cause);
        finals += usize::from(verdict.is_final());
        if let Some((least, greatest)) = verdict.spread() {
            assert!(least <= greatest && !verdict.is_final(), "{cause:?}");
        }
    }
    // 3xx and 4xx but 401, 407, 408, 425 and 429; close 1000; six of the plain ones.
    assert_eq!(finals, 200 - 5 + 1 + 6);
}

#[test]
fn verdicts_say_what_they_were_built_with() {
    let plain = Verdict::retry();
    assert_eq!(plain.outcome(), Outcome::Retry);
    assert_eq!(plain.contention(), Contention::Down);
    assert_eq!((plain.spread(), plain.retries()), (None, None));
    assert_eq!(Verdict::busy().contention(), Contention::Busy);
    assert_eq!(Verdict::silent().contention(), Contention::Silent);
    assert_eq!(Verdict::silent().outcome(), Outcome::Retry);
    assert_eq!(Verdict::too_big().outcome(), Outcome::TooBig);
    assert_eq!(Verdict::refresh().outcome(), Outcome::Refresh);
    assert_eq!(Verdict::refresh_if_able().outcome(), Outcome::RefreshIfAble);

    assert!(Verdict::fail().is_final() && Verdict::stop().is_final());
    assert_eq!(Verdict::fail().outcome(), Outcome::Fail);
    assert_eq!(Verdict::stop().outcome(), Outcome::Stop);
    assert!(plain.at_most(0).is_final());
    assert!(!plain.at_most(1).is_final());
    assert_eq!(plain.at_most(9).retries(), Some(9));
    let kept = Verdict::busy().between(Duration::ZERO, Duration::from_millis(1));
    assert_eq!(kept.contention(), Contention::Busy);
}

#[test]
fn spreads_saturate_and_are_ordered() {
    let millis = Duration::from_millis;
    let spread = |min, max| Verdict::retry().between(min, max).spread();
    assert_eq!(spread(millis(5), millis(9)), Some((millis(5), millis(9))));
    assert_eq!(spread(millis(9), millis(5)), Some((millis(9), millis(9))));
    assert_eq!(
        spread(Duration::ZERO, millis(1)),
        Some((Duration::ZERO, millis(1)))
    );
    assert_eq!(spread(Duration::ZERO, Duration::ZERO), None);
    let limit = millis(u64::from(u32::MAX));
    assert_eq!(spread(Duration::MAX, Duration::MAX), Some((limit, limit)));
    let undone = Verdict::retry().between(limit, limit);
    assert_eq!(
        undone.between(Duration::ZERO, Duration::ZERO),
        Verdict::retry()
    );
}

#[test]
fn the_last_matching_override_wins() {
    let verdicts = Verdicts::new()
        .with(Pattern::Any, Verdict::fail())
        .and_then(|v| v.with(Pattern::Closes(4000, 4099), Verdict::stop()))
        .and_then(|v| v.with(Pattern::Exactly(Cause::Close(4001)), Verdict::busy()))
        .and_then(|v| v.with(Pattern::Statuses(500, 599), Verdict::silent()))
        .and_then(|v| v.with(Pattern::Category(Category::NetworkError), Verdict::retry()))
        .unwrap();
    let expected = [
        (Cause::Close(4001), Verdict::busy()),
        (Cause::Close(4000), Verdict::stop()),
        (Cause::Close(4099), Verdict::stop()),
        (Cause::Close(3999), Verdict::fail()),
        (Cause::Close(4100), Verdict::fail()),
        (Cause::Http(4000), Verdict::fail()),
        (Cause::Http(499), Verdict::fail()),
        (Cause::Http(500), Verdict::silent()),
        (Cause::Http(599), Verdict::silent()),
        (Cause::Close(500), Verdict::fail()),
        (Cause::Lost, Verdict::retry()),
        (Cause::Close(1006), Verdict::retry()),
        (Cause::Requested, Verdict::fail()),
    ];
    for (cause, verdict) in expected {
        assert_eq!(verdicts.of(cause), verdict, "{cause:?}");
    }
    let over = verdicts.with(Pattern::Any, Verdict::stop()).unwrap();
    assert!(all().all(|cause| over.of(cause) == Verdict::stop()));
}

#[test]
fn overrides_are_bounded_and_a_repeated_pattern_takes_no_room() {
    let mut verdicts = Verdicts::new();
    for code in 0..64 {
        let pattern = Pattern::Exactly(Cause::Local(code));
        verdicts = verdicts.with(pattern, Verdict::fail()).unwrap();
    }
    let again = Pattern::Exactly(Cause::Local(0));
    verdicts = verdicts.with(again, Verdict::stop()).unwrap();
    assert_eq!(verdicts.of(Cause::Local(0)), Verdict::stop());
    assert_eq!(verdicts.of(Cause::Local(63)), Verdict::fail());
    let error = verdicts.with(Pattern::Any, Verdict::fail()).unwrap_err();
    assert!(error.to_string().contains("64"), "{error}");
}

proptest! {
    #[test]
    fn an_override_changes_what_it_matches_and_nothing_else(
        first: u16, last: u16, code: u16, http: bool,
    ) {
        let pattern = if http {
            Pattern::Statuses(first, last)
        } else {
            Pattern::Closes(first, last)
        };
        let marker = Verdict::refresh().at_most(77);
        let verdicts = Verdicts::new().with(pattern, marker).unwrap();
        for cause in [Cause::Close(code), Cause::Http(code), Cause::Local(code)] {
            let kind = match cause {
                Cause::Close(_) => !http,
                Cause::Http(_) => http,
                _ => false,
            };
            let inside = kind && first <= code && code <= last;
            let expected = if inside { marker } else { by_default(cause) };
            prop_assert_eq!(verdicts.of(cause), expected);
        }
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_table_is_data_and_its_bound_holds_when_read() {
    let verdicts = Verdicts::new()
        .with(Pattern::Closes(4000, 4099), between(Verdict::busy(), 1, 2))
        .unwrap();
    let text = serde_json::to_string(&verdicts).unwrap();
    assert_eq!(serde_json::from_str::<Verdicts>(&text).unwrap(), verdicts);

    let many: Vec<_> = (0..65)
        .map(|n| (Pattern::Exactly(Cause::Local(n)), Verdict::fail()))
        .collect();
    let text = serde_json::to_string(&many).unwrap();
    let error = serde_json::from_str::<Verdicts>(&text).unwrap_err();
    assert!(error.to_string().contains("64"), "{error}");
}
