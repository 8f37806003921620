use super::*;
use proptest::prelude::*;
use serde_json::json;

const POD: GroupVersionKind = GroupVersionKind::new("", "v1", "Pod");
const DEPLOYMENT: GroupVersionKind = GroupVersionKind::new("apps", "v1", "Deployment");

fn map(value: Value) -> Map {
    value.as_object().expect("an object").clone()
}

fn patched(gvk: &GroupVersionKind, current: Value, patch: Value) -> Result<Value, Status> {
    strategic(&map(current), patch.to_string().as_bytes(), gvk).map(Value::Object)
}

/// Each case: current `spec`, patch of `spec`, resulting `spec`; of a Pod.
#[test]
fn directives() {
    let containers = json!([{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]);
    let cases = [
        (
            "lists merge by key",
            json!({"containers": containers}),
            json!({"containers": [{"name": "b", "image": "3"}]}),
            json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "3"}]}),
        ),
        (
            "new elements are added",
            json!({"containers": containers}),
            json!({"containers": [{"name": "c", "image": "3"}]}),
            json!({"containers": [{"name": "c", "image": "3"}, {"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}),
        ),
        (
            "$patch: delete",
            json!({"containers": containers}),
            json!({"containers": [{"name": "a", "$patch": "delete"}]}),
            json!({"containers": [{"name": "b", "image": "2"}]}),
        ),
        (
            "$patch: replace in a list",
            json!({"containers": containers}),
            json!({"containers": [{"name": "x"}, {"$patch": "replace"}]}),
            json!({"containers": [{"name": "x"}]}),
        ),
        (
            "$patch: replace in an object",
            json!({"securityContext": {"runAsUser": 1, "fsGroup": 2}}),
            json!({"securityContext": {"runAsUser": 3, "$patch": "replace"}}),
            json!({"securityContext": {"runAsUser": 3}}),
        ),
        (
            "$setElementOrder",
            json!({"containers": containers}),
            json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "a", "image": "9"}]}),
            json!({"containers": [{"name": "b", "image": "2"}, {"name": "a", "image": "9"}]}),
        ),
        (
            "$retainKeys",
            json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
            json!({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}),
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}),
        ),
        (
            "null removes",
            json!({"nodeName": "n", "hostname": "h"}),
            json!({"nodeName": null, "subdomain": null}),
            json!({"hostname": "h"}),
        ),
        (
            "a list without a merge strategy is replaced",
            json!({"tolerations": [{"key": "a"}, {"key": "b"}]}),
            json!({"tolerations": [{"key": "c"}]}),
            json!({"tolerations": [{"key": "c"}]}),
        ),
        (
            "directives vanish where there is nothing to merge into",
            json!({}),
            json!({"containers": [{"name": "a", "$patch": "delete"}, {"name": "b", "env": [{"name": "X", "$patch": "delete"}]}]}),
            json!({"containers": [{"name": "b", "env": []}]}),
        ),
    ];
    for (name, current, patch, wanted) in cases {
        let got = patched(&POD, json!({"spec": current}), json!({"spec": patch}));
        assert_eq!(got.expect(name), json!({"spec": wanted}), "{name}");
    }
}

#[test]
fn lists_of_scalars_are_sets() {
    let current = json!({"metadata": {"finalizers": ["a/a", "b/b"]}});
    let add = json!({"metadata": {"finalizers": ["c/c"]}});
    let added = patched(&POD, current.clone(), add).expect("added");
    let list = added["metadata"]["finalizers"].as_array().expect("a list");
    assert_eq!(list.len(), 3);
    let remove = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/a"]}});
    let removed = patched(&POD, current, remove).expect("removed");
    assert_eq!(removed["metadata"]["finalizers"], json!(["b/b"]));
}

#[test]
fn strategy_of_a_deployment_retains_keys() {
    let current =
        json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
    let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
    let got = patched(&DEPLOYMENT, current, patch).expect("patched");
    assert_eq!(got["spec"]["strategy"], json!({"type": "Recreate"}));
}

#[test]
fn malformed_patches_are_refused() {
    for patch in [
        json!({"spec": {"containers": [{"image": "no key"}]}}),
        json!({"spec": {"containers": [1]}}),
        json!({"spec": {"$patch": "explode"}}),
        json!({"spec": {"$retainKeys": "x"}}),
        json!({"spec": {"$setElementOrder/containers": [{"name": "z"}], "containers": [{"name": "a"}]}}),
    ] {
        let current = json!({"spec": {"containers": [{"name": "a"}]}});
        let status = patched(&POD, current, patch.clone()).expect_err("refused");
        assert_eq!(status.code, 400, "{patch}");
    }
    assert_eq!(strategic(&Map::new(), b"[]", &POD).expect_err("a list").code, 400);
    let unknown = GroupVersionKind::new("example.com", "v1", "Gadget");
    assert_eq!(strategic(&Map::new(), b"{}", &unknown).expect_err("no schema").code, 415);
}

fn containers() -> impl Strategy<Value = Value> {
    let item = ("[a-e]", "[x-z]", proptest::option::of("[p-q]")).prop_map(|(name, image, dir)| {
        let mut item = json!({"name": name, "image": image});
        if let Some(dir) = dir {
            item["workingDir"] = json!(dir);
        }
        item
    });
    proptest::collection::vec(item, 0..5).prop_map(|mut items| {
        let mut seen = std::collections::BTreeSet::new();
        items.retain(|item| seen.insert(item["name"].to_string()));
        json!({"spec": {"containers": items}})
    })
}

proptest! {
    #[test]
    fn patching_twice_is_patching_once(current in containers(), patch in containers()) {
        let once = patched(&POD, current, patch.clone()).expect("patched");
        let twice = patched(&POD, once.clone(), patch).expect("patched");
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn nothing_is_lost_and_the_patch_wins(current in containers(), patch in containers()) {
        let got = patched(&POD, current.clone(), patch.clone()).expect("patched");
        let find = |from: &Value, name: &Value| {
            from["spec"]["containers"].as_array().and_then(|l| l.iter().find(|c| &c["name"] == name)).cloned()
        };
        for wanted in patch["spec"]["containers"].as_array().into_iter().flatten() {
            let there = find(&got, &wanted["name"]).expect("it is there");
            prop_assert_eq!(&there["image"], &wanted["image"]);
        }
        for old in current["spec"]["containers"].as_array().into_iter().flatten() {
            prop_assert!(find(&got, &old["name"]).is_some());
        }
    }
}
