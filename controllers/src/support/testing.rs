//! Small data for the tests of plans.

use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::cache::Entry;
use windlass_core::{Object, View};

/// Noon of a day, and so many seconds.
pub(crate) fn at(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// The cases of a data file beside the tests: a list in YAML.
pub(crate) fn cases<T: serde::de::DeserializeOwned>(yaml: &str) -> Vec<T> {
    yaml_serde::from_str(yaml).unwrap()
}

/// A cached object.
pub(crate) fn entry<V: View>(object: Value) -> Arc<Entry<V>> {
    let object = Object::from_wire(object.to_string().into()).unwrap();
    Arc::new(Entry::new(Arc::new(object)).unwrap())
}

/// Puts `more` over `base`, objects into objects; null takes away, and is nothing when it is all there is.
pub(crate) fn merged(mut base: Value, more: Value) -> Value {
    if !more.is_null() {
        merge(&mut base, more);
    }
    base
}

fn merge(base: &mut Value, more: Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (key, value) in more {
                if value.is_null() {
                    base.shift_remove(&key);
                } else {
                    merge(base.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (base, more) => *base = more,
    }
}

/// A pod with labels `app=a` that `owner` controls (empty: nobody).
pub(crate) fn pod<V: View>(name: &str, owner: &str, more: Value) -> Arc<Entry<V>> {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": name, "namespace": "ns", "uid": format!("uid-{name}"), "labels": {"app": "a"}}});
    if !owner.is_empty() {
        pod["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "apps/v1", "kind": "X", "name": owner, "uid": format!("uid-{owner}"), "controller": true}]);
    }
    entry(merged(pod, more))
}

/// The status of a pod that runs and is ready since so many seconds.
pub(crate) fn ready(since: i64) -> Value {
    let time = at(since).to_string();
    json!({"spec": {"nodeName": "n"}, "status": {"phase": "Running",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": time}]}})
}
