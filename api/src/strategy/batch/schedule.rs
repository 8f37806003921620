//! Cron schedules: five fields, or a name for one that is common (crontab(5)).

const FIELDS: [(&str, u32, u32, &[&str]); 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of month", 1, 31, &[]),
    (
        "month",
        1,
        12,
        &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    ),
    ("day of week", 0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];
const NAMES: [&str; 7] =
    ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// Whether a text is a schedule; if not, why.
pub(super) fn check(text: &str) -> Result<(), String> {
    if let Some(duration) = text.strip_prefix("@every ") {
        return every(duration).ok_or_else(|| format!("failed to parse duration {text}"));
    }
    if text.starts_with('@') {
        let known = NAMES.contains(&text);
        return if known { Ok(()) } else { Err(format!("unrecognized descriptor: {text}")) };
    }
    let fields: Vec<_> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        let found = fields.len();
        return Err(format!("expected exactly 5 fields, found {found}: [{}]", fields.join(" ")));
    }
    for (field, (_, least, most, names)) in fields.iter().zip(FIELDS) {
        field.split(',').try_for_each(|part| check_range(part, least, most, names))?;
    }
    Ok(())
}

fn check_range(part: &str, least: u32, most: u32, names: &[&str]) -> Result<(), String> {
    let (range, step) =
        part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
    let read = |text: &str| number(text, least, names);
    let (start, end) = match range.split_once('-') {
        _ if range == "*" || range == "?" => (least, most),
        Some((start, end)) => (read(start)?, read(end)?),
        None => {
            let start = read(range)?;
            (start, if step.is_some() { most } else { start })
        }
    };
    if step.map(|step| step.parse::<u32>()).is_some_and(|step| !matches!(step, Ok(1..))) {
        return Err(format!("step of range should be a positive number: {part}"));
    }
    if start < least {
        return Err(format!("beginning of range ({start}) below minimum ({least}): {part}"));
    }
    if end > most {
        return Err(format!("end of range ({end}) above maximum ({most}): {part}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {part}"));
    }
    Ok(())
}

fn number(text: &str, least: u32, names: &[&str]) -> Result<u32, String> {
    let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    if let Some(at) = named.and_then(|at| u32::try_from(at).ok()) {
        return Ok(least + at);
    }
    text.parse().map_err(|_| {
        format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax")
    })
}

/// A duration as Go writes it: numbers with units.
fn every(text: &str) -> Option<()> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        rest[..digits].parse::<f64>().ok()?;
        let unit = ["ns", "us", "ms", "s", "m", "h"]
            .iter()
            .filter(|u| rest[digits..].starts_with(**u))
            .max_by_key(|u| u.len())?;
        rest = &rest[digits + unit.len()..];
    }
    Some(())
}
