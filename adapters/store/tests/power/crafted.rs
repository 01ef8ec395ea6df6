//! Files written by hand, after the description of the format and not by the crate.

use redial_store::{Options, Recovery, Why, recover};

struct File(Vec<u8>);

impl File {
    /// A head which says that messages up to 4 were accepted, and their sequences up to 3.
    fn new() -> Self {
        let mut head = b"\x89rdl\r\n\x1a\n".to_vec();
        head.extend(1_u32.to_le_bytes());
        head.extend(0_u32.to_le_bytes());
        head.extend(1_700_000_000_000_u64.to_le_bytes());
        head.extend(9_u64.to_le_bytes());
        // Policy each, nothing else known.
        head.extend([0, 2, 0, 0, 0, 0, 0, 0]);
        head.extend([0; 48]);
        for number in [0_u64, 0, 3, 0, 4, 2, 1, 0] {
            head.extend(number.to_le_bytes());
        }
        let checksum = crc32fast::hash(&head);
        head.extend(checksum.to_le_bytes());
        assert_eq!(head.len(), 156);
        Self(head)
    }

    fn record(mut self, body: &[u8]) -> Self {
        let len = u32::try_from(body.len()).expect("short");
        self.frame(len, body);
        self.0.extend(body);
        self
    }

    /// What stands before a body of this length.
    fn frame(&mut self, len: u32, body: &[u8]) {
        let checksum = |bytes: &[u8]| {
            let seed = self.0[16..32].to_vec();
            let place = (self.0.len() as u64).to_le_bytes();
            crc32fast::hash(&[&seed, &place[..], bytes].concat())
        };
        let (length, body) = (checksum(&len.to_le_bytes()), checksum(body));
        self.0.extend(len.to_le_bytes());
        self.0.extend(length.to_le_bytes());
        self.0.extend(body.to_le_bytes());
    }

    fn read(&self) -> Recovery<Vec<u8>> {
        recover(&self.0, &Options::default()).expect("a log")
    }
}

fn accepted(id: u64, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let (id, sequence) = (id.to_le_bytes(), sequence.to_le_bytes());
    [&[1, 1], &id[..], &sequence, payload].concat()
}

#[test]
fn the_format_is_as_it_is_described() {
    let file = File::new()
        .record(&accepted(2, 2, b"two"))
        .record(&accepted(5, 4, b""));
    let recovery = file.read();
    assert_eq!(recovery.report.cut, None);
    let carryover = recovery.carryover;
    assert_eq!((carryover.accepted, carryover.sequences), (5, 4));
    assert_eq!(carryover.epochs, 2 + redial_store::STRIDE);
    let found = carryover.messages.iter();
    let found: Vec<_> = found
        .map(|it| (it.id.number(), it.sequence, &*it.payload, it.tries))
        .collect();
    assert_eq!(found, [(2, Some(2), &b"two"[..], 0), (5, Some(4), b"", 0)]);
}

#[test]
fn sound_records_that_cannot_be_are_cut_off() {
    let unknown: &[u8] = &[99];
    let twice = accepted(2, 3, b"again");
    let back = accepted(3, 2, b"again");
    let short: &[u8] = &[2, 1];
    let long: &[u8] = &[11, 0];
    let flags: &[u8] = &[1, 128, 0, 0, 0, 0, 0, 0, 0, 9];
    let mut nameless = vec![5];
    nameless.extend([0; 16]);
    for body in [unknown, &twice, &back, short, long, flags, &nameless] {
        let file = File::new().record(&accepted(2, 2, b"two"));
        let sound = file.0.len() as u64;
        let recovery = file.record(body).read();
        let cut = recovery.report.cut.expect("a cut");
        assert_eq!((cut.at, cut.why), (sound, Why::Impossible), "{body:?}");
        assert_eq!(recovery.carryover.messages.len(), 1);
    }
}

#[test]
fn what_follows_the_end_in_order_undoes_it() {
    let file = File::new().record(&[11]);
    assert!(file.read().report.clean);
    assert!(!file.record(&accepted(2, 2, b"")).read().report.clean);
}

#[test]
fn a_record_that_swallows_others_is_no_torn_end() {
    let mut file = File::new();
    file.frame(1_000, b"");
    assert_eq!(file.read().report.cut.map(|cut| cut.why), Some(Why::Torn));
    let cut = file.record(&accepted(2, 2, b"")).read().report.cut;
    let cut = cut.expect("a cut");
    assert_eq!((cut.why, cut.behind), (Why::Broken, 1));
}

#[test]
fn a_connection_that_names_what_is_no_message_covers_all_before_it() {
    let far = (1_u64 << 63 | 1).to_le_bytes();
    let file = File::new()
        .record(&accepted(5, 5, b""))
        .record(&[&[9], &far[..]].concat())
        .record(&[&[10], &far[..]].concat())
        .record(&accepted(6, 6, b""));
    let messages = file.read().carryover.messages;
    let found: Vec<_> = messages.iter().map(|it| (it.tries, it.resent)).collect();
    assert_eq!(found, [(1, true), (0, false)]);
}
