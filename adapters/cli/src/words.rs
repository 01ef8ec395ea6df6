//! Words and numbers as a person reads them.

use redial::cause::Category;
use std::io::{self, Write};
use std::time::Duration;

/// A time with as many digits as matter: `0.4 ms`, `12 ms`, `1.25 s`, `17 s`.
pub(crate) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.01 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 10.0 {
        let text = format!("{seconds:.2}");
        format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
    } else {
        format!("{seconds:.0} s")
    }
}

/// A time, or `at once` where there is none to speak of.
pub(crate) fn soon(duration: Duration) -> String {
    if duration < Duration::from_micros(50) {
        "at once".to_owned()
    } else {
        time(duration)
    }
}

/// A number with its thousands apart.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Whole milliseconds, for JSON.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Writes a line to stderr in the name of the program. Nobody may listen there any more.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "redial: {line}");
}

/// The name of a category.
pub(crate) fn category(category: Category) -> &'static str {
    match category {
        Category::AuthenticationFailed => "authentication failed",
        Category::ServiceUnavailable => "service unavailable",
        Category::ProtocolError => "protocol error",
        Category::Timeout => "timeout",
        Category::NetworkError => "network error",
        _ => "connection failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(time(Duration::from_micros(420)), "0.4 ms");
        assert_eq!(time(Duration::from_millis(125)), "125 ms");
        assert_eq!(time(Duration::from_millis(1_250)), "1.25 s");
        assert_eq!(time(Duration::from_millis(2_500)), "2.5 s");
        assert_eq!(time(Duration::from_secs(4)), "4 s");
        assert_eq!(time(Duration::from_secs(40)), "40 s");
        assert_eq!(soon(Duration::ZERO), "at once");
    }
}
