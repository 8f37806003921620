//! Whether a token Secret is used, or may be.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use windlass_core::object::Header;

pub(super) const LAST_USED: &str = "kubernetes.io/legacy-token-last-used";
pub(super) const INVALID_SINCE: &str = "kubernetes.io/legacy-token-invalid-since";
/// What is not the Secret's own is looked at again after this time.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a plan is made from.
pub(super) struct Snapshot<'a> {
    pub(super) secret: &'a Header,
    pub(super) created: Timestamp,
    /// Since when uses are noted, if they are.
    pub(super) noted_since: Option<Date>,
    /// How long it may go unused.
    pub(super) period: Duration,
    pub(super) now: Timestamp,
}

/// What to do about a Secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing, until it changes.
    Keep,
    /// Nothing for so long.
    KeepFor(Duration),
    /// Its token is taken no longer from this day on, if nobody has it: see [`Step::again`].
    Mark(String),
    /// Away with it, if nobody has it.
    Delete,
}

// === impl Step ===

impl Step {
    /// When to look again at a Secret that somebody has after all.
    pub(super) const AGAIN: Duration = DAY;
}

pub(super) fn plan(at: &Snapshot<'_>) -> Step {
    if at.secret.deleting {
        return Step::Keep;
    }
    if let Some(left) = at.left(at.created) {
        return Step::KeepFor(left);
    }
    let Some(used) = at.last_used() else { return Step::Keep };
    if let Some(left) = used.map_or(Some(DAY), |day| at.left_after(day)) {
        return Step::KeepFor(left);
    }
    match at.day(INVALID_SINCE) {
        Some(Ok(since)) => at.left_after(since).map_or(Step::Delete, Step::KeepFor),
        _ => Step::Mark(at.now.strftime("%Y-%m-%d").to_string()),
    }
}

// === impl Snapshot ===

impl Snapshot<'_> {
    /// The last day it can have been used; `Some(None)`: nobody notes that. None: its label is not to be understood.
    fn last_used(&self) -> Option<Option<Date>> {
        match self.day(LAST_USED) {
            Some(day) => day.ok().map(Some),
            None => Some(self.noted_since),
        }
    }

    fn day(&self, label: &str) -> Option<Result<Date, jiff::Error>> {
        self.secret.label(label).map(str::parse)
    }

    /// How long until it has been unused long enough since the end of a day; none: it has.
    fn left_after(&self, day: Date) -> Option<Duration> {
        let end = day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
        self.left(end.timestamp())
    }

    fn left(&self, since: Timestamp) -> Option<Duration> {
        let period = SignedDuration::try_from(self.period).unwrap_or(SignedDuration::MAX);
        let left = period.saturating_sub(self.now.duration_since(since));
        Duration::try_from(left).ok().filter(|left| !left.is_zero())
    }
}
