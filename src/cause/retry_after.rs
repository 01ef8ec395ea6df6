//! What a server asked for: when to come back, and how exactly it said so.

use core::time::Duration;

/// A server's wish for the time of the next dial.
///
/// The link obeys it within bounds; see its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RetryAfter {
    /// How long to wait, from when the answer arrived.
    pub delay: Duration,
    /// The unit in which the server spoke: dials are spread over this much at least, as
    /// everybody who was told the same second would come in step otherwise.
    pub resolution: Duration,
}

impl RetryAfter {
    /// A delay in whole seconds, as in the HTTP header: the resolution is one second.
    pub const fn seconds(seconds: u64) -> Self {
        Self::new(Duration::from_secs(seconds), Duration::from_secs(1))
    }

    /// A delay with the unit that it was given in.
    pub const fn new(delay: Duration, resolution: Duration) -> Self {
        Self { delay, resolution }
    }

    /// Reads the value of an HTTP `Retry-After` header (RFC 9110 section 10.2.3).
    ///
    /// Either form: seconds of any length, saturating at `u64::MAX`, or a date in any of the
    /// three formats of RFC 9110 section 5.6.7. A date is relative to `unix_now`, the time
    /// since 1970-01-01 00:00 UTC; one in the past is a delay of zero. Without `unix_now` a
    /// date says nothing, as there is no clock here, and the result is `None`. So it is for
    /// anything else, dates that don't exist included. Names of days are not held against
    /// the date.
    ///
    /// ```
    /// use core::time::Duration;
    /// use redial::cause::RetryAfter;
    ///
    /// assert_eq!(RetryAfter::parse_header(b"120", None), Some(RetryAfter::seconds(120)));
    /// let now = Duration::from_secs(784_111_767);
    /// let date = b"Sun, 06 Nov 1994 08:49:37 GMT";
    /// assert_eq!(RetryAfter::parse_header(date, Some(now)), Some(RetryAfter::seconds(10)));
    /// ```
    pub fn parse_header(value: &[u8], unix_now: Option<Duration>) -> Option<Self> {
        let text = core::str::from_utf8(value).ok()?;
        let text = text.trim_matches([' ', '\t']);
        if let Some(seconds) = number(text) {
            return Some(Self::seconds(seconds));
        }
        let now = unix_now?;
        let delay = match date(text, now)? {
            After::Epoch(seconds) => Duration::from_secs(seconds).saturating_sub(now),
            After::Past => Duration::ZERO,
        };
        Some(Self::new(delay, Duration::from_secs(1)))
    }
}

/// A moment in seconds since 1970, or before.
enum After {
    Epoch(u64),
    Past,
}

/// One of the three formats of a date in HTTP.
fn date(text: &str, now: Duration) -> Option<After> {
    let mut words = text.split_ascii_whitespace();
    let day_name = words.next()?;
    let (year, month, day, time) = if let Some(name) = day_name.strip_suffix(',') {
        let second = words.next()?;
        if second.contains('-') {
            // RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
            one_of(name, &LONG_DAYS)?;
            let (day, rest) = second.split_once('-')?;
            let (month, year) = rest.split_once('-')?;
            let year = recent(digits(year, 2, 2)?, now);
            let time = words.next()?;
            greenwich(words.next()?)?;
            (year, month, digits(day, 1, 2)?, time)
        } else {
            // IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
            one_of(name, &DAYS)?;
            let month = words.next()?;
            let year = digits(words.next()?, 4, 4)?;
            let time = words.next()?;
            greenwich(words.next()?)?;
            (year, month, digits(second, 1, 2)?, time)
        }
    } else {
        // asctime: Sun Nov  6 08:49:37 1994
        one_of(day_name, &DAYS)?;
        let month = words.next()?;
        let day = digits(words.next()?, 1, 2)?;
        let time = words.next()?;
        (digits(words.next()?, 4, 4)?, month, day, time)
    };
    if words.next().is_some() {
        return None;
    }
    let month = one_of(month, &MONTHS)?;
    let second_of_day = time_of_day(time)?;
    if day == 0 || day > days_in(month, year) {
        return None;
    }
    let Some(days) = days_since_1970(year, month, day) else {
        return Some(After::Past);
    };
    Some(After::Epoch(days * 86_400 + second_of_day))
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The position of a word in a list, counted from one, whatever its case.
fn one_of(word: &str, list: &[&str]) -> Option<u64> {
    (1..)
        .zip(list)
        .find(|(_, name)| name.eq_ignore_ascii_case(word))
        .map(|(position, _)| position)
}

fn greenwich(word: &str) -> Option<()> {
    (word.eq_ignore_ascii_case("GMT") || word.eq_ignore_ascii_case("UTC")).then_some(())
}

/// `08:49:37`, as seconds of the day; a leap second is taken for the next minute's first.
fn time_of_day(text: &str) -> Option<u64> {
    let (hour, rest) = text.split_once(':')?;
    let (minute, second) = rest.split_once(':')?;
    let (hour, minute) = (digits(hour, 2, 2)?, digits(minute, 2, 2)?);
    let second = digits(second, 2, 2)?;
    (hour < 24 && minute < 60 && second <= 60).then_some((hour * 60 + minute) * 60 + second)
}

/// A number of so many digits.
fn digits(text: &str, least: usize, most: usize) -> Option<u64> {
    if (least..=most).contains(&text.len()) {
        number(text)
    } else {
        None
    }
}

/// Digits only, at least one, saturating.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(sum.saturating_mul(10).saturating_add(digit))
    })
}

/// The year that two digits mean: at most 50 years ahead, less than 50 back.
fn recent(two_digits: u64, now: Duration) -> u64 {
    let this_year = year_of(now.as_secs() / 86_400);
    let year = this_year - this_year % 100 + two_digits;
    if year > this_year + 50 {
        year - 100
    } else if year + 50 <= this_year {
        year + 100
    } else {
        year
    }
}

const fn is_leap(year: u64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in(month: u64, year: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date in the calendar of today; `None` before.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 {
        return None;
    }
    let before = (1..month).map(|month| days_in(month, year)).sum::<u64>();
    Some(days_to_year(year) + before + day - 1)
}

/// Days from 1970-01-01 to the first of January of a year from 1970 on.
const fn days_to_year(year: u64) -> u64 {
    let past = year - 1;
    // 477 leap years lie before 1970.
    (year - 1970) * 365 + (past / 4 - past / 100 + past / 400) - 477
}

/// The year that a day since 1970 lies in.
const fn year_of(days: u64) -> u64 {
    // 400 years have 146,097 days: the quotient is at most one year off.
    let year = 1970 + days * 400 / 146_097;
    if days_to_year(year) > days {
        year - 1
    } else if days_to_year(year + 1) <= days {
        year + 1
    } else {
        year
    }
}
