//! Points in time as `metav1.Time` and `metav1.MicroTime` write them.

use jiff::{Timestamp, tz::Offset};

/// Reads RFC 3339.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    // A date alone, or a space for the `T`, is ISO 8601 but not RFC 3339.
    if text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    text.parse().ok()
}

/// Writes to the second, in UTC.
pub(super) fn seconds(time: Timestamp) -> String {
    let time = Offset::UTC.to_datetime(time);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// Writes to the microsecond, in UTC.
pub(super) fn micros(time: Timestamp) -> String {
    let nanos = Offset::UTC.to_datetime(time).subsec_nanosecond();
    format!("{}.{:06}Z", seconds(time).trim_end_matches('Z'), nanos / 1000)
}
