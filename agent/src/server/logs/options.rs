//! What of a log is asked for (`v1.PodLogOptions`).

use jiff::Timestamp;
use std::time::Duration;

/// What of a log is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogOptions {
    pub(crate) follow: bool,
    pub(crate) previous: bool,
    pub(crate) timestamps: bool,
    pub(crate) tail: Option<u64>,
    pub(crate) limit: Option<u64>,
    pub(crate) since: Option<Timestamp>,
}

impl LogOptions {
    /// Reads a query.
    ///
    /// # Errors
    /// In words, when a value can't be read.
    pub(crate) fn from_query(query: &[(String, String)], now: Timestamp) -> Result<Self, String> {
        let mut options = Self::default();
        for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
            let bad = || format!("invalid value for {name}: {value:?}");
            match name.as_str() {
                "follow" => options.follow = flag(value).ok_or_else(bad)?,
                "previous" => options.previous = flag(value).ok_or_else(bad)?,
                "timestamps" => options.timestamps = flag(value).ok_or_else(bad)?,
                "tailLines" | "tail" => options.tail = Some(value.parse().map_err(|_| bad())?),
                "limitBytes" => options.limit = Some(value.parse().map_err(|_| bad())?),
                "sinceSeconds" => {
                    let seconds = value.parse().map_err(|_| bad())?;
                    options.since = now.checked_sub(Duration::from_secs(seconds)).ok();
                }
                "sinceTime" => options.since = Some(value.parse().map_err(|_| bad())?),
                _ => {}
            }
        }
        Ok(options)
    }
}

fn flag(value: &str) -> Option<bool> {
    match value {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}
