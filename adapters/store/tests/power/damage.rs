//! Damage that no crash does: flipped bits, lost bytes, other files.

use std::time::Duration;

use redial::MessageId;
use redial::session::{ServerId, SessionId};
use redial_store::{
    Log, OpenError, Options, Record, Recovery, Refusal, STRIDE, SyncPolicy, Why, format, recover,
};

use crate::disk::{Lies, SimDisk};
use crate::life::options;

const PAYLOADS: [&[u8]; 3] = [b"first", b"", b"third"];

/// A log with one record of each kind.
fn small(close: bool) -> Vec<u8> {
    let disk = SimDisk::holding(None, None, Lies::default());
    let (mut log, _) = Log::over(disk.clone(), &options(SyncPolicy::Each)).expect("a log");
    for (number, payload) in (1..).zip(PAYLOADS) {
        let id = MessageId::from_number(number);
        log.append(&Record::Accepted {
            id,
            sequence: (number != 2).then_some(number),
            ttl: (number == 3).then_some(Duration::from_secs(9)),
            payload: &payload.to_vec(),
        })
        .expect("room");
    }
    let none = MessageId::from_number(1);
    let intent = b"intent".to_vec();
    let records = [
        Record::Session {
            session: Some(SessionId::new([3; 16])),
            server: Some(ServerId::new([4; 16])),
        },
        Record::Received {
            sequence: 5,
            intents: 6,
        },
        Record::Intent {
            id: 7,
            number: 8,
            payload: &intent,
        },
        Record::Numbered { id: 7, number: 9 },
        Record::Withdrawn { id: 99 },
        Record::Up { epoch: 10 },
        Record::Down {
            through: Some(none),
        },
        Record::Resent { through: none },
        Record::Settled {
            first: MessageId::from_number(2),
            last: MessageId::from_number(2),
        },
    ];
    for record in &records {
        log.append(record).expect("room");
    }
    log.commit(Duration::ZERO).expect("a disk");
    if close {
        log.close(Duration::ZERO).expect("a disk");
    }
    disk.file().expect("a file")
}

fn read(file: &[u8]) -> Result<Recovery<Vec<u8>>, OpenError> {
    recover(file, &options(SyncPolicy::Each))
}

/// Nothing in it was never written.
fn invents_nothing(recovery: &Recovery<Vec<u8>>) {
    for message in &recovery.carryover.messages {
        let number = message.id.number();
        let at = usize::try_from(number).expect("small") - 1;
        assert_eq!(message.payload, PAYLOADS[at]);
        assert_eq!(message.sequence, (number != 2).then_some(number));
    }
    for intent in &recovery.carryover.standing {
        assert_eq!((intent.id, &*intent.payload), (7, &b"intent"[..]));
    }
}

#[test]
fn a_sound_log_says_everything() {
    let recovery = read(&small(true)).expect("a log");
    let carryover = &recovery.carryover;
    let ids: Vec<u64> = carryover.messages.iter().map(|it| it.id.number()).collect();
    assert_eq!(ids, [1, 3]);
    assert_eq!(carryover.session, Some(SessionId::new([3; 16])));
    assert_eq!(carryover.server, Some(ServerId::new([4; 16])));
    assert_eq!((carryover.received, carryover.received_intents), (5, 6));
    assert_eq!((carryover.accepted, carryover.sequences), (3, 3));
    assert_eq!((carryover.intents, carryover.epochs), (9, 10 + STRIDE));
    assert_eq!(carryover.standing[0].number, 9);
    let tries: Vec<u16> = carryover.messages.iter().map(|it| it.tries).collect();
    assert_eq!(tries, [1, 0]);
    assert!(carryover.messages[0].resent && !carryover.messages[1].resent);
    let report = &recovery.report;
    assert!(report.clean && !report.lost && report.cut.is_none() && !report.fresh);
    assert_eq!(report.records, 13);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let sound = small(true);
    for at in 0..sound.len() {
        for bit in 0..8 {
            let mut file = sound.clone();
            file[at] ^= 1 << bit;
            match read(&file) {
                Ok(recovery) => {
                    assert!(at >= format::HEAD, "byte {at}, bit {bit}");
                    let cut = recovery.report.cut.as_ref().expect("a cut");
                    assert_eq!(cut.why, Why::Broken, "byte {at}, bit {bit}");
                    assert!(recovery.report.lost && !recovery.report.clean);
                    assert!(recovery.carryover.sequences > 3, "{recovery:?}");
                    assert!(recovery.carryover.messages.iter().all(|it| it.tries > 0));
                    invents_nothing(&recovery);
                }
                Err(OpenError::NotALog) => assert!(at < 8),
                Err(OpenError::Newer { .. }) => assert!((8..12).contains(&at)),
                Err(OpenError::Damaged) => assert!(at < format::HEAD),
                Err(other) => panic!("byte {at}, bit {bit}: {other}"),
            }
        }
    }
}

#[test]
fn every_shorter_file_is_torn_and_no_more() {
    let sound = small(true);
    let mut messages = 0;
    for length in 1..sound.len() {
        let file = &sound[..length];
        if length < format::HEAD {
            let wrong = read(file).expect_err("no head");
            assert!(matches!(wrong, OpenError::Damaged | OpenError::NotALog));
            continue;
        }
        let recovery = read(file).expect("a log");
        assert!(!recovery.report.clean && !recovery.report.lost, "{length}");
        let torn = recovery.report.cut.as_ref();
        assert!(torn.is_none_or(|cut| cut.why == Why::Torn), "{length}");
        invents_nothing(&recovery);
        messages = messages.max(recovery.carryover.messages.len());
    }
    assert_eq!(messages, 3);
    assert!(read(&[]).expect("a log").report.fresh);
}

#[test]
fn damage_in_the_middle_is_told_and_kept() {
    let sound = small(true);
    // The first byte of the first record's payload.
    let broken_at = format::HEAD + format::FRAME + 18;
    let mut file = sound.clone();
    file[broken_at] ^= 255;
    let disk = SimDisk::holding(Some(file.clone()), None, Lies::default());
    let (log, recovery) =
        Log::<Vec<u8>, _>::over(disk.clone(), &options(SyncPolicy::Each)).expect("a log");
    let cut = recovery.report.cut.expect("a cut");
    assert_eq!((cut.why, cut.at), (Why::Broken, format::HEAD as u64));
    assert_eq!(cut.behind, 12);
    assert_eq!(cut.bytes, (file.len() - format::HEAD) as u64);
    assert!(cut.kept.is_some());
    assert_eq!(disk.aside(), [file[format::HEAD..].to_vec()]);
    assert!(recovery.carryover.messages.is_empty());
    // All numbers that are named behind the damage are passed.
    assert!(recovery.carryover.sequences > 3 + STRIDE);
    assert!(recovery.carryover.intents > 9 + STRIDE);
    assert_eq!(recovery.carryover.epochs, 10 + STRIDE);
    // The log goes on, and is sound.
    drop(log);
    let (_, again) = Log::<Vec<u8>, _>::over(disk, &options(SyncPolicy::Each)).expect("a log");
    assert_eq!(again.report.cut, None);
    let mut later = recovery.carryover;
    later.epochs += STRIDE;
    assert_eq!(again.carryover, later);
}

#[test]
fn a_length_that_is_damaged_does_not_pass_for_a_torn_end() {
    let mut file = small(true);
    // The third byte of the first record's length: the record seems to end behind the file.
    file[format::HEAD + 2] = 1;
    let recovery = read(&file).expect("a log");
    assert_eq!(recovery.report.cut.map(|cut| cut.why), Some(Why::Broken));
}

#[test]
fn room_that_was_never_written_is_torn() {
    let mut file = small(false);
    let end = file.len();
    file.resize(end + 4096, 0);
    let recovery = read(&file).expect("a log");
    let cut = recovery.report.cut.expect("a cut");
    assert_eq!((cut.why, cut.at, cut.bytes), (Why::Torn, end as u64, 4096));
    assert_eq!(recovery.carryover.messages.len(), 2);
}

#[test]
fn a_record_of_another_place_or_file_is_none() {
    let file = small(false);
    let first = &file[format::HEAD..format::HEAD + format::FRAME + 18 + 5];
    let mut copied = file.clone();
    copied.extend_from_slice(first);
    let cut = read(&copied).expect("a log").report.cut.expect("a cut");
    assert_eq!((cut.why, cut.at), (Why::Broken, file.len() as u64));
    // The same place in the file's next generation.
    let disk = SimDisk::holding(Some(file.clone()), None, Lies::default());
    let next = Log::<Vec<u8>, _>::over(disk.clone(), &options(SyncPolicy::Each));
    drop(next.expect("a log"));
    let mut rewritten = disk.file().expect("a file");
    rewritten.truncate(format::HEAD);
    rewritten.extend_from_slice(first);
    let cut = read(&rewritten).expect("a log").report.cut;
    assert_eq!(cut.map(|cut| cut.why), Some(Why::Broken));
}

#[test]
fn numbers_behind_the_damage_are_passed_however_high() {
    let disk = SimDisk::holding(None, None, Lies::default());
    let (mut log, _) = Log::over(disk.clone(), &options(SyncPolicy::Each)).expect("a log");
    for number in [1, 1 << 40] {
        log.append(&Record::Accepted {
            id: MessageId::from_number(number),
            sequence: Some(number + 1),
            ttl: None,
            payload: &vec![7],
        })
        .expect("room");
    }
    log.append(&Record::Numbered {
        id: 1,
        number: 1 << 41,
    })
    .expect("a log");
    log.commit(Duration::ZERO).expect("a disk");
    let mut file = disk.file().expect("a file");
    file[format::HEAD + format::FRAME] ^= 1;
    let carryover = read(&file).expect("a log").carryover;
    assert!(carryover.accepted > (1 << 40) + STRIDE);
    assert!(carryover.sequences > (1 << 40) + STRIDE);
    assert!(carryover.intents > (1 << 41) + STRIDE);
}

#[test]
fn a_name_is_never_given_twice_though_its_message_is_gone() {
    let disk = SimDisk::holding(None, None, Lies::default());
    let options = options(SyncPolicy::Each);
    let open = || {
        Log::<Vec<u8>, _>::over(disk.clone(), &options)
            .expect("a log")
            .0
    };
    let payload = vec![1];
    let accepted = |id: u64, sequence: Option<u64>| Record::Accepted {
        id: MessageId::from_number(id),
        sequence,
        ttl: None,
        payload: &payload,
    };
    let mut log = open();
    log.append(&accepted(4, Some(9))).expect("room");
    log.append(&Record::Settled {
        first: MessageId::from_number(4),
        last: MessageId::from_number(4),
    })
    .expect("it was accepted");
    log.close(Duration::ZERO).expect("a disk");
    // Twice, so that no record names it any more.
    drop(open());
    let mut log = open();
    for (id, sequence) in [(4, None), (4, Some(10)), (5, Some(9)), (1 << 63 | 5, None)] {
        let refused = log.append(&accepted(id, sequence));
        assert!(
            matches!(refused, Err(Refusal::OutOfOrder)),
            "{id} {sequence:?}"
        );
    }
    log.append(&accepted(5, Some(10))).expect("it is new");
}

#[test]
fn what_is_no_log_or_too_new_is_left_alone() {
    let newer = {
        let mut file = small(true);
        file[8] = 2;
        file
    };
    let found = |file: &[u8]| {
        let disk = SimDisk::holding(Some(file.to_vec()), None, Lies::default());
        let wrong = Log::<Vec<u8>, _>::over(disk.clone(), &Options::default()).expect_err("no log");
        assert_eq!(disk.operations(), 0, "it was touched");
        wrong
    };
    assert!(matches!(
        found(&newer),
        OpenError::Newer { found: 2, known: 1 }
    ));
    assert!(matches!(found(b"#!/bin/sh"), OpenError::NotALog));
}

#[test]
fn a_log_whose_numbers_have_run_out_is_refused_and_left_alone() {
    let disk = SimDisk::holding(None, None, Lies::default());
    let (mut log, _) = Log::over(disk.clone(), &options(SyncPolicy::Each)).expect("a log");
    log.append(&Record::Accepted {
        id: MessageId::from_number(1),
        sequence: Some(u64::MAX),
        ttl: None,
        payload: &vec![7],
    })
    .expect("room");
    log.commit(Duration::ZERO).expect("a disk");
    drop(log);
    let again = Log::<Vec<u8>, _>::over(disk, &options(SyncPolicy::Each));
    assert!(matches!(again, Err(OpenError::Unusable(_))));
}
