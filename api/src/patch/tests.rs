use super::*;
use crate::strategy::Map;
use proptest::prelude::*;
use serde_json::{Value, json};

fn map(value: Value) -> Map {
    value.as_object().expect("an object").clone()
}

#[test]
fn json_patches() {
    let current = map(json!({"data": {"y": "2"}}));
    let patch = json!([
        {"op": "test", "path": "/data/y", "value": "2"},
        {"op": "add", "path": "/data/z", "value": "3"}
    ]);
    let got = json(&current, patch.to_string().as_bytes()).expect("patched");
    assert_eq!(Value::Object(got), json!({"data": {"y": "2", "z": "3"}}));
    for (patch, code) in [
        (json!([{"op": "test", "path": "/data/y", "value": "9"}]), 422),
        (json!([{"op": "remove", "path": "/data/none"}]), 422),
        (json!([{"op": "replace", "path": "", "value": 1}]), 400),
        (json!({"op": "add"}), 400),
        (json!([{"op": "explode", "path": "/x"}]), 400),
    ] {
        let status = json(&current, patch.to_string().as_bytes()).expect_err("refused");
        assert_eq!(status.code, code, "{patch}");
    }
    let absent = json!([
        {"op": "test", "path": "/metadata", "value": null},
        {"op": "add", "path": "/metadata", "value": {}}
    ]);
    let got = json(&current, absent.to_string().as_bytes()).expect("it is not there");
    assert_eq!(Value::Object(got), json!({"data": {"y": "2"}, "metadata": {}}));
    let orphan = json!([{"op": "test", "path": "/none/field", "value": null}]).to_string();
    assert_eq!(json(&current, orphan.as_bytes()).expect_err("nothing to look in").code, 422);
    let many: Vec<_> = (0..10_001).map(|_| json!({"op": "remove", "path": "/x"})).collect();
    assert_eq!(
        json(&current, Value::from(many).to_string().as_bytes()).expect_err("many").code,
        413
    );
}

#[test]
fn a_json_patch_does_not_grow_without_end() {
    let current = map(json!({"data": {"y": "2"}}));
    let copy = |n| json!({"op": "copy", "from": "/data", "path": format!("/data/{n}")});
    let doubling = Value::from((0..40).map(copy).collect::<Vec<_>>()).to_string();
    assert_eq!(json(&current, doubling.as_bytes()).expect_err("doubling").code, 413);
    let few = json!([{"op": "copy", "from": "/data", "path": "/data/x"}]).to_string();
    assert_eq!(json(&current, few.as_bytes()).expect("copied")["data"]["x"], json!({"y": "2"}));
    let wrap = [
        json!({"op": "move", "from": "/data", "path": "/t"}),
        json!({"op": "add", "path": "/data", "value": {}}),
        json!({"op": "move", "from": "/t", "path": "/data/x"}),
    ];
    let nesting =
        Value::from(wrap.iter().cloned().cycle().take(9000).collect::<Vec<_>>()).to_string();
    assert_eq!(json(&current, nesting.as_bytes()).expect_err("nesting").code, 413);
    let deep =
        json!([{"op": "test", "path": "/data/y", "value": "2"}, {"op": "remove", "path": "/z"}]);
    let error = json(&current, deep.to_string().as_bytes()).expect_err("refused");
    assert!(error.message.contains("/1"), "it names the operation: {}", error.message);
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::hash_map("[a-d]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    tree().prop_map(|value| json!({"spec": value}))
}

proptest! {
    #[test]
    fn merge_is_rfc_7386(current in object(), patch in object()) {
        let got = merge(&map(current.clone()), patch.to_string().as_bytes()).expect("merged");
        let mut wanted = current;
        json_patch::merge(&mut wanted, &patch);
        prop_assert_eq!(Value::Object(got), wanted);
    }

    #[test]
    fn a_json_patch_of_a_difference_leads_there(from in object(), to in object()) {
        let patch = serde_json::to_vec(&json_patch::diff(&from, &to)).expect("serializes");
        let got = json(&map(from), &patch).expect("applies");
        prop_assert_eq!(Value::Object(got), to);
    }
}
