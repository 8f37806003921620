use super::*;
use crate::strategy::Map;
use jiff::Timestamp;
use serde_json::{Value, json};
use windlass_core::scheme::GroupVersionKind;

const POD: GroupVersionKind = GroupVersionKind::new("", "v1", "Pod");

fn map(value: Value) -> Map {
    value.as_object().expect("an object").clone()
}

fn pod(container: Value) -> Map {
    map(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "uid": "u", "labels": {"a": "b"}},
        "spec": {"containers": [container], "nodeName": "n"}}))
}

fn write(new: &mut Map, old: Option<&Map>, manager: &str, subresource: &str, second: i64) {
    let now = Timestamp::from_second(second).expect("in range");
    update(new, &Update { gvk: &POD, old, manager, subresource, now, custom: None });
}

#[test]
fn a_set_survives_its_encoding() {
    let object = pod(json!({"name": "c", "ports": [{"containerPort": 80}], "args": ["x"]}));
    let set = field_set(&object, Shape::of_kind(&POD, None)).expect("well formed");
    let encoded = set.encode();
    assert_eq!(FieldSet::decode(&encoded), Some(set.clone()));
    let container = &encoded["f:spec"]["f:containers"]["k:{\"name\":\"c\"}"];
    assert_eq!(container["f:args"], json!({}), "an atomic list is one field");
    assert_eq!(container["."], json!({}));
    let port = "k:{\"containerPort\":80,\"protocol\":\"TCP\"}";
    assert_eq!(container["f:ports"][port], json!({".": {}, "f:containerPort": {}}));
    assert!(set.paths().contains(&".spec.containers[name=\"c\"].args".to_owned()));
    assert!(set.paths().contains(&".metadata.labels.a".to_owned()));
}

#[test]
fn malformed_sets_are_refused() {
    for bad in [json!({"x": {}}), json!({"f:a": 1}), json!({"k:[]": {}}), json!({"i:x": {}})] {
        assert_eq!(FieldSet::decode(&map(bad.clone())), None, "{bad}");
    }
    let deep = (0..100).fold(json!({}), |inner, _| json!({"f:a": inner}));
    assert_eq!(FieldSet::decode(&map(deep)), None);
}

#[test]
fn a_creator_owns_what_it_sent() {
    let mut object = pod(json!({"name": "c", "image": "x"}));
    write(&mut object, None, "kubectl", "", 0);
    let entry = &object["metadata"]["managedFields"][0];
    assert_eq!(entry["manager"], "kubectl");
    assert_eq!(entry["operation"], "Update");
    assert_eq!(entry["time"], "1970-01-01T00:00:00Z");
    assert_eq!(entry["fieldsV1"]["f:metadata"], json!({"f:labels": {".": {}, "f:a": {}}}));
    assert_eq!(entry["fieldsV1"]["f:spec"]["f:nodeName"], json!({}));
    assert_eq!(entry["fieldsV1"].get("f:kind"), None);
}

#[test]
fn a_field_moves_to_who_changed_it() {
    let mut first = pod(json!({"name": "c", "image": "x"}));
    write(&mut first, None, "one", "", 0);
    let mut second = first.clone();
    second["spec"]["containers"][0]["image"] = json!("y");
    write(&mut second, Some(&first), "two", "", 1);
    let image = ".spec.containers[name=\"c\"].image".to_owned();
    let managed = Managed::of(&second).expect("tracked");
    let owners: Vec<_> = managed
        .0
        .iter()
        .filter(|manager| manager.fields.paths().contains(&image))
        .map(|manager| manager.name.as_str())
        .collect();
    assert_eq!(owners, ["two"]);

    let mut third = second.clone();
    map_of_containers(&mut third).shift_remove("image");
    write(&mut third, Some(&second), "one", "", 2);
    let managed = Managed::of(&third).expect("tracked");
    assert!(managed.0.iter().all(|manager| !manager.fields.paths().contains(&image)));
}

fn map_of_containers(object: &mut Map) -> &mut Map {
    object["spec"]["containers"][0].as_object_mut().expect("a container")
}

#[test]
fn a_write_without_a_change_keeps_the_entry() {
    let mut first = pod(json!({"name": "c"}));
    write(&mut first, None, "one", "", 0);
    let mut again = first.clone();
    again["metadata"].as_object_mut().expect("metadata").shift_remove("managedFields");
    write(&mut again, Some(&first), "one", "", 9);
    assert_eq!(again["metadata"]["managedFields"], first["metadata"]["managedFields"]);
}

#[test]
fn status_has_owners_of_its_own() {
    let mut first = pod(json!({"name": "c"}));
    write(&mut first, None, "one", "", 0);
    let mut second = first.clone();
    second.insert("status".into(), json!({"phase": "Running"}));
    write(&mut second, Some(&first), "agent", "status", 1);
    let managed = Managed::of(&second).expect("tracked");
    let agent = managed.0.iter().find(|m| m.name == "agent").expect("the agent has an entry");
    assert_eq!(agent.subresource, "status");
    assert_eq!(agent.fields.paths(), [".status.phase"]);
    let mut third = second.clone();
    third.insert("status".into(), json!({"phase": "Failed"}));
    write(&mut third, Some(&second), "two", "", 2);
    assert!(Managed::of(&third).expect("tracked").0.iter().all(|m| m.name != "two"));
}

#[test]
fn an_empty_entry_clears_the_owners() {
    let mut first = pod(json!({"name": "c"}));
    write(&mut first, None, "one", "", 0);
    let mut second = first.clone();
    second["metadata"]["managedFields"] = json!([{}]);
    write(&mut second, Some(&first), "two", "", 1);
    assert_eq!(second["metadata"].get("managedFields"), None);
}

#[test]
fn old_updaters_are_put_together() {
    let mut object = pod(json!({"name": "c"}));
    write(&mut object, None, "m0", "", 0);
    for at in 1..20 {
        let old = object.clone();
        object["metadata"]["labels"][format!("l{at}")] = json!("x");
        write(&mut object, Some(&old), &format!("m{at}"), "", at);
    }
    let managed = Managed::of(&object).expect("tracked");
    assert!(managed.0.len() <= 11, "{}", managed.0.len());
    assert!(managed.0.iter().any(|m| m.name == "ancient-changes"));
    let all = managed.union("v1");
    assert_eq!(all.paths().iter().filter(|p| p.starts_with(".metadata.labels.l")).count(), 19);
}
