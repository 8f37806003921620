use super::plan::{Attached, Snapshot, Wanted, attachment_name, is_exclusive, plan};
use super::promises::Place;
use crate::support::ops::Op;
use crate::support::testing::{at, cases, entry, pod, ready};
use crate::views::NodeView;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Case {
    name: String,
    /// A pod needs the volume.
    wanted: bool,
    /// Where it is: `here` (or it may be attached to many nodes), `other`, `promised`.
    #[serde(default)]
    place: String,
    /// How the node is: `ready`, `silent`, `gone`, `out of service`.
    #[serde(default)]
    node: String,
    /// `no`, `asked`, `yes`, `goes`.
    attached: String,
    #[serde(default)]
    in_use: bool,
    /// Nobody knows the volume of the attachment.
    #[serde(default)]
    unknown: bool,
    /// The node was told that it is attached.
    #[serde(default)]
    told: bool,
    /// Seconds since a pod needed it.
    #[serde(default)]
    after: i64,
    does: Vec<String>,
    again: Option<u64>,
}

#[test]
fn volumes_are_attached_where_pods_need_them() {
    for case in cases::<Case>(include_str!("tests/cases.yaml")) {
        let unique = "kubernetes.io/csi/d^h";
        let told = if case.told { json!([{"name": unique, "devicePath": ""}]) } else { json!([]) };
        let in_use = if case.in_use { json!([unique]) } else { json!([]) };
        let is_ready = if case.node == "silent" { "Unknown" } else { "True" };
        let taints = match &*case.node {
            "out of service" => {
                json!([{"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}])
            }
            _ => json!([]),
        };
        let node = entry::<NodeView>(json!({"metadata": {"name": "n"}, "spec": {"taints": taints},
            "status": {"conditions": [{"type": "Ready", "status": is_ready}], "volumesInUse": in_use, "volumesAttached": told}}));
        let wanted = Wanted {
            driver: "d".into(),
            handle: "h".into(),
            place: match &*case.place {
                "other" => Place::On("m".into()),
                "promised" => Place::Promised("m".into()),
                _ => Place::Here,
            },
            pods: vec![pod("p", "", ready(0))],
        };
        let attached = Attached {
            name: "csi-x".into(),
            uid: "u".into(),
            driver: "d".into(),
            handle: (!case.unknown).then(|| "h".into()),
            attached: case.attached == "yes",
            deleting: case.attached == "goes",
            unwanted: at(0),
        };
        let plan = plan(&Snapshot {
            node: "n",
            view: Some(&node.view).filter(|_| case.node != "gone"),
            wanted: case.wanted.then(|| ("v".into(), wanted)).into_iter().collect(),
            attached: (case.attached != "no")
                .then(|| ("v".into(), attached))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
            now: at(case.after),
        });
        let found: Vec<String> = plan
            .ops
            .iter()
            .map(|op| match op {
                Op::Create(_, body) => {
                    format!("attach to {}", body["spec"]["nodeName"].as_str().unwrap())
                }
                Op::Delete(key, _) => format!("detach {}", key.name),
                Op::Patch(_, patch) => {
                    format!("tell {}", patch["status"]["volumesAttached"].as_array().unwrap().len())
                }
                Op::Event(_, _, reason, _) => (*reason).to_owned(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(found, case.does, "{}", case.name);
        assert_eq!(plan.again.map(|again| again.as_secs()), case.again, "{}", case.name);
    }
}

#[test]
fn agents_know_the_name_of_an_attachment() {
    // `printf '%s' handledrivernode | sha256sum`
    let name = attachment_name("handle", "driver", "node");
    assert_eq!(name.len(), 4 + 64);
    assert_ne!(name, attachment_name("handle", "driver", "other"));
}

#[test]
fn only_volumes_for_one_node_are_exclusive() {
    let of = |modes: &[&str]| {
        is_exclusive(&modes.iter().map(|mode| (*mode).to_owned()).collect::<Vec<_>>())
    };
    assert!(of(&["ReadWriteOnce"]) && of(&["ReadWriteOncePod"]));
    assert!(!of(&["ReadWriteOnce", "ReadOnlyMany"]) && !of(&["ReadWriteMany"]) && !of(&[]));
}
