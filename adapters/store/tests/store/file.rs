//! What stands on a real disk.

use std::time::Duration;

use redial::MessageId;
use redial_store::{Clock, Log, OpenError, Options, Record, Store};

use crate::{Bench, accepted};

#[test]
fn a_log_has_one_owner() {
    let bench = Bench::new();
    let (store, _told) = bench.open(&Options::default());
    let again = Store::<Vec<u8>>::open(bench.path(), &Options::default(), |_| {});
    let wrong = again.map(|_| ()).unwrap_err();
    assert!(matches!(wrong, OpenError::Held { .. }), "{wrong}");
    assert!(wrong.to_string().contains("log.lock is locked"), "{wrong}");
    drop(store);
    assert!(bench.messages().is_empty());
}

#[test]
fn times_to_live_go_on_by_the_clock_of_the_day() {
    let bench = Bench::new();
    let at = |seconds: Option<u64>| Options {
        clock: Clock::new(move || seconds.map(Duration::from_secs)),
        ..Options::default()
    };
    let left = |options: &Options| {
        let (log, recovery) = Log::<Vec<u8>>::open(bench.path(), options).unwrap();
        drop(log);
        recovery.carryover.messages[0].ttl
    };
    let (mut log, _) = Log::<Vec<u8>>::open(bench.path(), &at(Some(1_000))).unwrap();
    log.append(&Record::Accepted {
        id: MessageId::from_number(1),
        sequence: None,
        ttl: Some(Duration::from_secs(60)),
        payload: &vec![],
    })
    .unwrap();
    log.commit(Duration::ZERO).unwrap();
    drop(log);
    assert_eq!(left(&at(Some(1_045))), Some(Duration::from_secs(15)));
    assert_eq!(left(&at(Some(2_000))), Some(Duration::ZERO));
    assert_eq!(
        left(&at(Some(10))),
        Some(Duration::from_secs(60)),
        "it went back"
    );
    assert_eq!(
        left(&at(None)),
        Some(Duration::from_secs(60)),
        "it is not set"
    );
}

#[test]
fn damage_is_kept_beside_the_file_and_never_overwritten() {
    let bench = Bench::new();
    for round in 0..2 {
        let (mut log, _) = Log::<Vec<u8>>::open(bench.path(), &Options::default()).unwrap();
        let above = log.stored().message.map_or(0, MessageId::number);
        log.append(&accepted(above + 1, &vec![1; 50])).unwrap();
        log.commit(Duration::ZERO).unwrap();
        drop(log);
        let mut file = std::fs::read(bench.path()).unwrap();
        *file.last_mut().unwrap() ^= 1;
        std::fs::write(bench.path(), &file).unwrap();
        let (_, recovery) = Log::<Vec<u8>>::open(bench.path(), &Options::default()).unwrap();
        let cut = recovery.report.cut.unwrap();
        let kept = cut.kept.unwrap();
        assert!(kept.ends_with(["log.cut", "log.cut.1"][round]), "{kept:?}");
        let at = usize::try_from(cut.at).unwrap();
        assert_eq!(std::fs::read(kept).unwrap(), file[at..]);
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    drop(bench.open(&Options::default()));
    let mode = std::fs::metadata(bench.path())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}
