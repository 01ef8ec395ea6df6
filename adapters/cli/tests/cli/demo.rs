//! `redial demo`: the link survives, and the account adds up.

#[cfg(target_os = "linux")]
use crate::run::{PATIENCE, start};
use crate::run::{Run, run};
use serde_json::Value;
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

#[test]
fn the_fast_demo_passes_and_adds_up() {
    let seed = 7;
    let Run { code, out, err } = run(&["demo", "--fast", "--json", "--seed", "7"], b"");
    assert_eq!(code, 0, "{out}\n{err}");
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"));
    let count = |name: &str| {
        report[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {report}"))
    };

    assert_eq!(count("seed"), seed);
    assert_eq!(count("duplicated"), 0);
    let missing = count("unknown") - count("unknown_delivered");
    let sum = count("delivered") + count("lost") + missing + count("unsent");
    assert_eq!(count("sent"), sum, "{report}");
    // It sends a hundred a second for more than ten seconds, also on a busy machine.
    assert!(count("sent") > 1_000, "{report}");
    assert!(count("delivered") > count("sent") / 2, "{report}");

    let outages = report["outages"].as_array().unwrap();
    let sum: u64 = outages
        .iter()
        .map(|outage| outage["missing"].as_u64().unwrap())
        .sum();
    // Those that are missing went missing in some outage.
    assert_eq!(sum, count("lost") + missing, "{report}");
    let names: Vec<_> = outages
        .iter()
        .map(|outage| outage["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "restart",
            "reset storm",
            "no close frame",
            "black hole",
            "stalled handshake",
            "503, Retry-After",
            "accept, then drop"
        ]
    );
    for outage in outages {
        for field in ["detected_ms", "recovered_ms", "dials"] {
            assert!(outage[field].is_u64(), "{field}: {outage}");
        }
        assert!(outage["dials"].as_u64().unwrap() > 0, "{outage}");
        assert!(outage["causes"][0].is_string(), "{outage}");
    }
    // Nobody says that a black hole is there: it takes a ping to find out.
    assert!(
        outages[3]["detected_ms"].as_u64().unwrap() >= 400,
        "{report}"
    );
    assert_eq!(
        outages[3]["causes"][0],
        "the heartbeat was not answered in time"
    );
    assert!(err.contains("Passed: back from 7 of 7 outages"), "{err}");
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
    // Its parent is killed, and has no time to tell it.
    drop(demo);
    wait("the server ends", || !is_alive(server));
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

/// Whether a process runs; one that has ended and was not waited for doesn't.
#[cfg(target_os = "linux")]
fn is_alive(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}
