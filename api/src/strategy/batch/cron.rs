//! CronJobs.

use super::job::validate_job;
use super::schedule::check;
use crate::strategy::json::{
    existing_mut, fill, fill_nil, is_empty, is_nil, map_at, map_mut, map_of, str_at, str_of,
};
use crate::strategy::pod::default_template;
use crate::strategy::{Map, Strategy};
use crate::validation::rules::{not_negative, one_of};
use crate::validation::{Errors, Path};

/// The rules of CronJobs.
pub(in crate::strategy) struct CronJob;

const SPEC: Path<'static> = Path::new("spec");

impl Strategy for CronJob {
    fn default(&self, object: &mut Map) {
        let spec = map_mut(object, "spec");
        fill(spec, "concurrencyPolicy", "Allow");
        fill_nil(spec, "suspend", false);
        fill_nil(spec, "successfulJobsHistoryLimit", 3);
        fill_nil(spec, "failedJobsHistoryLimit", 1);
        if let Some(job) = existing_mut(spec, "jobTemplate")
            && let Some(spec) = existing_mut(job, "spec")
            && let Some(template) = existing_mut(spec, "template")
        {
            default_template(template);
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let name = str_at(object, &["metadata", "name"]);
        // A Job's name is this name with eleven more characters, and must fit a label.
        if name.len() > 52 {
            errors.invalid("metadata.name", name, "must be no more than 52 characters");
        }
        let empty = Map::new();
        let spec = map_of(object, "spec").unwrap_or(&empty);
        schedule(spec, &mut errors);
        let numbers =
            ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"];
        not_negative(spec, &numbers, &SPEC, &mut errors);
        let policies = ["Allow", "Forbid", "Replace"];
        one_of(spec, "concurrencyPolicy", &policies, &SPEC, &mut errors);
        let job = map_at(spec, &["jobTemplate", "spec"]).unwrap_or(&empty);
        let path = SPEC.child("jobTemplate");
        validate_job(job, &path.child("spec"), &mut errors);
        if job.get("manualSelector") == Some(&true.into()) {
            errors.not_supported(
                path.child("spec").child("manualSelector"),
                "true",
                &["nil", "false"],
            );
        }
        errors
    }
}

fn schedule(spec: &Map, errors: &mut Errors) {
    let text = str_of(spec, "schedule");
    let path = SPEC.child("schedule");
    if text.is_empty() {
        errors.required(path, "");
    } else if text.contains("TZ") {
        let detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        errors.invalid(path, text, detail);
    } else if let Err(why) = check(text) {
        errors.invalid(path, text, &why);
    }
    if is_nil(spec, "timeZone") {
        return;
    }
    let zone = str_of(spec, "timeZone");
    let path = SPEC.child("timeZone");
    if is_empty(spec, "timeZone") {
        errors.invalid(path, zone, "timeZone must be nil or non-empty string");
    } else if zone.eq_ignore_ascii_case("local") {
        errors.invalid(
            path,
            zone,
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        );
    } else if jiff::tz::TimeZone::get(zone).is_err() {
        errors.invalid(path, zone, &format!("unknown time zone {zone}"));
    }
}
