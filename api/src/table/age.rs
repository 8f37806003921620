//! Spans of time for people: two units at most.

use jiff::Timestamp;

pub(super) const UNKNOWN: &str = "<unknown>";

/// How long ago a time (RFC 3339) was.
pub(crate) fn since(time: Option<&str>, now: Timestamp) -> String {
    match time.map(str::parse::<Timestamp>) {
        Some(Ok(time)) => human(now.as_second() - time.as_second()),
        _ => UNKNOWN.into(),
    }
}

/// How long it was from one time to another.
pub(super) fn between(start: &str, end: Option<&str>, now: Timestamp) -> String {
    let read = |text: &str| text.parse::<Timestamp>().ok();
    match (read(start), end.map(read)) {
        (Some(start), Some(Some(end))) => human(end.as_second() - start.as_second()),
        (Some(start), None) => human(now.as_second() - start.as_second()),
        _ => UNKNOWN.into(),
    }
}

/// A number of seconds in the units that matter.
pub(super) fn human(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |large: i64, name: char, small: i64, small_name: char| {
        let rest = seconds % large / small;
        match rest {
            0 => format!("{}{name}", seconds / large),
            _ => format!("{}{name}{rest}{small_name}", seconds / large),
        }
    };
    match seconds {
        i64::MIN..-1 => "<invalid>".into(),
        -1..0 => "0s".into(),
        0..120 => format!("{seconds}s"),
        120..600 => two(MINUTE, 'm', 1, 's'),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(HOUR, 'h', MINUTE, 'm'),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(DAY, 'd', HOUR, 'h'),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two(YEAR, 'y', DAY, 'd'),
        _ => format!("{}y", seconds / YEAR),
    }
}
