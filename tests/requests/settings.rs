//! Settings: each rule with its message, and data in and out.

use redial::backoff::{Backoff, Ratio};
use redial::requests::{Requests, Settings, SettingsError};

use crate::{secs, with};

#[track_caller]
fn refused(settings: Settings, error: SettingsError, text: &str) {
    assert_eq!(settings.check(), Err(error));
    assert_eq!(Requests::<&str>::new(settings).map(|_| ()), Err(error));
    assert_eq!(error.to_string(), text);
}

#[test]
fn the_defaults_are_the_documented_ones_and_hold() {
    let settings = Settings::default();
    assert_eq!(settings.check(), Ok(()));
    assert_eq!(settings.timeout, secs(10));
    assert_eq!(settings.factor, Ratio::new(2, 1));
    assert_eq!(settings.cap, secs(60));
    assert_eq!(settings.total, None);
    assert_eq!(settings.max_attempts, 5);
    assert_eq!(settings.requests, 1_000);
    assert_eq!(settings.bytes, 4 << 20);
    assert_eq!(Requests::<&str>::default().settings(), &settings);
}

#[test]
fn nothing_may_be_zero() {
    let zero = |setting| SettingsError::Zero { setting };
    let cases = [
        ("timeout", with(|s| s.timeout = secs(0))),
        ("cap", with(|s| s.cap = secs(0))),
        ("total", with(|s| s.total = Some(secs(0)))),
        ("max_attempts", with(|s| s.max_attempts = 0)),
        ("requests", with(|s| s.requests = 0)),
        ("bytes", with(|s| s.bytes = 0)),
    ];
    for (setting, settings) in cases {
        let text = format!("{setting} must not be zero");
        refused(settings, zero(setting), &text);
    }
}

#[test]
fn nothing_may_be_longer_than_a_year() {
    let given = Backoff::LONGEST + secs(1);
    let cases = [
        ("timeout", with(|s| s.timeout = given)),
        ("cap", with(|s| s.cap = given)),
        ("total", with(|s| s.total = Some(given))),
    ];
    for (setting, settings) in cases {
        let text = format!("{setting} (31622401s) must not be above 366 days");
        refused(settings, SettingsError::TooLong { setting, given }, &text);
    }
}

#[test]
fn timeouts_don_t_shrink() {
    refused(
        with(|s| s.cap = secs(9)),
        SettingsError::CapBelowTimeout {
            cap: secs(9),
            timeout: secs(10),
        },
        "cap (9s) must not be below timeout (10s)",
    );
    for (factor, text) in [
        (Ratio::new(1, 2), "factor (1/2) must not be below one"),
        (Ratio::new(1, 0), "factor (1/0) must not be below one"),
    ] {
        let error = SettingsError::FactorBelowOne { factor };
        refused(with(|s| s.factor = factor), error, text);
    }
}

#[cfg(feature = "serde")]
#[test]
fn settings_are_data() {
    let some = with(|s| s.total = Some(secs(90)));
    let text = serde_json::to_string(&some).expect("data");
    assert_eq!(serde_json::from_str::<Settings>(&text).expect("data"), some);
    let few: Settings = serde_json::from_str(r#"{"max_attempts": 2}"#).expect("the rest defaults");
    assert_eq!(few, with(|s| s.max_attempts = 2));
    let wrong = serde_json::from_str::<Settings>(r#"{"max_atempts": 2}"#);
    assert!(
        wrong
            .expect_err("a typo")
            .to_string()
            .contains("max_atempts")
    );
}
