//! Reads a file of unknown soundness, without a way to panic.

use crate::error::OpenError;
use crate::format::{FRAME, Framed, HEAD, Head, Seed};
use crate::ledger::{Ledger, Numbers};
use crate::record::Raw;
use crate::recovery::{Cut, Why};

/// What a file came to.
pub(crate) struct Scan {
    pub(crate) head: Head,
    pub(crate) ledger: Ledger,
    pub(crate) records: u64,
    pub(crate) clean: bool,
    pub(crate) cut: Option<Cut>,
    /// The highest numbers named behind the cut.
    pub(crate) behind: Numbers,
}

pub(crate) fn scan(file: &[u8]) -> Result<Scan, OpenError> {
    let head = Head::decode(file)?;
    let seed = head.seed();
    let mut scan = Scan {
        ledger: Ledger::reading(head.numbers.clone()),
        head,
        records: 0,
        clean: false,
        cut: None,
        behind: Numbers::default(),
    };
    let mut at = HEAD;
    let why = loop {
        let body = match seed.read(file, at) {
            Framed::Body(body) => body,
            Framed::End => return Ok(scan),
            Framed::Torn => break Why::Torn,
            Framed::Broken => break Why::Broken,
        };
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let Some(raw) = Raw::decode(body) else {
            break Why::Impossible;
        };
        if scan.ledger.apply(&raw, at as u64, len).is_err() {
            break Why::Impossible;
        }
        scan.clean = raw == Raw::Clean;
        scan.records = scan.records.saturating_add(1);
        at = at.saturating_add(FRAME).saturating_add(body.len());
    };
    scan.clean = false;
    let behind = search(&seed, file, at, &mut scan.behind);
    scan.cut = Some(Cut {
        at: at as u64,
        bytes: file.len().saturating_sub(at) as u64,
        // A crash tears the end only.
        why: if behind > 0 && why == Why::Torn {
            Why::Broken
        } else {
            why
        },
        behind,
        kept: None,
    });
    Ok(scan)
}

/// Counts the sound records behind the one at `at`, wherever they begin.
fn search(seed: &Seed, file: &[u8], at: usize, numbers: &mut Numbers) -> u64 {
    let mut found = 0_u64;
    let mut at = at.saturating_add(1);
    while at < file.len() {
        let body = if seed.may_be(file, at) {
            seed.read(file, at)
        } else {
            Framed::Broken
        };
        if let Framed::Body(body) = body {
            found = found.saturating_add(1);
            if let Some(raw) = Raw::decode(body) {
                numbers.raise(&raw);
            }
            at = at.saturating_add(FRAME).saturating_add(body.len());
        } else {
            at = at.saturating_add(1);
        }
    }
    found
}
