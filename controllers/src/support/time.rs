//! Times as objects carry them: whole seconds.

use std::time::Duration;
use windlass_core::apis::meta::v1::Time;
use windlass_core::clock::Env;

/// Now, cut to the second.
pub(crate) fn now(env: &Env) -> jiff::Timestamp {
    whole(env.clock.now())
}

/// As an object carries it.
pub(crate) fn time(at: jiff::Timestamp) -> Time {
    Time(whole(at))
}

/// How long until `seconds` after `since`; zero when that is past.
pub(crate) fn until(since: jiff::Timestamp, seconds: i64, now: jiff::Timestamp) -> Duration {
    let left = since.as_second().saturating_add(seconds).saturating_sub(now.as_second());
    Duration::from_secs(u64::try_from(left).unwrap_or(0))
}

fn whole(at: jiff::Timestamp) -> jiff::Timestamp {
    // Cutting goes towards zero, so it stays in range.
    jiff::Timestamp::from_second(at.as_second()).expect("in range")
}
