//! What of a log is asked for (`v1.PodLogOptions`).

use crate::validation::Errors;
use windlass_core::meta::Status;
use windlass_core::scheme::GroupVersionKind;

const OPTIONS: GroupVersionKind = GroupVersionKind::new("", "v1", "PodLogOptions");
const TOO_MUCH: &str = "at most one of `sinceTime` or `sinceSeconds` may be specified";

/// The query for the agent. Options that can't be understood are refused here, for all agents alike.
pub(in crate::nodes) fn log_query(
    pod: &str,
    query: &[(String, String)],
) -> Result<Vec<(String, String)>, Status> {
    let mut errors = Errors::default();
    let mut wanted: Vec<(String, String)> = Vec::new();
    let given = query.iter().filter(|(_, value)| !value.is_empty());
    for (name, value) in given {
        let value = match name.as_str() {
            "follow" | "previous" | "timestamps" if is_set(value) => "true".to_owned(),
            "tailLines" => number(&mut errors, name, value, 0)?,
            "sinceSeconds" | "limitBytes" => number(&mut errors, name, value, 1)?,
            "sinceTime" => time(value)?,
            _ => continue,
        };
        if !wanted.iter().any(|(known, _)| known == name) {
            wanted.push((name.clone(), value));
        }
    }
    let has = |name: &str| wanted.iter().any(|(known, _)| known == name);
    if has("sinceSeconds") && has("sinceTime") {
        errors.forbidden("sinceTime", TOO_MUCH);
    }
    errors.check(&OPTIONS, pod).map_err(|status| *status)?;
    Ok(wanted)
}

/// Whether a flag of a query is on.
pub(in crate::nodes) fn is_set(value: &str) -> bool {
    !(value == "0" || value.eq_ignore_ascii_case("false"))
}

fn number(errors: &mut Errors, name: &str, value: &str, least: i64) -> Result<String, Status> {
    let number: i64 = value.parse().map_err(|_| bad(name, value))?;
    if number < least {
        let detail = match least {
            0 => "must be greater than or equal to 0",
            _ => "must be greater than 0",
        };
        errors.invalid(name, number, detail);
    }
    Ok(number.to_string())
}

fn time(value: &str) -> Result<String, Status> {
    let time: jiff::Timestamp = value.parse().map_err(|_| bad("sinceTime", value))?;
    Ok(time.to_string())
}

fn bad(name: &str, value: &str) -> Status {
    Status::bad_request(format!("{name}: invalid value {value:?}"))
}
