//! Any bytes are a log: read as they are, and as records under sound checksums. Nothing panics,
//! a link goes on from what is recovered, and a second recovery finds the same.

#![no_main]

use std::time::Duration;

use crc32fast::Hasher;
use libfuzzer_sys::fuzz_target;
use redial_store::{Clock, Log, Options, SyncPolicy, format, recover};

#[expect(
    dead_code,
    reason = "shared with the test of power cuts, which also cuts"
)]
#[path = "../../adapters/store/tests/power/disk.rs"]
mod disk;

use disk::{Lies, SimDisk};

fuzz_target!(|data: &[u8]| {
    check(data);
    check(&sound(data));
});

fn check(file: &[u8]) {
    let options = Options {
        sync: SyncPolicy::Every(Duration::from_secs(1)),
        boot: Some([1; 16]),
        clock: Clock::new(|| Some(Duration::from_millis(1 << 40))),
        ..Options::default()
    };
    let Ok(recovery) = recover::<Vec<u8>>(file, &options) else {
        return;
    };
    let carryover = &recovery.carryover;
    carryover.check().expect("a link goes on from it");
    if let Some(cut) = &recovery.report.cut {
        assert!(cut.at >= format::HEAD as u64);
        assert_eq!(cut.at + cut.bytes, file.len() as u64);
    }
    let disk = SimDisk::holding(Some(file.to_vec()), None, Lies::default());
    let mut expected = recovery.carryover;
    for _ in 0..2 {
        let (_, again) = Log::<Vec<u8>, _>::over(disk.clone(), &options).expect("it was read");
        // No two processes share the numbers of connections.
        let again = again.carryover;
        assert!(again.epochs >= expected.epochs);
        expected.epochs = again.epochs;
        assert_eq!(again, expected);
    }
}

/// The bytes as a head and records of one length byte each, with the checksums that the format
/// asks for.
fn sound(data: &[u8]) -> Vec<u8> {
    let mut file = vec![0; format::HEAD - 4];
    let taken = data.len().min(file.len());
    file[..taken].copy_from_slice(&data[..taken]);
    file[..8].copy_from_slice(b"\x89rdl\r\n\x1a\n");
    file[8..16].copy_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
    let checksum = crc32fast::hash(&file);
    file.extend(checksum.to_le_bytes());
    let mut rest = &data[taken..];
    while let Some((len, behind)) = rest.split_first() {
        let len = usize::from(*len).min(behind.len());
        let (body, behind) = behind.split_at(len);
        let length = u32::try_from(len).expect("a byte").to_le_bytes();
        let (head, sum) = (checksum_of(&file, &length), checksum_of(&file, body));
        file.extend(length);
        file.extend(head.to_le_bytes());
        file.extend(sum.to_le_bytes());
        file.extend(body);
        rest = behind;
    }
    file
}

/// The checksum of bytes in the record that follows this file.
fn checksum_of(file: &[u8], bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&file[16..32]);
    hasher.update(&(file.len() as u64).to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}
