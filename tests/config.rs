//! Configurations: each rule with its message, data in and out, the presets, and sizes.

use std::time::Duration;

use redial::backoff::{Backoff, Jitter, Ratio, Schedule};
use redial::config::{Builder, Dialling, HintLimit, Preflight, Quick};
use redial::heartbeat::Pulse;
use redial::outbox::{Limits, Overflow};
use redial::{Config, ConfigError};

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const ZERO: Duration = Duration::ZERO;

/// The error of a builder, and its text.
fn error(builder: Builder) -> (ConfigError, String) {
    let error = builder.build().expect_err("a broken rule");
    (error, error.to_string())
}

fn pulse(change: impl FnOnce(&mut Pulse)) -> Builder {
    let mut pulse = Pulse::default();
    change(&mut pulse);
    Config::builder().heartbeat(pulse)
}

fn limits(change: impl FnOnce(&mut Limits)) -> Builder {
    let mut limits = Limits::default();
    change(&mut limits);
    Config::builder().outbox(limits)
}

fn quick(change: impl FnOnce(&mut Quick)) -> Builder {
    let mut quick = Quick::default();
    change(&mut quick);
    Config::builder().quick(Some(quick))
}

fn hints(change: impl FnOnce(&mut HintLimit)) -> Builder {
    let mut hints = HintLimit::default();
    change(&mut hints);
    Config::builder().hints(hints)
}

fn preflight(change: impl FnOnce(&mut Preflight)) -> Builder {
    let mut preflight = Preflight::default();
    change(&mut preflight);
    Config::builder().preflight(Some(preflight))
}

/// Each duration, by name, as a builder with it.
fn durations(with: Duration) -> Vec<(&'static str, Builder)> {
    vec![
        ("connect_deadline", Config::builder().connect_deadline(with)),
        (
            "ready_deadline",
            Config::builder().ready_deadline(Some(with)),
        ),
        ("close_deadline", Config::builder().close_deadline(with)),
        ("heartbeat.interval", pulse(|p| p.interval = Some(with))),
        ("heartbeat.pong_deadline", pulse(|p| p.pong_deadline = with)),
        (
            "heartbeat.hidden_interval",
            pulse(|p| p.hidden_interval = Some(with)),
        ),
        ("max_elapsed", Config::builder().max_elapsed(Some(with))),
        ("stable_after", Config::builder().stable_after(with)),
        ("quick.cost", quick(|q| q.cost = with)),
        ("quick.refill", quick(|q| q.refill = with)),
        ("hints.refill", hints(|h| h.refill = with)),
        (
            "offline_recheck",
            Config::builder().offline_recheck(Some(with)),
        ),
        ("preflight.deadline", preflight(|p| p.deadline = with)),
        ("preflight.interval", preflight(|p| p.interval = with)),
        ("outbox.ttl", limits(|l| l.ttl = Some(with))),
        ("outbox.pace", limits(|l| l.pace = Some(with))),
        (
            "dialling.patience",
            Config::builder().dialling(Dialling::Permitted { patience: with }),
        ),
    ]
}

#[test]
fn no_deadline_or_interval_is_zero() {
    for (setting, builder) in durations(ZERO) {
        let (error, text) = error(builder);
        assert_eq!(error, ConfigError::ZeroDuration { setting });
        assert_eq!(text, format!("{setting} must not be zero"));
    }
}

#[test]
fn no_duration_is_above_366_days() {
    let given = Backoff::LONGEST + Duration::from_nanos(1);
    let more = [
        ("patience", Config::builder().patience(given)),
        ("hint_max", Config::builder().hint_max(given)),
        ("hints.spread", hints(|h| h.spread = given)),
        ("heartbeat.oversleep", pulse(|p| p.oversleep = given)),
        (
            "preflight.startup_wait",
            preflight(|p| p.startup_wait = given),
        ),
    ];
    for (setting, builder) in durations(given).into_iter().chain(more) {
        let (error, text) = error(builder);
        assert_eq!(error, ConfigError::TooLong { setting, given });
        assert_eq!(
            text,
            format!("{setting} ({given:?}) must not be above 366 days")
        );
    }
}

#[test]
fn no_count_is_zero() {
    let counts = [
        ("heartbeat.misses", pulse(|p| p.misses = 0)),
        ("heartbeat.extension", pulse(|p| p.extension = 0)),
        ("auth_limit", Config::builder().auth_limit(0)),
        ("quick.cap", quick(|q| q.cap = 0)),
        ("outbox.messages", limits(|l| l.messages = 0)),
        ("outbox.bytes", limits(|l| l.bytes = 0)),
        ("outbox.window", limits(|l| l.window = 0)),
        ("outbox.max_tries", limits(|l| l.max_tries = Some(0))),
    ];
    for (setting, builder) in counts {
        let (error, text) = error(builder);
        assert_eq!(error, ConfigError::Zero { setting });
        assert_eq!(text, format!("{setting} must not be zero"));
    }
}

#[test]
fn what_belongs_together_is_in_order() {
    let (patience, connect_deadline) = (secs(5), secs(10));
    let (found, text) = error(Config::builder().patience(patience));
    let expected = ConfigError::PatienceBelowDeadline {
        patience,
        connect_deadline,
    };
    assert_eq!(found, expected);
    assert_eq!(
        text,
        "patience (5s) must not be below connect_deadline (10s)"
    );
    let (hidden, interval) = (secs(19), secs(20));
    let (found, text) = error(pulse(|p| p.hidden_interval = Some(hidden)));
    assert_eq!(found, ConfigError::HiddenBelowInterval { hidden, interval });
    let expected = "heartbeat.hidden_interval (19s) must not be below heartbeat.interval (20s)";
    assert_eq!(text, expected);
}

#[test]
fn the_default_is_valid_and_as_documented() {
    let config = Config::builder().build().expect("the default is valid");
    assert_eq!(config, Config::default());
    assert_eq!(config, config.to_builder().build().expect("valid"));
    assert_eq!(config.connect_deadline(), secs(10));
    assert_eq!(config.stable_after(), secs(10));
    assert_eq!(config.detection(), Some((secs(30), secs(50))));
    assert_eq!(config.backoff().floor(), Duration::from_millis(20));
    assert_eq!(config.outbox().messages, 1000);
    assert_eq!(config.outbox().bytes, 16 << 20);
    assert_eq!(config.outbox().overflow, Overflow::DropOldest);
    let contended = match config.backoff().schedule() {
        Schedule::Stratified {
            first,
            cap,
            contended_cap,
            ..
        } => (*first, *cap, *contended_cap),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        contended,
        (Duration::from_millis(500), secs(20), secs(1200))
    );
}

#[test]
fn without_a_heartbeat_there_is_no_detection() {
    let config = pulse(|p| {
        p.interval = None;
        p.hidden_interval = None;
    });
    assert_eq!(config.build().expect("valid").detection(), None);
}

#[test]
fn more_time_never_means_fewer_dials() {
    for config in [
        Config::default(),
        Config::terminal().build().expect("valid"),
    ] {
        let mut last = 0;
        for seconds in [0, 1, 20, 60, 600, 3600, 86_400] {
            let most = config.max_dials(secs(seconds));
            assert!(most >= last, "{seconds} s: {most} below {last}");
            last = most;
        }
    }
}

/// One row for each seed document: retries, base, factor, cap, jitter, ping, misses, queue.
#[test]
fn the_presets_are_the_configurations_of_their_clients() {
    let second = secs(1);
    let around = Jitter::Additive {
        below: second,
        above: second,
    };
    let above = Jitter::Additive {
        below: ZERO,
        above: second,
    };
    let rows = [
        (
            "terminal",
            Config::terminal(),
            10,
            (2, 1),
            30,
            Jitter::Equal,
            (60, 1),
            1000,
        ),
        (
            "quality",
            Config::quality(),
            5,
            (2, 1),
            30,
            around,
            (60, 3),
            1000,
        ),
        (
            "messaging",
            Config::messaging(),
            10,
            (3, 2),
            60,
            Jitter::Equal,
            (40, 1),
            100,
        ),
        (
            "manager",
            Config::manager(),
            5,
            (2, 1),
            30,
            above,
            (40, 1),
            1000,
        ),
        (
            "board",
            Config::board(),
            20,
            (2, 1),
            30,
            Jitter::Equal,
            (25, 1),
            1000,
        ),
    ];
    for (name, builder, retries, (numerator, denominator), cap, jitter, beat, queue) in rows {
        let config = builder.clone().build().expect("valid");
        assert_eq!(
            builder.clone().max_retries(Some(retries)),
            builder,
            "{name}: retries"
        );
        let schedule = Schedule::Exponential {
            base: second,
            factor: Ratio::new(numerator, denominator),
            cap: secs(cap),
        };
        assert_eq!(config.backoff().schedule(), &schedule, "{name}: schedule");
        assert_eq!(config.backoff().jitter(), jitter, "{name}: jitter");
        let (detection, misses) = beat;
        assert_eq!(
            config.detection().map(|d| d.0),
            Some(secs(detection)),
            "{name}: detection"
        );
        assert_eq!(config.heartbeat().misses, misses, "{name}: misses");
        assert_eq!(config.heartbeat().pong_deadline, secs(10), "{name}: pong");
        assert_eq!(config.outbox().messages, queue, "{name}: queue");
    }
    let probed = Config::terminal().preflight(Some(Preflight::default()));
    assert_eq!(probed, Config::terminal(), "terminal: a readiness check");
    assert_eq!(Preflight::default().startup_wait, secs(30));
}

#[test]
fn what_many_links_store_stays_small() {
    assert!(
        size_of::<redial::State>() <= 256,
        "{}",
        size_of::<redial::State>()
    );
    assert!(
        size_of::<redial::Event>() <= 48,
        "{}",
        size_of::<redial::Event>()
    );
    assert!(
        size_of::<redial::Action>() <= 32,
        "{}",
        size_of::<redial::Action>()
    );
    assert!(size_of::<redial::heartbeat::Heartbeat>() <= 40);
    assert!(size_of::<redial::backoff::Cursor>() <= 16);
    assert_eq!(size_of::<redial::Instant>(), 8);
    assert_eq!(size_of::<Option<redial::Epoch>>(), 8);
    assert_eq!(size_of::<redial::MessageId>(), 8);
    assert_eq!(size_of::<redial::Cause>(), 4);
    assert_eq!(size_of::<redial::Phase>(), 1);
    assert_eq!(size_of::<redial::rng::Draws>(), 16);
}

#[cfg(feature = "serde")]
mod data {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_configuration_goes_out_and_comes_back() {
        let all = [
            Config::default(),
            Config::terminal().build().expect("valid"),
            Config::quality().build().expect("valid"),
            Config::messaging().build().expect("valid"),
            Config::manager().build().expect("valid"),
            Config::board().build().expect("valid"),
            Config::builder()
                .dialling(Dialling::Permitted { patience: secs(3) })
                .quick(None)
                .offline_recheck(None)
                .build()
                .expect("valid"),
        ];
        for config in all {
            let text = serde_json::to_string(&config).expect("data");
            assert_eq!(parse(&text), Ok(config), "{text}");
        }
    }

    #[test]
    fn what_is_left_out_is_the_default() {
        assert_eq!(parse("{}"), Ok(Config::default()));
        let config = parse(r#"{"heartbeat": {"misses": 3}}"#).expect("valid");
        assert_eq!(config.heartbeat().misses, 3);
        assert_eq!(config.heartbeat().interval, Some(secs(20)));
    }

    #[test]
    fn broken_data_is_refused_with_the_rule_it_breaks() {
        let broken = [
            (
                r#"{"connect_deadline": {"secs": 0, "nanos": 0}}"#,
                "connect_deadline must not be zero",
            ),
            (
                r#"{"heartbeat": {"misses": 0}}"#,
                "heartbeat.misses must not be zero",
            ),
            (
                r#"{"patience": {"secs": 1, "nanos": 0}}"#,
                "patience (1s) must not be below",
            ),
            (
                r#"{"hint_max": {"secs": 99999999, "nanos": 0}}"#,
                "must not be above 366 days",
            ),
            (r#"{"pong_deadline": 3}"#, "unknown field `pong_deadline`"),
            (r#"{"outbox": {"mesages": 3}}"#, "unknown field `mesages`"),
        ];
        for (text, expected) in broken {
            let error = parse(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
        let mut zero = serde_json::to_value(Config::default()).expect("data");
        zero["backoff"]["floor"] = serde_json::json!({"secs": 0, "nanos": 0});
        let error = serde_json::from_value::<Config>(zero).expect_err("a floor of zero");
        assert!(error.to_string().contains("floor"), "{error}");
    }
}
