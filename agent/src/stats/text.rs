//! Prometheus' text format, each value with the time it was read at.

use super::timestamp;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

#[derive(Default)]
pub(super) struct Text(pub(super) String);

// === impl Text ===

impl Text {
    pub(super) fn head(&mut self, name: &str, help: &str, kind: &str) {
        // Writing to a String can't fail.
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
    }

    pub(super) fn row(&mut self, name: &str, labels: &str, value: &str, at: SystemTime) {
        writeln!(self.0, "{name}{labels} {value} {}", timestamp(at).as_millisecond()).ok();
    }
}

/// A length of time in seconds.
pub(super) fn seconds(time: Duration) -> String {
    format!("{}.{:09}", time.as_secs(), time.subsec_nanos())
}

/// A time in seconds.
pub(super) fn moment(time: SystemTime) -> String {
    let at = timestamp(time).as_millisecond();
    format!("{}.{:03}", at / 1000, at % 1000)
}
