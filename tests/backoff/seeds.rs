//! Delays that other documents print, reproduced as configurations.

use super::*;

const ENDS: [u64; 2] = [0, u64::MAX];

/// The least and the greatest delay of each of the first steps.
fn ranges(backoff: &Backoff, count: usize) -> Vec<(Duration, Duration)> {
    let [least, greatest] =
        ENDS.map(|end| delays(backoff, Contention::Down, &mut Always(end), count));
    for stream in 0..200 {
        let drawn = delays(backoff, Contention::Down, &mut seeded(stream), count);
        for ((delay, least), greatest) in drawn.iter().zip(&least).zip(&greatest) {
            assert!(least <= delay && delay <= greatest, "stream {stream}");
        }
    }
    least.into_iter().zip(greatest).collect()
}

#[test]
fn doubling_from_one_second_gives_1_2_4_8_16() {
    let printed = [1, 2, 4, 8, 16, 30, 30].map(secs);
    let plain = delays(&doubling(Jitter::None), Contention::Down, &mut Always(0), 7);
    assert_eq!(plain, printed);

    let spread = doubling(Jitter::Additive {
        below: secs(1),
        above: secs(1),
    });
    let expected = printed.map(|delay| (delay.saturating_sub(secs(1)).max(FLOOR), delay + secs(1)));
    assert_eq!(ranges(&spread, 7), expected);
    assert_eq!(spread.max_delay(), secs(31));
}

#[test]
fn growing_by_half_gives_ten_rows_of_57_to_113_seconds() {
    let printed = [
        1000, 1500, 2250, 3375, 5062, 7593, 11390, 17085, 25627, 38440,
    ];
    let config = |jitter| exponential(secs(1), Ratio::new(3, 2), secs(60), jitter);
    let plain = delays(&config(Jitter::None), Contention::Down, &mut Always(0), 11);
    for (delay, printed) in plain.iter().zip(printed) {
        assert!(delay.abs_diff(millis(printed)) <= millis(5), "{delay:?}");
    }
    assert_eq!(plain[10], millis(57_665) + Duration::from_nanos(39_063));

    let rows = ranges(&config(Jitter::Equal), 10);
    for ((least, greatest), printed) in rows.iter().zip(printed) {
        assert!(
            least.abs_diff(millis(printed / 2)) <= millis(5),
            "{least:?}"
        );
        assert!(greatest.abs_diff(millis(printed)) <= millis(5));
    }
    let total = |row: fn(&(Duration, Duration)) -> Duration| {
        rows.iter().map(row).sum::<Duration>().as_secs_f64().round()
    };
    assert_eq!((total(|row| row.0), total(|row| row.1)), (57.0, 113.0));
}

#[test]
fn up_to_one_second_on_top_is_kept_at_the_cap() {
    let spread = doubling(Jitter::Additive {
        below: Duration::ZERO,
        above: secs(1),
    });
    let expected = [1, 2, 4, 8, 16, 30, 30].map(|s| (secs(s), secs(s + 1)));
    assert_eq!(ranges(&spread, 7), expected);
}

#[test]
fn grpc_spreads_by_a_fifth_either_way() {
    let (_, grpc) = forms().swap_remove(8);
    let rows = ranges(&grpc, 14);
    let fifth = |delay: u64| (millis(delay / 10 * 8), millis(delay / 10 * 12));
    assert_eq!(rows[..3], [1000, 1600, 2560].map(fifth));
    assert_eq!(rows[13], (secs(96), secs(144)));
    assert_eq!(grpc.max_delay(), secs(144));
}
