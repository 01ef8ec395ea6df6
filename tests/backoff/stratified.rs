//! The windows of the stratified schedule, by their beginnings and ends.

use super::*;

/// When the dials of a run come, if each attempt fails at once.
fn dials(contention: Contention, draw: u64, count: usize) -> Vec<Duration> {
    let mut now = Duration::ZERO;
    delays(&Backoff::default(), contention, &mut Always(draw), count)
        .into_iter()
        .map(|delay| {
            now += delay;
            now
        })
        .collect()
}

#[test]
fn down_has_one_dial_in_each_window_and_then_polls_at_the_cap() {
    let windows = [
        500, 1000, 500, 2000, 1000, 4000, 2000, 8000, 4000, 16000, 8000,
    ];
    let mut ends = windows.to_vec();
    for i in 1..ends.len() {
        ends[i] += ends[i - 1];
    }
    let total = ends[10];

    let mut earliest: Vec<_> = [20].into_iter().chain(ends[..10].to_vec()).collect();
    earliest.extend([total + 10_000, total + 20_000, total + 30_000]);
    assert_eq!(
        dials(Contention::Down, 0, 14),
        earliest.into_iter().map(millis).collect::<Vec<_>>()
    );

    let mut latest = ends;
    latest.extend([total + 20_000, total + 40_000, total + 60_000]);
    assert_eq!(
        dials(Contention::Down, u64::MAX, 14),
        latest.into_iter().map(millis).collect::<Vec<_>>()
    );
}

#[test]
fn contended_windows_begin_at_8_s_and_are_not_limited_by_the_cap() {
    let windows = [
        8, 8, 16, 8, 32, 16, 64, 32, 128, 64, 256, 128, 512, 256, 1024, 512,
    ];
    let mut expected = vec![];
    let mut end = 0;
    for window in windows {
        end += window;
        expected.push(secs(end));
    }
    expected.extend([secs(end + 1200), secs(end + 2400)]);
    for contention in [Contention::Busy, Contention::Silent] {
        assert_eq!(dials(contention, u64::MAX, 18), expected);
    }
    let earliest = dials(Contention::Busy, 0, 18);
    assert_eq!(earliest[0], FLOOR);
    assert_eq!(earliest[1..16], expected[..15]);
    assert_eq!(earliest[16], secs(end + 600));
}

#[test]
fn a_down_after_contention_polls_at_the_cap() {
    let backoff = Backoff::default();
    let mut cursor = Cursor::new();
    // Eight contended dials at the end of their windows: no rest is left.
    for _ in 0..8 {
        backoff.next(&mut cursor, Contention::Busy, &mut Always(u64::MAX));
    }
    let step = cursor.step();
    for _ in 0..3 {
        let least = backoff.next(&mut cursor, Contention::Down, &mut Always(0));
        let greatest = backoff.next(&mut cursor, Contention::Down, &mut Always(u64::MAX));
        assert_eq!((least, greatest), (secs(10), secs(20)));
        assert_eq!(cursor.step(), step, "polls leave the step where it is");
    }
    // And contention goes on where it was: the window after 32 s is one of 128 s.
    let again = backoff.next(&mut cursor, Contention::Silent, &mut Always(u64::MAX));
    assert_eq!(again, secs(128));
}

#[test]
fn a_down_after_short_contention_goes_on_in_the_windows() {
    let backoff = Backoff::default();
    let mut cursor = Cursor::new();
    let end = &mut Always(u64::MAX);
    assert_eq!(backoff.next(&mut cursor, Contention::Busy, end), secs(8));
    assert_eq!(cursor, Cursor::at(8));
    assert_eq!(backoff.next(&mut cursor, Contention::Down, end), secs(4));
}

#[test]
fn the_rest_of_a_window_is_waited_in_whatever_the_next_one_is() {
    let backoff = Backoff::default();
    let mut cursor = Cursor::at(9);
    assert_eq!(
        backoff.next(&mut cursor, Contention::Down, &mut Always(0)),
        FLOOR
    );
    let mut busy = cursor;
    let start = &mut Always(0);
    assert_eq!(
        backoff.next(&mut cursor, Contention::Down, start),
        secs(16).abs_diff(FLOOR)
    );
    assert_eq!(
        backoff.next(&mut busy, Contention::Busy, start),
        secs(16).abs_diff(FLOOR)
    );
    // Past the cap there are only polls, though window 12 is one of 16 s again.
    for step in [11, 12, u32::MAX] {
        let mut poll = Cursor::at(step);
        assert_eq!(backoff.next(&mut poll, Contention::Down, start), secs(10));
        assert_eq!(poll, Cursor::at(step));
    }
    // So it is under contention, from window 23 on, which would be one of 2048 s.
    for step in [23, 24, u32::MAX] {
        let mut poll = Cursor::at(step);
        assert_eq!(backoff.next(&mut poll, Contention::Busy, start), secs(600));
        assert_eq!(poll, Cursor::at(step));
    }
}

#[test]
fn a_quick_retry_lies_in_the_first_window() {
    let backoff = Backoff::default();
    assert_eq!(backoff.first(&mut Always(0)), FLOOR);
    assert_eq!(backoff.first(&mut Always(u64::MAX)), millis(500));
    for (name, backoff) in forms() {
        let mut rng = seeded(3);
        let first = backoff.first(&mut rng);
        let mut rng = seeded(3);
        let next = backoff.next(&mut Cursor::new(), Contention::Down, &mut rng);
        assert_eq!(first, next, "{name}");
    }
}
