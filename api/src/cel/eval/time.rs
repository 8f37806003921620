//! Parts of points and lengths of time.

use super::Outcome;
use crate::cel::error::EvalError;
use crate::cel::value::Value;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

const SECOND: i64 = 1_000_000_000;

/// `getHours` and the like.
pub(super) fn part<'a>(function: &str, value: &Value<'_>, zone: Option<&str>) -> Outcome<'a> {
    match value {
        Value::Timestamp(at) => of_point(function, *at, zone),
        Value::Duration(nanos) => of_length(function, *nanos),
        _ => Err(EvalError::no_overload()),
    }
    .map(Value::Int)
}

fn of_length(function: &str, nanos: i64) -> Result<i64, EvalError> {
    Ok(match function {
        "getHours" => nanos / (3600 * SECOND),
        "getMinutes" => nanos / (60 * SECOND),
        "getSeconds" => nanos / SECOND,
        "getMilliseconds" => nanos / 1_000_000 % 1000,
        _ => return Err(EvalError::no_overload()),
    })
}

fn of_point(function: &str, at: Timestamp, zone: Option<&str>) -> Result<i64, EvalError> {
    let at = at.to_zoned(zone.map_or(Ok(TimeZone::UTC), time_zone)?);
    Ok(match function {
        "getFullYear" => i64::from(at.year()),
        "getMonth" => i64::from(at.month()) - 1,
        "getDayOfYear" => i64::from(at.day_of_year()) - 1,
        "getDayOfMonth" => i64::from(at.day()) - 1,
        "getDate" => i64::from(at.day()),
        "getDayOfWeek" => i64::from(at.weekday().to_sunday_zero_offset()),
        "getHours" => i64::from(at.hour()),
        "getMinutes" => i64::from(at.minute()),
        "getSeconds" => i64::from(at.second()),
        "getMilliseconds" => i64::from(at.millisecond()),
        _ => return Err(EvalError::no_overload()),
    })
}

/// A name of the database, or an offset: `-08:00`.
fn time_zone(name: &str) -> Result<TimeZone, EvalError> {
    let offset = || {
        let (sign, rest) = match name.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, name.strip_prefix('+').unwrap_or(name)),
        };
        let (hours, minutes) = rest.split_once(':')?;
        let seconds = (hours.parse::<i32>().ok()? * 60 + minutes.parse::<i32>().ok()?) * 60;
        Offset::from_seconds(sign * seconds).ok().map(TimeZone::fixed)
    };
    let known = || TimeZone::get(name).ok();
    offset().or_else(known).ok_or_else(|| EvalError::failed(format!("unknown time zone {name}")))
}
