//! Arbitrary settings and sequences of inputs.

use std::time::Duration;

use proptest::prelude::*;
use redial::backoff::Ratio;
use redial::requests::{Event, Settings};

/// One input. A request is named by how many were asked before it, modulo a few more than there
/// are, so that some names were never given.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Ask(usize, Option<Duration>, Option<Duration>, Option<u32>),
    /// Polls and sends, up to so many.
    Send(usize),
    Sent(u64),
    Answer(u64),
    Cancel(u64),
    Take(usize),
    Event(Event),
    /// A tick at the timeout.
    Due,
}

/// Time before the input, and the input.
pub(crate) type Step = (Pass, Input);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Pass {
    Ahead(u64),
    Back(u64),
}

pub(crate) fn any_settings() -> BoxedStrategy<Settings> {
    let factors = prop::sample::select(vec![(1, 1), (2, 1), (3, 2), (8, 5), (u32::MAX, 1)]);
    let total = prop::option::weighted(0.3, 1_u64..400);
    (
        1_u64..50,
        0_u64..200,
        factors,
        total,
        1_u32..4,
        1_usize..8,
        1_usize..40,
    )
        .prop_map(
            |(timeout, above, (up, low), total, attempts, requests, bytes)| Settings {
                timeout: Duration::from_nanos(timeout),
                factor: Ratio::new(up, low),
                cap: Duration::from_nanos(timeout + above),
                total: total.map(Duration::from_nanos),
                max_attempts: attempts,
                requests,
                bytes,
            },
        )
        .boxed()
}

pub(crate) fn any_step(longest: u64) -> BoxedStrategy<Step> {
    let pass = prop_oneof![
        8 => (0_u64..30).prop_map(Pass::Ahead),
        2 => (0_u64..500).prop_map(Pass::Ahead),
        1 => (0_u64..100).prop_map(Pass::Back),
        1 => (0..=longest).prop_map(Pass::Ahead),
    ];
    let own = |most: u64| prop::option::weighted(0.2, (0..most).prop_map(Duration::from_nanos));
    let event = prop_oneof![
        4 => Just(Event::Tick),
        4 => any::<bool>().prop_map(|fresh| Event::Up { fresh }),
        2 => Just(Event::Down),
        1 => Just(Event::Closed),
    ];
    let input = prop_oneof![
        6 => (0_usize..12, own(300), own(300), prop::option::weighted(0.2, 0_u32..4))
            .prop_map(|(size, first, total, most)| Input::Ask(size, first, total, most)),
        6 => (0_usize..5).prop_map(Input::Send),
        1 => any::<u64>().prop_map(Input::Sent),
        3 => any::<u64>().prop_map(Input::Answer),
        1 => any::<u64>().prop_map(Input::Cancel),
        3 => (0_usize..4).prop_map(Input::Take),
        4 => event.prop_map(Input::Event),
        4 => Just(Input::Due),
    ];
    (pass, input).boxed()
}

/// Near enough to the origin that nothing saturates.
pub(crate) const NEAR: u64 = 1 << 50;
