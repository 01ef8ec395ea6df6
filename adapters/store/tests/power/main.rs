//! Power cuts and kills at every operation of a log, against a naive reference.
//!
//! A failure prints its seed and its cut; `REDIAL_SEED` begins elsewhere, `REDIAL_CASES` lives
//! more lives.

mod crafted;
mod damage;
mod disk;
mod life;
mod model;

use std::time::Duration;

use redial::MessageId;
use redial_store::{Log, Options, Recovery, STRIDE, SyncPolicy};

use crate::disk::{End, Lies, SimDisk};
use crate::life::{LAST_BOOT, Life, live, options};
use crate::model::State;

const STEPS: usize = 120;
const EVERY: SyncPolicy = SyncPolicy::Every(Duration::from_millis(50));

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Whether what was recovered is what the life was after one of its records, none before
/// `promised`; what is wrong otherwise.
fn check(life: &Life, promised: u64, recovery: &Recovery<Vec<u8>>) -> Result<(), String> {
    let report = &recovery.report;
    let carryover = &recovery.carryover;
    if report
        .cut
        .as_ref()
        .is_some_and(redial_store::Cut::is_damage)
    {
        return Err(format!("a crash was taken for damage: {report:?}"));
    }
    if let Err(error) = carryover.check() {
        return Err(format!("no link would go on from this: {error}"));
    }
    let from = usize::try_from(promised).expect("small");
    let fits = |state: &State| {
        let messages = carryover
            .messages
            .iter()
            .map(|it| (it.id.number(), it.sequence, it.payload.clone()));
        let expected = state
            .messages
            .iter()
            .map(|it| (it.id, it.sequence, it.payload.clone()));
        let tried = |id: u64| state.up || id <= state.written || report.lost;
        let standing = carryover
            .standing
            .iter()
            .map(|it| (it.id, it.number, it.payload.clone()));
        let numbers = (carryover.accepted, carryover.sequences, carryover.intents);
        let known = (state.accepted, state.sequences, state.intents);
        messages.eq(expected)
            && standing.eq(state.standing.iter().cloned())
            && (carryover.session, carryover.server) == (state.session, state.server)
            && (report.lost || numbers == known)
            && carryover.messages.iter().all(|it| {
                let id = it.id.number();
                let resent = it.sequence.is_some() && id <= state.resent;
                (it.tries > 0) == tried(id) && it.resent == resent
            })
    };
    if !life.states[from..].iter().any(fits) {
        return Err(format!(
            "lost: what was recovered is no state from record {promised} on: {recovery:?}, promised \
             was {:?}",
            life.states[from]
        ));
    }
    // What is received may be written ahead of its turn, never behind.
    let received = (carryover.received, carryover.received_intents);
    if !life.states[from..].iter().any(|it| it.received == received) {
        return Err(format!(
            "lost: {received:?} was not received from {promised} on"
        ));
    }
    let named = &life.states[usize::try_from(life.promised(None)).expect("small")];
    if carryover.accepted < named.accepted
        || carryover.sequences < named.sequences
        || carryover.intents < named.intents
    {
        return Err(format!("numbers would be given twice: {carryover:?}"));
    }
    let unwritten = carryover
        .messages
        .iter()
        .find(|it| it.tries == 0 && life.written.contains(&it.id.number()));
    if let Some(message) = unwritten {
        return Err(format!("{message:?} was written"));
    }
    Ok(())
}

fn promised(life: &Life, sync: SyncPolicy, end: End) -> u64 {
    match (end, sync) {
        (End::Kill, _) | (End::Power, SyncPolicy::Each) => life.promised(None),
        (End::Power, SyncPolicy::Every(age)) => life.promised(Some(age)),
        (End::Power, SyncPolicy::Never) => 0,
    }
}

fn reopen(
    disk: SimDisk,
    sync: SyncPolicy,
    boot: u8,
) -> Result<Recovery<Vec<u8>>, redial_store::OpenError> {
    let options = Options {
        boot: Some([boot; 16]),
        ..options(sync)
    };
    Log::over(disk, &options).map(|(_, recovery)| recovery)
}

/// One life, cut at every operation, in every way, recovered, and cut again in the recovery.
fn every_cut(seed: u64, sync: SyncPolicy, lies: Lies) -> Result<usize, String> {
    let whole = live(seed, STEPS, sync, None, lies, true);
    assert!(whole.closed);
    let mut recoveries = 0;
    for cut in 1..=whole.disk.operations() + 1 {
        let life = live(seed, STEPS, sync, Some(cut), lies, cut % 2 == 0);
        for end in [End::Kill, End::Power] {
            let promised = promised(&life, sync, end);
            for (which, file) in life.disk.survivors(end).into_iter().enumerate() {
                let told = |wrong: String| {
                    format!("seed {seed}, {sync:?}, cut {cut}, {end:?} {which}: {wrong}")
                };
                let boot = LAST_BOOT[0] + u8::from(end == End::Power);
                let held = file.as_ref().map_or(0, Vec::len);
                let disk = SimDisk::holding(file.clone(), None, Lies::default());
                let recovery = reopen(disk.clone(), sync, boot)
                    .map_err(|error| told(format!("lost: {error}")))?;
                recoveries += 1;
                check(&life, promised, &recovery).map_err(told)?;
                let loses = end == End::Power && sync != SyncPolicy::Each;
                if recovery.report.lost && (!loses || recovery.report.clean) {
                    return Err(told("nothing can be lost".into()));
                }
                if held > 0 && loses && !recovery.report.clean && !recovery.report.lost {
                    return Err(told("something may be lost".into()));
                }
                if recovery.report.lost && recovery.carryover.sequences < STRIDE {
                    return Err(told("the sequences have not jumped".into()));
                }
                // What was recovered is written: another process finds the same, but for the
                // numbers of connections, which no two processes share.
                let again = reopen(disk.clone(), sync, boot).expect("a sound disk");
                let mut same = again.carryover.clone();
                let known = same.epochs > 0 || same.session.is_some();
                same.epochs -= STRIDE * u64::from(known);
                if same != recovery.carryover {
                    return Err(told(format!("{recovery:?} then {again:?}")));
                }
                if (cut + which) % 5 != 0 {
                    continue;
                }
                for second in 1..=disk.operations() {
                    let dying = SimDisk::holding(file.clone(), Some(second), lies);
                    if reopen(dying.clone(), sync, boot).is_ok() {
                        break;
                    }
                    for file in dying.survivors(end) {
                        let disk = SimDisk::holding(file, None, Lies::default());
                        let boot = boot + u8::from(end == End::Power);
                        let recovery = reopen(disk, sync, boot)
                            .map_err(|error| told(format!("lost: then {second}: {error}")))?;
                        recoveries += 1;
                        check(&life, promised, &recovery)
                            .map_err(|wrong| told(format!("then {second}: {wrong}")))?;
                    }
                }
            }
        }
    }
    Ok(recoveries)
}

fn lives(sync: SyncPolicy, lies: Lies) -> Result<(), String> {
    let seed = number("REDIAL_SEED", 1);
    let cases = number("REDIAL_CASES", 6);
    let mut recoveries = 0;
    for seed in seed..seed + cases {
        recoveries += every_cut(seed, sync, lies)?;
    }
    println!(
        "{sync:?}: seeds {seed}..{}, {recoveries} recoveries",
        seed + cases
    );
    Ok(())
}

#[test]
fn synced_each_time_nothing_stored_is_lost() {
    lives(SyncPolicy::Each, Lies::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn synced_every_so_often_nothing_older_is_lost() {
    lives(EVERY, Lies::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn never_synced_a_kill_loses_nothing_stored() {
    lives(SyncPolicy::Never, Lies::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn a_disk_that_does_not_sync_is_found_out() {
    let honest = Lies::default();
    for (sync, lies) in [
        (
            SyncPolicy::Each,
            Lies {
                sync: true,
                ..honest
            },
        ),
        (
            EVERY,
            Lies {
                sync: true,
                ..honest
            },
        ),
        (
            SyncPolicy::Each,
            Lies {
                sync_dir: true,
                ..honest
            },
        ),
        (
            SyncPolicy::Never,
            Lies {
                sync_draft: true,
                ..honest
            },
        ),
    ] {
        let wrong = lives(sync, lies).expect_err("a loss");
        assert!(wrong.contains("lost: "), "{wrong}");
    }
}

#[test]
fn the_lives_are_lively() {
    let (mut refused, mut settled, mut rewrites) = (0, 0, 0);
    for seed in 1..7 {
        let life = live(seed, STEPS, SyncPolicy::Each, None, Lies::default(), true);
        refused += life.refused;
        let last = life.states.last().expect("one");
        settled += last.accepted - last.messages.len() as u64;
        let file = life.disk.file().expect("a file");
        rewrites += u64::from_le_bytes(file[24..32].try_into().expect("eight"));
    }
    assert!(refused > 20, "{refused}");
    assert!(settled > 50, "{settled}");
    assert!(rewrites > 12, "{rewrites}");
}

#[test]
fn numbers_never_run_further_than_a_jump_without_a_sync() {
    // A message far ahead must be safe before it is reported, whatever the policy: a recovery
    // could not jump past it.
    let disk = SimDisk::holding(None, None, Lies::default());
    let (mut log, _) = Log::over(disk.clone(), &options(SyncPolicy::Never)).expect("a log");
    let append = |log: &mut Log<Vec<u8>, _>, number: u64| {
        let record = redial_store::Record::Accepted {
            id: MessageId::from_number(number),
            sequence: Some(number),
            ttl: None,
            payload: &vec![1],
        };
        log.append(&record).expect("room");
        log.commit(Duration::ZERO).expect("a disk");
    };
    // A write alone, or a write and a sync.
    for (number, operations) in [
        (STRIDE - 1, 1),
        (STRIDE, 2),
        (3 * STRIDE, 2),
        (3 * STRIDE + 1, 1),
    ] {
        let before = disk.operations();
        append(&mut log, number);
        assert_eq!(disk.operations() - before, operations, "{number}");
        for file in disk.survivors(End::Power) {
            let found = SimDisk::holding(file, None, Lies::default());
            let recovery = reopen(found, SyncPolicy::Never, 2).expect("a sound disk");
            assert!(recovery.report.lost);
            assert!(recovery.carryover.sequences >= number);
        }
    }
}
