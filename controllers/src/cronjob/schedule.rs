//! Schedules: five fields, or a word like `@daily` (crontab(5)).

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// A schedule with no time in so many days has none (29 February on a weekday may take 40 years; crontabs stop earlier too).
const HORIZON_DAYS: u32 = 366 * 5;

/// When to do something, in a time zone.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// The field of days, or that of weekdays, is `*`: then both must fit, else one is enough.
    both: bool,
    zone: TimeZone,
}

/// Why a schedule can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unparseable schedule {0:?}")]
pub(super) struct ScheduleError(String);

impl Schedule {
    /// Reads `*/5 0-6 1,15 * mon-fri`, `@hourly`, and `TZ=Zone …` before either.
    ///
    /// # Errors
    /// When it is no schedule, or the time zone is unknown.
    pub(super) fn parse(text: &str, zone: Option<&str>) -> Result<Self, ScheduleError> {
        let error = || ScheduleError(text.to_owned());
        let (inner, rest) = match text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ="))
        {
            Some(tagged) => {
                tagged.split_once(' ').map(|(zone, rest)| (Some(zone), rest)).ok_or_else(error)?
            }
            None => (None, text),
        };
        let zone = inner.or(zone).map_or(Ok(TimeZone::UTC), TimeZone::get).map_err(|_| error())?;
        Self::fields(expand(rest.trim()), zone).ok_or_else(error)
    }

    fn fields(text: &str, zone: TimeZone) -> Option<Self> {
        let fields: Vec<_> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else { return None };
        let any = |field: &str| field.starts_with('*') || field.starts_with('?');
        let weekdays_set = field(weekdays, 0, 7, &DAYS)?;
        Some(Self {
            minutes: field(minutes, 0, 59, &[])?,
            hours: field(hours, 0, 23, &[])?,
            days: field(days, 1, 31, &[])?,
            months: field(months, 1, 12, &MONTHS)?,
            // Sunday is 0 and 7.
            weekdays: (weekdays_set | (weekdays_set >> 7)) & 0x7f,
            both: any(days) || any(weekdays),
            zone,
        })
    }

    /// The first time after `after`, if there is one.
    pub(super) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let start = after.to_zoned(self.zone.clone());
        let mut date = start.date();
        for _ in 0..HORIZON_DAYS {
            if self.takes(date)
                && let Some(found) = self.times(date).find(|time| *time > after)
            {
                return Some(found);
            }
            date = date.checked_add(Span::new().days(1)).ok()?;
        }
        None
    }

    fn takes(&self, date: Date) -> bool {
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        has(self.months, date.month()) && if self.both { day && weekday } else { day || weekday }
    }

    /// All times of a day. One that a change of the clock leaves out comes as late as the change is long.
    fn times(&self, date: Date) -> impl Iterator<Item = Timestamp> {
        let hours = (0..24).filter(|hour| has(self.hours, *hour));
        let all = hours.flat_map(|hour| {
            (0..60).filter(|minute| has(self.minutes, *minute)).map(move |minute| (hour, minute))
        });
        all.filter_map(move |(hour, minute)| {
            let time = date.to_datetime(Time::new(hour, minute, 0, 0).ok()?);
            Some(time.to_zoned(self.zone.clone()).ok()?.timestamp())
        })
    }
}

fn has(set: u64, at: i8) -> bool {
    set & (1 << at) != 0
}

fn expand(text: &str) -> &str {
    match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        other => other,
    }
}

fn field(text: &str, min: u32, max: u32, names: &[&str]) -> Option<u64> {
    text.split(',').try_fold(0, |set, part| Some(set | range(part, min, max, names)?))
}

fn range(text: &str, min: u32, max: u32, names: &[&str]) -> Option<u64> {
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|step| *step > 0)?)),
        None => (text, None),
    };
    let value = |text: &str| {
        let named = names.iter().position(|name| text.eq_ignore_ascii_case(name));
        let number = named
            .and_then(|at| u32::try_from(at).ok())
            .map(|at| at + min)
            .or_else(|| text.parse().ok());
        number.filter(|number| (min..=max).contains(number))
    };
    let (from, to) = match (range, range.split_once('-')) {
        ("*" | "?", _) => (min, if names == DAYS { 6 } else { max }),
        (_, Some((from, to))) => (value(from)?, value(to)?),
        (one, None) => (value(one)?, if step.is_some() { max } else { value(one)? }),
    };
    let step = usize::try_from(step.unwrap_or(1)).ok()?;
    (from <= to).then(|| (from..=to).step_by(step).fold(0, |set, at| set | (1 << at)))
}
