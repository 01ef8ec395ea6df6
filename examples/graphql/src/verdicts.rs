//! What follows from the protocol's close codes.

use std::time::Duration;

use redial_tokio::redial::Cause;
use redial_tokio::redial::cause::{Pattern, TooManyOverrides, Verdict, Verdicts};

/// The default table, and what graphql-transport-ws says in addition.
///
/// | code | meaning | verdict |
/// | --- | --- | --- |
/// | 4400 | a message of ours was invalid | retry 1, then final: it would be again |
/// | 4401 | an operation before the acknowledgement; of many servers, stale credentials | once at once with fresh ones, then by the schedule |
/// | 4403 | `connection_init` was refused | the same if the link has credentials to refresh, else final |
/// | 4406 | the subprotocol is not acceptable | final |
/// | 4408 | the server has waited too long for `connection_init` | retry |
/// | 4409 | two operations with one id | retry 1, then final: ids are ours to keep apart |
/// | 4429 | `connection_init` twice | retry 1, then final |
/// | 4499 | terminated | retry |
/// | 4500 | the server failed | retry after at least 5 to 10 s, 10 times in a row, then final |
///
/// # Errors
///
/// None: these are fewer than a table holds.
pub fn verdicts() -> Result<Verdicts, TooManyOverrides> {
    const SECOND: Duration = Duration::from_secs(1);
    const OUR_FAULT: Verdict = Verdict::retry().at_most(1);
    // One operation may be what it always fails at, so it is not asked for ever.
    const ITS_FAULT: Verdict = Verdict::retry()
        .between(SECOND.saturating_mul(5), SECOND.saturating_mul(10))
        .at_most(10);
    let close = |code| Pattern::Exactly(Cause::Close(code));
    Verdicts::new()
        .with(close(4400), OUR_FAULT)?
        .with(close(4401), Verdict::refresh())?
        .with(close(4403), Verdict::refresh_if_able())?
        .with(close(4406), Verdict::fail())?
        .with(close(4408), Verdict::retry())?
        .with(close(4409), OUR_FAULT)?
        .with(close(4429), OUR_FAULT)?
        .with(close(4499), Verdict::retry())?
        .with(close(4500), ITS_FAULT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use redial_tokio::redial::cause::Outcome;

    #[test]
    fn each_code_has_its_verdict() {
        let verdicts = verdicts().unwrap();
        for (code, outcome, retries) in [
            (4400, Outcome::Retry, Some(1)),
            (4401, Outcome::Refresh, None),
            (4403, Outcome::RefreshIfAble, None),
            (4406, Outcome::Fail, None),
            (4408, Outcome::Retry, None),
            (4409, Outcome::Retry, Some(1)),
            (4429, Outcome::Retry, Some(1)),
            (4499, Outcome::Retry, None),
            (4500, Outcome::Retry, Some(10)),
            // The rest is as ever.
            (1000, Outcome::Stop, None),
            (4402, Outcome::Retry, None),
        ] {
            let verdict = verdicts.of(Cause::Close(code));
            assert_eq!(
                (verdict.outcome(), verdict.retries()),
                (outcome, retries),
                "{code}"
            );
        }
        let spread = verdicts.of(Cause::Close(4500)).spread();
        assert_eq!(
            spread,
            Some((Duration::from_secs(5), Duration::from_secs(10)))
        );
    }
}
