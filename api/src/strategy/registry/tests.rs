//! Scenarios from `cases.yaml`: what comes of an object that is created, or changed.

use super::strategy_for;
use crate::strategy::Map;
use crate::strategy::json::{fill_nil, map_mut};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use windlass_core::scheme::{GroupVersion, GroupVersionResource, Scheme};

const CASES: &str = include_str!("cases.yaml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it shows.
    name: String,
    /// `apps/v1/deployments`.
    resource: String,
    /// What is sent; metadata may be left out.
    #[serde(default)]
    object: Map,
    /// Merged into what came of `object`, and sent as an update.
    update: Option<Map>,
    /// The errors of the last write, in order; `...` stands for any text.
    #[serde(default)]
    errors: Vec<String>,
    /// JSON pointers and the values there after the last write; null: nothing there.
    #[serde(default)]
    has: BTreeMap<String, Value>,
}

fn resource(text: &str) -> GroupVersionResource {
    let (version, plural) = text.rsplit_once('/').expect("a version and a plural");
    let version: GroupVersion = version.parse().expect("a version");
    version.with_resource(plural.to_owned())
}

/// The object after a create.
fn created(gvr: &GroupVersionResource, object: &Map) -> Map {
    let info = Scheme::builtin().by_gvr(gvr).expect("a built-in resource");
    let mut object = object.clone();
    fill_nil(&mut object, "apiVersion", info.gvk().api_version());
    fill_nil(&mut object, "kind", info.kind.to_string());
    let metadata = map_mut(&mut object, "metadata");
    fill_nil(metadata, "name", "x");
    fill_nil(metadata, "uid", "u-1");
    if info.namespaced {
        fill_nil(metadata, "namespace", "default");
    }
    let strategy = strategy_for(gvr);
    strategy.default(&mut object);
    let once = object.clone();
    strategy.default(&mut object);
    assert_eq!(once, object, "defaulting twice is defaulting once");
    strategy.prepare_for_create(&mut object);
    object
}

fn run(case: &Case) {
    let gvr = resource(&case.resource);
    let strategy = strategy_for(&gvr);
    let mut object = created(&gvr, &case.object);
    let mut errors = strategy.validate(&object);
    if let Some(change) = &case.update {
        assert!(errors.is_empty(), "{}: the object itself: {errors:?}", case.name);
        let patch = serde_json::to_vec(change).expect("serializes");
        let mut new = crate::patch::merge(&object, &patch).expect("merges");
        strategy.default(&mut new);
        strategy.prepare_for_update(&mut new, &object);
        errors = strategy.validate_update(&new, &object);
        object = new;
    }
    let found: Vec<_> = errors.iter().map(ToString::to_string).collect();
    let fits = |(found, wanted): (&String, &String)| match wanted.split_once("...") {
        Some((start, end)) => found.starts_with(start) && found.ends_with(end),
        None => found == wanted,
    };
    let same = found.len() == case.errors.len() && found.iter().zip(&case.errors).all(fits);
    assert!(same, "{}:\n found  {found:#?}\n wanted {:#?}", case.name, case.errors);
    let whole = Value::Object(object);
    for (pointer, wanted) in &case.has {
        let found = whole.pointer(pointer).unwrap_or(&Value::Null);
        assert_eq!(found, wanted, "{}: {pointer}", case.name);
    }
}

#[test]
fn cases() {
    let cases: Vec<Case> = yaml_serde::from_str(CASES).expect("cases.yaml parses");
    assert!(cases.len() > 60);
    cases.iter().for_each(run);
}

#[test]
fn every_entry_names_a_resource() {
    for super::Entry(group, plural, ..) in super::ENTRIES {
        assert!(Scheme::builtin().by_group_resource(group, plural).is_some(), "{group}/{plural}");
    }
}

#[test]
fn any_garbage_is_survived() {
    let garbage: Value = serde_json::json!({
        "metadata": [], "spec": {"template": 1, "containers": [null, 1, {"ports": {}}], "ports": [[]],
        "selector": "x", "rules": {}, "strategy": [], "volumes": [{"emptyDir": 1}]},
        "data": [1], "webhooks": [1], "rules": [null], "subsets": [{}], "status": 1
    });
    let garbage = garbage.as_object().expect("an object");
    for info in Scheme::builtin().iter() {
        let strategy = strategy_for(&info.gvr);
        let mut object = garbage.clone();
        strategy.default(&mut object);
        strategy.prepare_for_create(&mut object);
        let _ = strategy.validate(&object);
        let mut new = garbage.clone();
        strategy.prepare_for_update(&mut new, &object);
        let _ = strategy.validate_update(&new, &object);
    }
}

#[test]
fn generation_counts_changes_of_the_spec_only() {
    let gvr = resource("apps/v1/deployments");
    let template = serde_json::json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
    let spec = serde_json::json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}, "status": {"replicas": 9}});
    let old = created(&gvr, spec.as_object().expect("an object"));
    assert_eq!(old["metadata"]["generation"], 1);
    assert_eq!(old["status"], serde_json::json!({}), "a creator does not write the status");
    let strategy = strategy_for(&gvr);
    let update = |patch: Value| {
        let mut new = crate::patch::merge(&old, patch.to_string().as_bytes()).expect("merges");
        strategy.prepare_for_update(&mut new, &old);
        new
    };
    let labeled =
        update(serde_json::json!({"metadata": {"labels": {"x": "y"}}, "status": {"replicas": 3}}));
    assert_eq!(labeled["metadata"]["generation"], 1);
    assert_eq!(labeled["status"], serde_json::json!({}));
    let scaled = update(serde_json::json!({"spec": {"replicas": 5}}));
    assert_eq!(scaled["metadata"]["generation"], 2);

    let mut status = scaled.clone();
    status.insert("status".into(), serde_json::json!({"replicas": 5}));
    status["spec"]["replicas"] = serde_json::json!(7);
    strategy.prepare_for_subresource("status", &mut status, &scaled);
    assert_eq!(status["spec"], scaled["spec"]);
    assert_eq!(status["status"], serde_json::json!({"replicas": 5}));
    assert_eq!(status["metadata"]["generation"], 2);
}
