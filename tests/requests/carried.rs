//! Requests as data: in another process, and read back.

use redial::requests::{Event, Outcome, RequestOptions};

use crate::{FRESH, RESUMED, ask, at, secs, send, up};

#[test]
fn another_process_goes_on_with_what_is_left() {
    let mut requests = up();
    let options = RequestOptions::new().total(secs(50));
    requests.ask(at(100), "a", options).expect("room");
    send(&mut requests, 100);
    // Saved at 110, read 15 s later by a process whose clock shows 3.
    requests.handle(at(110), Event::Down);
    let carried = requests.carried(at(3), secs(15));
    assert_eq!(carried.poll_timeout(), Some(at(3 + 50 - 10 - 15)));

    let mut fresh = carried.clone();
    fresh.handle(at(4), FRESH);
    assert!(fresh.poll_send().is_some_and(|asking| asking.resent));
    assert_eq!(send(&mut fresh, 4), [(1, 1)]);
    assert_eq!(ask(&mut fresh, 4, "b").number(), 2, "numbers go on");

    let mut resumed = carried.clone();
    resumed.handle(at(4), RESUMED);
    assert_eq!(send(&mut resumed, 4), []);
    assert_eq!(resumed.poll_timeout(), Some(at(14)));

    let mut late = carried.carried(at(0), secs(1_000));
    late.handle(at(0), Event::Tick);
    let settled = late.poll_outcome().expect("its time is over");
    assert_eq!(settled.outcome, Outcome::TimeSpent);
}

#[test]
fn no_connection_is_carried() {
    let mut requests = up();
    ask(&mut requests, 0, "a");
    send(&mut requests, 0);
    ask(&mut requests, 0, "b");
    let carried = requests.carried(at(0), secs(5));
    assert!(carried.poll_send().is_none());
    assert_eq!(carried.poll_timeout(), None, "an outage eats no attempt");
}

#[cfg(feature = "serde")]
mod data {
    use super::*;
    use redial::requests::Requests;

    fn read(value: serde_json::Value) -> Result<Requests<String>, serde_json::Error> {
        serde_json::from_value(value)
    }

    fn some() -> serde_json::Value {
        let mut requests = up();
        ask(&mut requests, 0, "a");
        send(&mut requests, 0);
        serde_json::to_value(&requests).expect("data")
    }

    #[test]
    fn what_is_read_is_checked() {
        assert!(read(some()).is_ok());
        let mut value = some();
        value["settings"]["max_attempts"] = 0.into();
        let error = read(value).expect_err("no attempts").to_string();
        assert_eq!(error, "max_attempts must not be zero");
    }

    #[test]
    fn what_is_read_hangs_nothing_whatever_was_written_there() {
        let mut value = some();
        value["last"] = 0.into();
        let mut requests = read(value).expect("a number that was used");
        let id = requests.ask(at(0), "b".to_owned(), RequestOptions::new());
        assert_eq!(id.expect("room").number(), 2, "is not used again");

        let mut value = some();
        value["line"] = "Closed".into();
        let mut requests = read(value).expect("closed, and something pends");
        assert_eq!(requests.pending(), 0);
        assert!(requests.poll_outcome().is_some());

        let mut value = some();
        value["line"] = "Down".into();
        let requests = read(value).expect("down, and an attempt runs");
        assert_eq!(requests.poll_timeout(), None);
    }
}
