//! StatefulSets.

use super::{SPEC, spec_of, validate_pods, validate_selector};
use crate::strategy::json::{
    each_mut, existing_mut, fill, fill_nil, int_of, map_mut, map_of, maps_of, restore, str_of,
};
use crate::strategy::pod::default_template;
use crate::strategy::volume::{default_claim, validate_claim};
use crate::strategy::{Map, Strategy};
use crate::validation::Errors;
use crate::validation::format::dns1123_subdomain;
use crate::validation::rules::{not_negative, one_of, texts};
use serde_json::json;

/// The rules of StatefulSets.
pub(in crate::strategy) struct StatefulSet;

/// What an update may change.
const OPEN: [&str; 8] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
    "",
];
const FIXED: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

impl Strategy for StatefulSet {
    fn default(&self, object: &mut Map) {
        let spec = map_mut(object, "spec");
        fill(spec, "podManagementPolicy", "OrderedReady");
        let strategy = map_mut(spec, "updateStrategy");
        fill(strategy, "type", "RollingUpdate");
        if str_of(strategy, "type") == "RollingUpdate" {
            fill_nil(map_mut(strategy, "rollingUpdate"), "partition", 0);
        }
        let retention = map_mut(spec, "persistentVolumeClaimRetentionPolicy");
        fill(retention, "whenDeleted", "Retain");
        fill(retention, "whenScaled", "Retain");
        fill_nil(spec, "replicas", 1);
        fill_nil(spec, "revisionHistoryLimit", 10);
        if let Some(template) = existing_mut(spec, "template") {
            default_template(template);
        }
        for claim in each_mut(spec, "volumeClaimTemplates") {
            fill(claim, "apiVersion", "v1");
            fill(claim, "kind", "PersistentVolumeClaim");
            default_claim(claim);
            fill(claim, "status", json!({"phase": "Pending"}));
        }
    }

    fn prepare_for_create(&self, object: &mut Map) {
        object.insert("status".into(), json!({"replicas": 0, "availableReplicas": 0}));
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let spec = spec_of(object);
        one_of(&spec, "podManagementPolicy", &["OrderedReady", "Parallel"], &SPEC, &mut errors);
        let path = SPEC.child("updateStrategy");
        if let Some(strategy) = map_of(&spec, "updateStrategy") {
            one_of(strategy, "type", &["OnDelete", "RollingUpdate"], &path, &mut errors);
            if let Some(rolling) = map_of(strategy, "rollingUpdate") {
                not_negative(rolling, &["partition"], &path.child("rollingUpdate"), &mut errors);
            }
        }
        let path = SPEC.child("persistentVolumeClaimRetentionPolicy");
        if let Some(retention) = map_of(&spec, "persistentVolumeClaimRetentionPolicy") {
            for key in ["whenDeleted", "whenScaled"] {
                one_of(retention, key, &["Delete", "Retain"], &path, &mut errors);
            }
        }
        let numbers = ["replicas", "minReadySeconds", "revisionHistoryLimit"];
        not_negative(&spec, &numbers, &SPEC, &mut errors);
        if let Some(ordinals) = map_of(&spec, "ordinals").filter(|o| int_of(o, "start").is_some()) {
            not_negative(ordinals, &["start"], &SPEC.child("ordinals"), &mut errors);
        }
        let service = str_of(&spec, "serviceName");
        if !service.is_empty() {
            texts(SPEC.child("serviceName"), service, &dns1123_subdomain(service), &mut errors);
        }
        let list = SPEC.child("volumeClaimTemplates");
        for (at, claim) in maps_of(&spec, "volumeClaimTemplates") {
            let empty = Map::new();
            let claim = map_of(claim, "spec").unwrap_or(&empty);
            validate_claim(claim, &list.index(at).child("spec"), &mut errors);
        }
        validate_selector(&spec, "statefulset", &mut errors);
        validate_pods(&claims_as_volumes(spec), &mut errors);
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        let (mut new, old) = (spec_of(new), spec_of(old));
        for key in OPEN {
            restore(&mut new, &old, key);
        }
        if new != old {
            errors.forbidden(SPEC, FIXED);
        }
        errors
    }
}

/// The spec with the claims among the volumes of the template, where its mounts look for them.
fn claims_as_volumes(mut spec: Map) -> Map {
    let names: Vec<_> = maps_of(&spec, "volumeClaimTemplates")
        .filter_map(|(_, claim)| map_of(claim, "metadata")?.get("name").cloned())
        .collect();
    let Some(template) = existing_mut(&mut spec, "template") else { return spec };
    let pod = map_mut(template, "spec");
    let volumes = pod.entry("volumes").or_insert_with(|| json!([]));
    if let Some(volumes) = volumes.as_array_mut() {
        volumes.retain(|volume| volume.get("name").is_none_or(|name| !names.contains(name)));
        volumes.extend(
            names
                .into_iter()
                .map(|name| json!({"name": name, "persistentVolumeClaim": {"claimName": name}})),
        );
    }
    spec
}
