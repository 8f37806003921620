//! Numbers as Go writes and compares them.

use serde_json::Number;

/// How Go's `%v` writes a floating-point number.
pub(crate) fn go_float(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e21).contains(&magnitude) {
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', exponent),
        };
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    value.to_string()
}

/// Whether a number has no fraction and fits into 64 bits, as JSON Schema's `integer` wants.
pub(super) fn is_integer(number: &Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(is_whole)
}

/// Whether a floating-point number is one that JSON would take for an integer.
pub(super) fn is_whole(value: f64) -> bool {
    const MAX_SAFE: f64 = 9_007_199_254_740_991.0;
    value.is_finite() && value.abs() <= MAX_SAFE && value.fract() == 0.0
}

/// Orders a number against a limit, without loss where both are whole.
pub(super) fn compare(number: &Number, limit: f64) -> Option<std::cmp::Ordering> {
    match (number.as_i64(), is_whole(limit)) {
        #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
        (Some(value), true) => Some(value.cmp(&(limit as i64))),
        _ => number.as_f64()?.partial_cmp(&limit),
    }
}

/// Whether a number is a multiple of a factor above zero.
pub(super) fn is_multiple(number: &Number, factor: f64) -> bool {
    match (number.as_i64(), is_whole(factor)) {
        #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
        (Some(value), true) => value.checked_rem(factor as i64) == Some(0),
        _ => number.as_f64().is_some_and(|value| {
            let quotient = if factor < 1.0 { 1.0 / factor * value } else { value / factor };
            is_close_to_whole(quotient)
        }),
    }
}

/// Division leaves dust.
fn is_close_to_whole(value: f64) -> bool {
    let dust = (value - value.round()).abs();
    value.is_finite() && (dust < 1e-9 || dust <= value.abs() * 1e-9)
}
