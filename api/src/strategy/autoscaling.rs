//! HorizontalPodAutoscalers.

use super::json::{fill_nil, int_of, is_empty, is_nil, map_mut, map_of, maps_of, str_of};
use super::{Map, Strategy};
use crate::validation::rules::required;
use crate::validation::{Errors, Path};
use serde_json::json;

/// The rules of HorizontalPodAutoscalers, in both versions.
pub(super) struct Autoscaler;

const SPEC: Path<'static> = Path::new("spec");

impl Strategy for Autoscaler {
    fn prepare_for_create(&self, object: &mut Map) {
        object.insert("status".into(), json!({"currentReplicas": 0, "desiredReplicas": 0}));
    }

    fn default(&self, object: &mut Map) {
        let v2 = str_of(object, "apiVersion") == "autoscaling/v2";
        let spec = map_mut(object, "spec");
        fill_nil(spec, "minReplicas", 1);
        if v2 && is_empty(spec, "metrics") {
            let target = json!({"type": "Utilization", "averageUtilization": 80});
            let metric =
                json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]);
            spec.insert("metrics".into(), metric);
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let spec = map_of(object, "spec").unwrap_or(&empty);
        let least = int_of(spec, "minReplicas");
        if let Some(least) = least.filter(|least| *least < 1) {
            let detail = "must be greater than or equal to 1";
            errors.invalid(SPEC.child("minReplicas"), least, detail);
        }
        let most = int_of(spec, "maxReplicas").unwrap_or(0);
        if most < 1 {
            errors.invalid(SPEC.child("maxReplicas"), most, "must be greater than 0");
        } else if least.is_some_and(|least| most < least) {
            let detail = "must be greater than or equal to `minReplicas`";
            errors.invalid(SPEC.child("maxReplicas"), most, detail);
        }
        let path = SPEC.child("scaleTargetRef");
        let target = map_of(spec, "scaleTargetRef").unwrap_or(&empty);
        required(target, "kind", &path, &mut errors);
        required(target, "name", &path, &mut errors);
        for (at, metric) in maps_of(spec, "metrics") {
            one_metric(metric, &SPEC.child("metrics").index(at), &mut errors);
        }
        errors
    }
}

fn one_metric(metric: &Map, path: &Path<'_>, errors: &mut Errors) {
    let kind = str_of(metric, "type");
    let (key, known) = match kind {
        "Object" => ("object", true),
        "Pods" => ("pods", true),
        "Resource" => ("resource", true),
        "ContainerResource" => ("containerResource", true),
        "External" => ("external", true),
        _ => ("", false),
    };
    if kind.is_empty() {
        errors.required(path.child("type"), "must specify a metric source type");
    } else if !known {
        let all = ["ContainerResource", "External", "Object", "Pods", "Resource"];
        errors.not_supported(path.child("type"), kind, &all);
    } else if is_nil(metric, key) {
        let detail = "must populate information for the given metric source";
        errors.required(path.child(key), detail);
    }
}
