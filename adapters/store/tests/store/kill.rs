//! A process that is killed at any moment: this test program starts itself as the victim.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use redial::MessageId;
use redial_store::{Log, Options, Record, Store, SyncPolicy};

const VICTIM: &str = "REDIAL_STORE_VICTIM";
const KILLS: u64 = 20;

/// Not a test of its own: with the variable set it appends until it is killed, and says what is
/// stored.
#[test]
fn victim() {
    let Some(path) = std::env::var_os(VICTIM) else {
        return;
    };
    let options = Options {
        sync: SyncPolicy::Never,
        rewrite_bytes: 4_000,
        ..Options::default()
    };
    let say = |word: &str, number: u64| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{word} {number}")
            .and_then(|()| out.flush())
            .expect("a reader");
    };
    let (store, recovery) = Store::<Vec<u8>>::open(Path::new(&path), &options, move |news| {
        let stored = news.expect("a disk").message;
        say("stored", stored.map_or(0, MessageId::number));
    })
    .expect("a log");
    let mut number = recovery.carryover.accepted;
    let mut settled = number / 10 * 10;
    loop {
        number += 1;
        let payload = vec![number.to_le_bytes()[0]; 100];
        let accepted = Record::Accepted {
            id: MessageId::from_number(number),
            sequence: Some(number),
            ttl: None,
            payload: &payload,
        };
        let mut ticket = store.append(&accepted).expect("room");
        // Of ten messages the last one never has its fate.
        if number % 10 == 0 {
            ticket = store
                .append(&Record::Settled {
                    first: MessageId::from_number(settled + 1),
                    last: MessageId::from_number(number - 1),
                })
                .expect("room");
            settled = number;
        }
        if number % 7 == 0 {
            store.wait(ticket).expect("a disk");
        }
    }
}

#[test]
fn what_was_stored_survives_a_kill() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log");
    let mut stored = 0;
    for kill in 0..KILLS {
        let mut victim = Command::new(std::env::current_exe().expect("a program"))
            .args(["--exact", "kill::victim", "--nocapture", "--test-threads=1"])
            .env(VICTIM, &path)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let lines = BufReader::new(victim.stdout.take().expect("a pipe")).lines();
        // Killed after a number of reports that no two kills share.
        let mut left = 1 + kill * 7;
        let mut lines = lines.map_while(Result::ok);
        let mut hear = |stored: &mut u64| {
            let told = lines.find_map(|line| line.strip_prefix("stored ")?.parse().ok());
            *stored = told.unwrap_or(*stored).max(*stored);
            told.is_some()
        };
        while left > 0 && hear(&mut stored) {
            left -= 1;
        }
        victim.kill().expect("it runs");
        let status = victim.wait().expect("it ended");
        assert_ne!(
            status.code(),
            Some(101),
            "it was not alive when it was killed"
        );
        // What it had said and nobody had read yet.
        while hear(&mut stored) {}

        let (log, recovery) = Log::<Vec<u8>>::open(&path, &Options::default()).expect("a log");
        drop(log);
        let report = &recovery.report;
        assert!(!report.lost && !report.clean, "{report:?}");
        assert!(
            recovery.carryover.accepted >= stored,
            "{stored} of {recovery:?}"
        );
        let mut expected = (1..=recovery.carryover.accepted).filter(|it| it % 10 == 0);
        for message in &recovery.carryover.messages {
            let number = message.id.number();
            if number % 10 == 0 {
                assert_eq!(expected.next(), Some(number));
            }
            assert_eq!(message.payload, [number.to_le_bytes()[0]; 100]);
        }
        assert_eq!(expected.next(), None);
    }
    assert!(stored > KILLS * 10, "{stored}");
    println!("{KILLS} kills, {stored} messages stored");
}
