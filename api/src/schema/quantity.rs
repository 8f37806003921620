//! The canonical form of a quantity (API reference, "Quantity"): the value with the largest suffix
//! that leaves no fraction, in the family of suffixes it was written in.

/// Why a text is no quantity, in Kubernetes' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum QuantityError {
    #[error(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Format,
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Decimal,
    Exponent,
    Binary,
}

const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const FINEST: i32 = -9;

/// Rewrites a quantity in canonical form. An amount too large to be reckoned with stays as written;
/// one finer than a billionth is rounded up to it.
pub(super) fn canonical(text: &str) -> Result<String, QuantityError> {
    let (negative, digits, suffix) = split(text)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (family, base, power) = scale(suffix).ok_or(QuantityError::Suffix)?;
    let decimals = i32::try_from(fraction.len()).unwrap_or(i32::MAX);
    let mantissa = format!("{whole}{fraction}").parse::<i128>().ok();
    let amount = mantissa.and_then(|mantissa| match base {
        10 => Some((mantissa, power.checked_sub(decimals)?)),
        base => Some((
            mantissa.checked_mul(i128::from(base).checked_pow(power.unsigned_abs())?)?,
            -decimals,
        )),
    });
    let Some((mantissa, exponent)) =
        amount.and_then(|(mantissa, exponent)| round_up(mantissa, exponent))
    else {
        return Ok(text.to_owned());
    };
    let sign = if negative && mantissa != 0 { "-" } else { "" };
    Ok(format!("{sign}{}", write(family, mantissa, exponent)))
}

/// Sign, digits with at most one point, and what follows.
fn split(text: &str) -> Result<(bool, &str, &str), QuantityError> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (digits, suffix) = unsigned.split_at(end);
    let letters = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let rest = letters.strip_prefix(['+', '-']).unwrap_or(letters);
    let points = digits.bytes().filter(|&byte| byte == b'.').count();
    if points > 1 || digits.len() == points || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(QuantityError::Format);
    }
    Ok((text.starts_with('-'), digits, suffix))
}

fn scale(suffix: &str) -> Option<(Family, u16, i32)> {
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((Family::Decimal, 10, *power));
    }
    if let Some(power) = BINARY.iter().position(|name| *name == suffix) {
        return Some((Family::Binary, 1024, i32::try_from(power).ok()?));
    }
    let power =
        suffix.strip_prefix(['e', 'E'])?.parse().ok().filter(|power| (-60..=60).contains(power))?;
    Some((Family::Exponent, 10, power))
}

/// Brings the exponent to the finest that is kept; without trailing zeros.
fn round_up(mut mantissa: i128, mut exponent: i32) -> Option<(i128, i32)> {
    if mantissa == 0 {
        return Some((0, 0));
    }
    if exponent < FINEST {
        let divisor = 10_i128.checked_pow((FINEST - exponent).unsigned_abs());
        mantissa =
            divisor.map_or(1, |divisor| mantissa / divisor + i128::from(mantissa % divisor != 0));
        exponent = FINEST;
    }
    while mantissa % 10 == 0 {
        mantissa /= 10;
        exponent += 1;
    }
    (exponent <= 20).then_some((mantissa, exponent))
}

fn write(family: Family, mantissa: i128, exponent: i32) -> String {
    let whole = 10_i128
        .checked_pow(exponent.max(0).unsigned_abs())
        .and_then(|scale| mantissa.checked_mul(scale));
    match (family, whole) {
        (Family::Binary, Some(value)) if exponent >= 0 && value >= 1024 => binary(value),
        (Family::Exponent, _) => decimal(mantissa, exponent, |power| match power {
            0 => Some(String::new()),
            power => Some(format!("e{power}")),
        }),
        _ => decimal(mantissa, exponent, |power| {
            DECIMAL.iter().find(|(_, scale)| *scale == power).map(|(name, _)| (*name).to_owned())
        }),
    }
}

fn binary(mut value: i128) -> String {
    let mut suffix = 0;
    while value % 1024 == 0 && suffix + 1 < BINARY.len() {
        value /= 1024;
        suffix += 1;
    }
    format!("{value}{}", BINARY[suffix])
}

/// Writes with an exponent that is a multiple of three, the largest that has a name.
fn decimal(
    mut mantissa: i128,
    mut exponent: i32,
    suffix: impl Fn(i32) -> Option<String>,
) -> String {
    loop {
        match suffix(exponent).filter(|_| exponent % 3 == 0) {
            Some(suffix) => return format!("{mantissa}{suffix}"),
            None => {
                mantissa *= 10;
                exponent -= 1;
            }
        }
    }
}
