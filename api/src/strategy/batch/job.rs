//! Jobs.

use crate::strategy::json::{
    existing_mut, fill, fill_nil, int_of, is_empty, is_nil, is_true, map_at, map_mut, map_of,
    str_at, str_of,
};
use crate::strategy::pod::default_template;
use crate::strategy::{Map, Strategy};
use crate::validation::pod::validate_template;
use crate::validation::rules::{immutable, label_selector, none_or, not_negative, selects};
use crate::validation::{Errors, Path};
use serde_json::{Value, json};
use std::borrow::Cow;
use windlass_core::Object;

/// The rules of Jobs.
pub(in crate::strategy) struct Job;

const SPEC: Path<'static> = Path::new("spec");
const UID: &str = "batch.kubernetes.io/controller-uid";
const NAME: &str = "batch.kubernetes.io/job-name";
const NUMBERS: [&str; 6] = [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
];

impl Strategy for Job {
    fn default(&self, object: &mut Map) {
        let labels = map_at(object, &["spec", "template", "metadata", "labels"]).cloned();
        if let Some(labels) = labels.filter(|labels| !labels.is_empty()) {
            fill(map_mut(object, "metadata"), "labels", labels);
        }
        let spec = map_mut(object, "spec");
        if is_nil(spec, "completions") && is_nil(spec, "parallelism") {
            fill_nil(spec, "completions", 1);
        }
        fill_nil(spec, "parallelism", 1);
        let per_index = !is_nil(spec, "backoffLimitPerIndex");
        fill_nil(spec, "backoffLimit", if per_index { i64::from(i32::MAX) } else { 6 });
        fill_nil(spec, "completionMode", "NonIndexed");
        fill_nil(spec, "suspend", false);
        fill_nil(spec, "manualSelector", false);
        let failed = !is_nil(spec, "podFailurePolicy");
        fill_nil(
            spec,
            "podReplacementPolicy",
            if failed { "Failed" } else { "TerminatingOrFailed" },
        );
        if let Some(template) = existing_mut(spec, "template") {
            default_template(template);
        }
    }

    fn prepare_for_create(&self, object: &mut Map) {
        let (name, uid) = (
            str_at(object, &["metadata", "name"]).to_owned(),
            str_at(object, &["metadata", "uid"]).to_owned(),
        );
        let spec = map_mut(object, "spec");
        if is_true(spec, "manualSelector") {
            return;
        }
        let template = map_mut(spec, "template");
        let labels = map_mut(map_mut(template, "metadata"), "labels");
        for (key, value) in
            [(UID, &uid), (NAME, &name), ("controller-uid", &uid), ("job-name", &name)]
        {
            labels.insert(key.into(), value.clone().into());
        }
        let selector = map_mut(spec, "selector");
        map_mut(selector, "matchLabels").insert(UID.into(), uid.into());
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let spec = map_of(object, "spec").cloned().unwrap_or_default();
        let name = str_at(object, &["metadata", "name"]);
        let indexed = str_of(&spec, "completionMode") == "Indexed";
        if name.len() > 63 {
            errors.invalid("metadata.name", name, "must be no more than 63 bytes");
        }
        validate_job(&spec, &SPEC, &mut errors);
        if indexed && is_nil(&spec, "completions") {
            errors.required(SPEC.child("completions"), "when completion mode is Indexed");
        }
        selector(&spec, &mut errors);
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let (new, old_spec) =
            (map_of(new, "spec").unwrap_or(&empty), map_of(old, "spec").unwrap_or(&empty));
        for key in
            ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy"]
        {
            immutable(new, old_spec, key, &SPEC, &mut errors);
        }
        let elastic = str_of(new, "completionMode") == "Indexed"
            && new.get("completions") == new.get("parallelism");
        if !elastic {
            immutable(new, old_spec, "completions", &SPEC, &mut errors);
        }
        let never_ran = is_true(old_spec, "suspend")
            && map_at(old, &["status"]).is_none_or(|s| is_empty(s, "startTime"));
        if never_ran {
            let kept = |spec: &Map| movable(map_of(spec, "template").unwrap_or(&empty).clone());
            let (new, old) = (json!({"template": kept(new)}), json!({"template": kept(old_spec)}));
            if let (Value::Object(new), Value::Object(old)) = (new, old) {
                immutable(&new, &old, "template", &SPEC, &mut errors);
            }
        } else {
            immutable(new, old_spec, "template", &SPEC, &mut errors);
        }
        errors
    }

    fn fields(&self) -> &'static [&'static str] {
        &["status.successful"]
    }

    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        let value = match name {
            "status.successful" => {
                crate::strategy::fields::value(object, &["status.succeeded"], "status.succeeded")?
            }
            _ => return None,
        };
        Some(if value.is_empty() { "0".into() } else { value })
    }
}

/// What is wrong with the spec of a Job, also of one in a CronJob.
pub(super) fn validate_job(spec: &Map, path: &Path<'_>, errors: &mut Errors) {
    not_negative(spec, &NUMBERS, path, errors);
    none_or(spec, "completionMode", &["NonIndexed", "Indexed"], path, errors);
    none_or(spec, "podReplacementPolicy", &["Failed", "TerminatingOrFailed"], path, errors);
    let empty = Map::new();
    let template = map_of(spec, "template").unwrap_or(&empty);
    let at = path.child("template");
    validate_template(template, &at, errors);
    match str_at(template, &["spec", "restartPolicy"]) {
        "OnFailure" | "Never" => {}
        "Always" | "" => {
            let detail = "valid values: \"OnFailure\", \"Never\"";
            errors.required(at.child("spec").child("restartPolicy"), detail);
        }
        other => {
            errors.not_supported(
                at.child("spec").child("restartPolicy"),
                other,
                &["Never", "OnFailure"],
            );
        }
    }
    let indexes = int_of(spec, "completions").unwrap_or(0);
    if str_of(spec, "completionMode") == "Indexed"
        && int_of(spec, "parallelism").unwrap_or(0) > 100_000
        && indexes > 100_000
    {
        let detail = "must be less than or equal to 100000 when parallelism is over 100000";
        errors.invalid(path.child("parallelism"), int_of(spec, "parallelism"), detail);
    }
}

fn selector(spec: &Map, errors: &mut Errors) {
    let path = SPEC.child("selector");
    let Some(selector) = map_of(spec, "selector") else {
        return errors.required(path, "");
    };
    label_selector(selector, &path, errors);
    let labels = map_at(spec, &["template", "metadata", "labels"]);
    if !selects(selector, labels) {
        let value = labels.cloned().map_or(Value::Null, Value::Object);
        let at = SPEC.child("template");
        let detail = "`selector` does not match template `labels`";
        errors.invalid(at.child("metadata").child("labels"), value, detail);
    }
}

/// The template without what says where its pods run, which may change before they do.
fn movable(mut template: Map) -> Map {
    if let Some(metadata) = existing_mut(&mut template, "metadata") {
        metadata.shift_remove("labels");
        metadata.shift_remove("annotations");
    }
    if let Some(spec) = existing_mut(&mut template, "spec") {
        for key in ["nodeSelector", "affinity", "tolerations", "schedulingGates"] {
            spec.shift_remove(key);
        }
    }
    template
}
