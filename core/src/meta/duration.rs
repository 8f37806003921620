//! Durations as Go writes them (`time.ParseDuration`): `30s`, `1m0s`, `1.5h`, `100ms`.

use std::time::Duration;

const UNITS: [(&str, f64); 7] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
];

/// Reads a duration that is not negative. `0` needs no unit.
///
/// # Errors
/// What is wrong with the text, as Go says it.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("time: invalid duration {text:?}");
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(|| format!("time: missing unit in duration {text:?}"))?;
        let number: f64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = UNITS.iter().find(|(name, _)| *name == &rest[..end]);
        let (_, seconds) = unit
            .ok_or_else(|| format!("time: unknown unit {:?} in duration {text:?}", &rest[..end]))?;
        sum += number * seconds;
        rest = &rest[end..];
    }
    if text.is_empty() {
        return Err(bad());
    }
    Duration::try_from_secs_f64(sum).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, millis) in
            [("0", 0), ("30s", 30_000), ("1m0s", 60_000), ("1.5h", 5_400_000), ("+2ms", 2)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "1", "s", "1x", "-1s", ".s", "1..2s", "99999999999999999999h", "1é", "é"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
