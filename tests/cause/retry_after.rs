//! The header `Retry-After`, both forms, and what is not one.

use std::time::Duration;

use proptest::prelude::*;
use redial::cause::RetryAfter;

/// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
const EXAMPLE: u64 = 784_111_777;

fn after(text: &str, unix_now: u64) -> Option<u64> {
    let parsed = RetryAfter::parse_header(text.as_bytes(), Some(Duration::from_secs(unix_now)));
    parsed.map(|hint| {
        assert_eq!(hint.resolution, Duration::from_secs(1));
        assert_eq!(hint.delay.subsec_nanos(), 0);
        hint.delay.as_secs()
    })
}

#[test]
fn seconds_of_any_length() {
    for now in [None, Some(Duration::from_secs(EXAMPLE))] {
        let parse = |text: &str| RetryAfter::parse_header(text.as_bytes(), now);
        assert_eq!(parse("0"), Some(RetryAfter::seconds(0)));
        assert_eq!(parse("120"), Some(RetryAfter::seconds(120)));
        assert_eq!(parse("  7\t"), Some(RetryAfter::seconds(7)));
        assert_eq!(
            parse("0000000000000000000000000012"),
            Some(RetryAfter::seconds(12))
        );
        assert_eq!(
            parse("18446744073709551615"),
            Some(RetryAfter::seconds(u64::MAX))
        );
        assert_eq!(
            parse("18446744073709551616"),
            Some(RetryAfter::seconds(u64::MAX))
        );
        assert_eq!(
            parse(&"9".repeat(5000)),
            Some(RetryAfter::seconds(u64::MAX))
        );
    }
}

#[test]
fn three_formats_of_a_date() {
    let formats = [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " sun, 6 nov 1994 08:49:37 gmt ",
        "Sun Nov 06 08:49:37 1994",
    ];
    for text in formats {
        assert_eq!(after(text, EXAMPLE), Some(0), "{text}");
        assert_eq!(after(text, EXAMPLE - 90), Some(90), "{text}");
        assert_eq!(after(text, EXAMPLE + 1), Some(0), "{text}");
        let unknown_now = RetryAfter::parse_header(text.as_bytes(), None);
        assert_eq!(unknown_now, None, "{text}");
    }
    // A fraction of the second that it is now is not lost.
    let now = Duration::from_millis(EXAMPLE * 1000 - 250);
    let hint = RetryAfter::parse_header(formats[0].as_bytes(), Some(now)).unwrap();
    assert_eq!(hint.delay, Duration::from_millis(250));
}

#[test]
fn dates_of_the_calendar() {
    let at = |date: &str| after(&format!("Mon, {date} 00:00:00 GMT"), 0);
    let day = 86_400;
    // Reference values by `date -u -d .. +%s`.
    assert_eq!(at("01 Jan 1970"), Some(0));
    assert_eq!(at("02 Jan 1970"), Some(day));
    assert_eq!(at("29 Feb 2000"), Some(951_782_400));
    assert_eq!(at("01 Mar 2000"), Some(951_868_800));
    assert_eq!(at("29 Feb 2024"), Some(1_709_164_800));
    assert_eq!(at("31 Dec 2099"), Some(4_102_358_400));
    assert_eq!(at("01 Mar 2100"), Some(4_107_542_400));
    assert_eq!(at("31 Dec 9999"), Some(253_402_214_400));
    // Before 1970 is in the past of any clock.
    assert_eq!(at("31 Dec 1969"), Some(0));
    assert_eq!(at("01 Jan 0000"), Some(0));
    for missing in [
        "31 Feb 2024",
        "30 Feb 2024",
        "29 Feb 2023",
        "29 Feb 2100",
        "29 Feb 1900",
        "31 Apr 2024",
        "31 Jun 2024",
        "31 Sep 2024",
        "31 Nov 2024",
        "32 Jan 2024",
        "00 Jan 2024",
        "99 Dec 2024",
    ] {
        assert_eq!(at(missing), None, "{missing}");
    }
}

#[test]
fn two_digits_mean_the_nearest_year() {
    let year = |two: u64, now: u64| {
        let text = format!("Friday, 01-Jan-{two:02} 00:00:00 GMT");
        after(&text, now)
    };
    let day = 86_400;
    // Now is 1999-12-31: 00 is tomorrow.
    assert_eq!(year(0, 946_598_400), Some(day));
    // Now is 2026-01-01: 76 is 50 years ahead, 77 is past.
    assert_eq!(year(27, 1_767_225_600), Some(365 * day));
    assert_eq!(year(76, 1_767_225_600), Some(3_345_062_400 - 1_767_225_600));
    assert_eq!(year(77, 1_767_225_600), Some(0));
    assert_eq!(year(99, 1_767_225_600), Some(0));
}

#[test]
fn times_of_the_day() {
    let at = |time: &str| after(&format!("Thu, 01 Jan 1970 {time} GMT"), 0);
    assert_eq!(at("23:59:59"), Some(86_399));
    assert_eq!(at("23:59:60"), Some(86_400));
    for wrong in [
        "24:00:00",
        "00:60:00",
        "00:00:61",
        "1:00:00",
        "00:00",
        "00:00:00:00",
        "0a:00:00",
        "-1:00:00",
        "::",
    ] {
        assert_eq!(at(wrong), None, "{wrong}");
    }
}

#[test]
fn anything_else_is_nothing() {
    for wrong in [
        "",
        " ",
        "\t",
        "-1",
        "+1",
        "1.5",
        "1 2",
        "1s",
        "0x10",
        "１２",
        "never",
        "Sun",
        "Sun,",
        ",",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 GMT GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 19940 08:49:37 GMT",
        "Sun, 06 Nvo 1994 08:49:37 GMT",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov  6 08:49:37",
        "1994-11-06T08:49:37Z",
    ] {
        assert_eq!(after(wrong, EXAMPLE), None, "{wrong:?}");
    }
    let now = Some(Duration::from_secs(EXAMPLE));
    assert_eq!(RetryAfter::parse_header(b"\xff\xfe", now), None);
    assert_eq!(RetryAfter::parse_header(b"12\0", now), None);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(value in prop::collection::vec(any::<u8>(), 0..60), now: Option<u64>) {
        RetryAfter::parse_header(&value, now.map(Duration::from_secs));
    }

    #[test]
    fn nothing_that_looks_like_a_date_makes_it_panic(
        value in "(Sun|Sunday),? ?[0-9]{0,3}[ -](Feb|Nov)[ -][0-9]{0,5} [0-9:]{0,9} ?(GMT|[0-9]{4})?",
        now: u64,
    ) {
        RetryAfter::parse_header(value.as_bytes(), Some(Duration::from_secs(now)));
    }

    #[test]
    fn every_day_follows_the_one_before(days in 0_u64..2_932_896) {
        // Civil from days after Howard Hinnant: another way than the one under test.
        let z = days + 719_468;
        let (era, of_era) = (z / 146_097, z % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let mp = (5 * of_year + 2) / 153;
        let day = of_year - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let names = "JanFebMarAprMayJunJulAugSepOctNovDec";
        let start = usize::try_from(month - 1).unwrap() * 3;
        let month = &names[start..start + 3];
        let fixed = format!("Mon, {day:02} {month} {year:04} 00:00:01 GMT");
        prop_assert_eq!(after(&fixed, 0), Some(days * 86_400 + 1));
        let asctime = format!("Mon {month} {day:>2} 00:00:01 {year:04}");
        prop_assert_eq!(after(&asctime, days * 86_400), Some(1));
        let two = year % 100;
        let old = format!("Monday, {day:02}-{month}-{two:02} 00:00:01 GMT");
        prop_assert_eq!(after(&old, days * 86_400), Some(1));
    }
}
