//! `redial demo`: the link survives, and the account adds up.

#[cfg(target_os = "linux")]
use crate::run::{PATIENCE, start};
use crate::run::{Run, run};
use serde_json::Value;
#[cfg(target_os = "linux")]
use std::path::PathBuf;
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

#[test]
fn the_fast_demo_passes_and_adds_up() {
    let seed = 7;
    let Run { code, out, err } = run(&["demo", "--fast", "--json", "--seed", "7"], b"");
    assert_eq!(code, 0, "{out}\n{err}");
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"));
    let count = |pointer: &str| {
        report
            .pointer(pointer)
            .and_then(Value::as_u64)
            .unwrap_or_else(|| panic!("{pointer}: {report}"))
    };
    assert_eq!(count("/seed"), seed);
    assert_eq!(report["passed"], true);

    // Exactly once, in order: it sends a hundred a second for more than eight seconds, also on a
    // busy machine.
    assert!(count("/sent") > 800, "{report}");
    assert_eq!(count("/sent"), count("/delivered"));
    for none in ["lost", "unknown", "unsent", "duplicated", "late"] {
        assert_eq!(count(&format!("/{none}")), 0, "{none}: {report}");
    }
    assert!(count("/ticks/delivered") > 100, "{report}");
    for none in ["lost", "duplicated", "late"] {
        assert_eq!(count(&format!("/ticks/{none}")), 0, "{none}: {report}");
    }

    // Apart: what was under way when the store was wiped, as the link and the server tell it.
    let unknown = count("/wiped/unknown");
    assert!(unknown >= 10, "{report}");
    assert_eq!(count("/wiped/gap"), unknown);
    assert_eq!(count("/wiped/resent"), 0);
    let ranges = report["wiped"]["gap_ranges"].as_array().unwrap();
    assert_eq!(ranges.len(), 1, "{report}");
    let (from, to) = (&ranges[0][0], &ranges[0][1]);
    assert_eq!(to.as_u64().unwrap() - from.as_u64().unwrap() + 1, unknown);
    let missing = unknown - count("/wiped/unknown_delivered");
    assert!(missing > 0, "{report}");

    let outages = report["outages"].as_array().unwrap();
    let names: Vec<_> = outages
        .iter()
        .map(|outage| outage["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "restart, store kept",
            "reset storm",
            "no close frame",
            "black hole",
            "stalled handshake",
            "503, Retry-After",
            "accept, then drop",
            "restart, store wiped"
        ]
    );
    for (outage, name) in outages.iter().zip(names) {
        for field in ["detected_ms", "recovered_ms", "dials", "in_flight"] {
            assert!(outage[field].is_u64(), "{field}: {outage}");
        }
        assert!(outage["dials"].as_u64().unwrap() > 0, "{outage}");
        assert!(outage["causes"][0].is_string(), "{outage}");
        // Only the wiped store costs anything, and only there a session begins anew.
        let wiped = name == "restart, store wiped";
        assert_eq!(
            outage["missing"],
            if wiped { missing } else { 0 },
            "{outage}"
        );
        assert_eq!(outage["fresh"], u64::from(wiped), "{outage}");
        assert!(wiped || outage["resumed"].as_u64().unwrap() > 0, "{outage}");
    }
    // Nobody says that a black hole is there: it takes a ping to find out.
    let hole = &outages[3];
    assert!(hole["detected_ms"].as_u64().unwrap() >= 300, "{report}");
    assert_eq!(hole["causes"][0], "the heartbeat was not answered in time");
    // Everything that went into it comes out of the queue again.
    assert!(hole["in_flight"].as_u64().unwrap() >= 20, "{report}");
    assert!(err.contains("Passed: back from 8 of 8 outages"), "{err}");
}

#[test]
fn an_unknown_option_is_wrong_usage() {
    let Run { code, .. } = run(&["demo", "--slow"], b"");
    assert_eq!(code, 2);
}

#[cfg(target_os = "linux")]
#[test]
fn the_server_ends_with_the_program() {
    let demo = start(&["demo", "--fast"]);
    let own = demo.id();
    demo.err.wait("counts what arrives");
    let server = child_of(own).unwrap();
    assert!(is_alive(server));
    let store = store_of(server);
    assert!(store.is_dir());
    // Its parent is killed, and has no time to tell it.
    drop(demo);
    wait("the server ends", || !is_alive(server));
    assert!(!store.exists(), "it leaves nothing behind");
}

#[cfg(target_os = "linux")]
fn wait(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A child of any thread of a process.
#[cfg(target_os = "linux")]
fn child_of(parent: u32) -> Option<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).ok()?;
    tasks.flatten().find_map(|task| {
        let children = std::fs::read_to_string(task.path().join("children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    })
}

/// Where a server keeps its sessions: the last of its arguments.
#[cfg(target_os = "linux")]
fn store_of(process: u32) -> PathBuf {
    let line = std::fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap();
    let mut words = line.split_terminator('\0');
    PathBuf::from(words.next_back().unwrap())
}

/// Whether a process runs; one that has ended and was not waited for doesn't.
#[cfg(target_os = "linux")]
fn is_alive(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}
