//! Resource quantities (API reference, "Quantity"): `100m`, `1.5Gi`, `2e3`.

use std::fmt;
use std::str::FromStr;

/// An amount, in thousandths, exact for all amounts a cluster deals with. Amounts finer than a
/// thousandth are rounded up, those over the range are capped, as Kubernetes does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity {
    milli: i128,
}

/// The text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)]
pub struct QuantityError;

impl Quantity {
    /// So many whole units.
    #[must_use]
    pub fn from_units(units: i64) -> Self {
        Self { milli: i128::from(units) * 1000 }
    }

    /// So many thousandths.
    #[must_use]
    pub fn from_milli(milli: i64) -> Self {
        Self { milli: i128::from(milli) }
    }

    /// Whole units, rounded up; capped to the range of the type.
    #[must_use]
    pub fn units(self) -> i64 {
        clamp(self.milli.div_euclid(1000) + i128::from(self.milli.rem_euclid(1000) != 0))
    }

    /// Thousandths, capped to the range of the type.
    #[must_use]
    pub fn milli(self) -> i64 {
        clamp(self.milli)
    }
}

impl std::ops::Add for Quantity {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { milli: self.milli.saturating_add(other.milli) }
    }
}

impl std::ops::Sub for Quantity {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { milli: self.milli.saturating_sub(other.milli) }
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let digits =
            text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(text.len());
        let (number, suffix) = text.split_at(digits);
        let (base, power) = scale(suffix).ok_or(QuantityError)?;
        parse_milli(number, base, power).map(|milli| Self { milli }).ok_or(QuantityError)
    }
}

impl fmt::Display for Quantity {
    /// The plain decimal form: `1500m`, `2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.milli % 1000 == 0 {
            write!(f, "{}", self.milli / 1000)
        } else {
            write!(f, "{}m", self.milli)
        }
    }
}

/// Base and power of a suffix.
fn scale(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "n" => (10, -9),
        "u" => (10, -6),
        "m" => (10, -3),
        "" => (10, 0),
        "k" => (10, 3),
        "M" => (10, 6),
        "G" => (10, 9),
        "T" => (10, 12),
        "P" => (10, 15),
        "E" => (10, 18),
        "Ki" => (1024, 1),
        "Mi" => (1024, 2),
        "Gi" => (1024, 3),
        "Ti" => (1024, 4),
        "Pi" => (1024, 5),
        "Ei" => (1024, 6),
        exponent => (
            10,
            exponent.strip_prefix(['e', 'E'])?.parse().ok().filter(|e| (-30..=30).contains(e))?,
        ),
    })
}

fn parse_milli(number: &str, base: i128, power: i32) -> Option<i128> {
    let (negative, number) = match number.as_bytes().first()? {
        b'-' => (true, &number[1..]),
        b'+' => (false, &number[1..]),
        _ => (false, number),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 30 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: i128 = digits.parse().ok()?;
    let up = base.checked_pow(power.max(0).unsigned_abs())?.checked_mul(1000)?;
    let down = 10_i128
        .checked_pow(u32::try_from(fraction.len()).ok()?)?
        .checked_mul(base.checked_pow(power.min(0).unsigned_abs())?)?;
    let product = value.checked_mul(up).unwrap_or(i128::MAX);
    let milli = product / down + i128::from(product % down != 0);
    Some(if negative { -milli } else { milli })
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
