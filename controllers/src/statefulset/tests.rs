use super::plan::{Plan, Snapshot, plan};
use crate::support::ops::Op;
use crate::support::testing::{at, cases, entry, merged, pod, ready};
use crate::views::{Pod, PodView};
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::apis::apps::v1::StatefulSet;

fn set(more: Value) -> StatefulSet {
    let base = json!({"metadata": {"name": "db", "namespace": "ns", "uid": "uid-db", "generation": 1},
        "spec": {"replicas": 3, "serviceName": "db", "selector": {"matchLabels": {"app": "a"}},
            "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c"}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}]}});
    serde_json::from_value(merged(base, more)).unwrap()
}

/// Pods in short: `0` is ready, `1!` is not, `2-` ends, `3x` has ended; of revision `new` or, with a `'`, `old`.
fn pods(short: &[&str]) -> Vec<Pod> {
    short
        .iter()
        .map(|short| {
            let ordinal = &short[..1];
            let revision = if short.contains('\'') { "old" } else { "new" };
            let mut more = json!({"metadata": {"labels": {"controller-revision-hash": revision}}});
            if !short.contains('!') {
                more = merged(more, ready(0));
            }
            if short.contains('-') {
                more = merged(
                    more,
                    json!({"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}}),
                );
            }
            if short.contains('x') {
                more = merged(more, json!({"status": {"phase": "Failed"}}));
            }
            pod::<PodView>(&format!("db-{ordinal}"), "db", more)
        })
        .collect()
}

fn run(set: &StatefulSet, short: &[&str], current: &str) -> Plan {
    let template = set.spec.as_ref().unwrap().template.clone();
    plan(&Snapshot {
        set,
        pods: pods(short),
        update: "new".into(),
        current: (current.into(), template),
        collisions: None,
        find_claim: &|name| {
            Some(entry(json!({"metadata": {"name": name, "namespace": "ns", "uid": name}})))
        },
        now: at(100),
    })
}

fn short(plan: &Plan) -> Vec<String> {
    plan.ops
        .iter()
        .filter_map(|op| match op {
            Op::Create(key, _) => Some(format!("+{}", key.name)),
            Op::Delete(key, _) => Some(format!("-{}", key.name)),
            _ => None,
        })
        .collect()
}

#[test]
fn pods_come_and_go_in_order() {
    let parallel = json!({"spec": {"podManagementPolicy": "Parallel"}});
    let one = json!({"spec": {"replicas": 1}});
    let cases: &[(&str, Value, &[&str], &[&str])] = &[
        ("the first", json!({}), &[], &["+db-0"]),
        ("no second before it is ready", json!({}), &["0!"], &[]),
        ("the second", json!({}), &["0"], &["+db-1"]),
        ("a gap is filled", json!({}), &["0", "2"], &["+db-1"]),
        ("one that ends is waited for", json!({}), &["0-"], &[]),
        ("one that failed is made anew", json!({}), &["0x"], &["-db-0"]),
        ("down from the top", one.clone(), &["0", "1", "2"], &["-db-2"]),
        ("one after the other", one.clone(), &["0", "1", "2-"], &[]),
        ("not while one below is not ready", one, &["0!", "1"], &[]),
        ("all at once", parallel.clone(), &[], &["+db-0", "+db-1", "+db-2"]),
        (
            "all at once down",
            merged(parallel, json!({"spec": {"replicas": 0}})),
            &["0", "1!"],
            &["-db-1", "-db-0"],
        ),
        ("ordinals from 1", json!({"spec": {"ordinals": {"start": 1}}}), &[], &["+db-1"]),
    ];
    for (name, more, given, wanted) in cases {
        assert_eq!(short(&run(&set(more.clone()), given, "new")), *wanted, "{name}");
    }
}

#[test]
fn an_update_goes_from_the_top_down() {
    let partition = json!({"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}});
    let cases: &[(&str, Value, &[&str], &[&str])] = &[
        ("the last first", json!({}), &["0'", "1'", "2'"], &["-db-2"]),
        ("then the next", json!({}), &["0'", "1'", "2"], &["-db-1"]),
        ("not before it is ready", json!({}), &["0'", "1'", "2!"], &[]),
        ("only above the partition", partition, &["0'", "1'", "2"], &[]),
        (
            "on delete",
            json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}),
            &["0'", "1'", "2'"],
            &[],
        ),
    ];
    for (name, more, given, wanted) in cases {
        assert_eq!(short(&run(&set(more.clone()), given, "old")), *wanted, "{name}");
    }
    let revision = |given: &[&str]| match run(&set(json!({})), given, "old").ops.first() {
        Some(Op::Create(_, body)) => body["metadata"]["labels"]["controller-revision-hash"].clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(revision(&["0'", "1'"]), "new", "what was deleted for the update");
    assert_eq!(revision(&["0'", "2'"]), "old", "what the update has not come to");
    let done = run(&set(json!({})), &["0", "1", "2"], "old").status;
    assert_eq!((done.current_revision.as_deref(), done.current_replicas), (Some("new"), Some(3)));
    let half = run(&set(json!({})), &["0'", "1'", "2"], "old").status;
    assert_eq!(
        (half.current_revision.as_deref(), half.current_replicas, half.updated_replicas),
        (Some("old"), Some(2), Some(1))
    );
}

#[test]
fn a_pod_has_name_claim_and_place() {
    let set = set(json!({}));
    let made = super::identity::pod(&set, 1, &set.spec.as_ref().unwrap().template, "new");
    let pod = serde_json::to_value(made).unwrap();
    assert_eq!(
        (&pod["spec"]["hostname"], &pod["spec"]["subdomain"]),
        (&json!("db-1"), &json!("db"))
    );
    assert_eq!(pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"], "data-db-1");
    assert_eq!(pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"], "1");
    let template = set.spec.as_ref().unwrap().template.clone();
    let snapshot = Snapshot {
        set: &set,
        pods: vec![],
        update: "new".into(),
        current: ("new".into(), template),
        collisions: None,
        find_claim: &|_| None,
        now: at(0),
    };
    assert_eq!(short(&plan(&snapshot)), ["+data-db-0", "+db-0"]);
    for (name, ordinal) in [("db-2", Some(2)), ("db-02", None), ("other-1", None), ("db-x", None)] {
        assert_eq!(super::identity::ordinal(&set, name), ordinal, "{name}");
    }
}

#[derive(Deserialize)]
struct Retention {
    name: String,
    deleted: String,
    scaled: String,
    pods: Vec<String>,
    replicas: i32,
    /// Owners of the claims of each ordinal: kind and uid.
    #[serde(default)]
    owners: Vec<(String, String)>,
    wanted: Vec<String>,
}

#[test]
fn claims_go_with_whom_they_shall() {
    for case in cases::<Retention>(include_str!("tests/retention.yaml")) {
        let policy = json!({"whenDeleted": case.deleted, "whenScaled": case.scaled});
        let set = set(
            json!({"spec": {"replicas": case.replicas, "persistentVolumeClaimRetentionPolicy": policy}}),
        );
        let owners: Vec<Value> = case.owners.iter().map(|(kind, uid)| {
            json!({"apiVersion": "v1", "kind": kind, "name": "x", "uid": uid, "controller": true})
        }).collect();
        let find = |name: &str| {
            let claim = json!({"metadata": {"name": name, "namespace": "ns", "uid": name, "ownerReferences": owners}});
            Some(entry(claim))
        };
        let short: Vec<&str> = case.pods.iter().map(String::as_str).collect();
        let template = set.spec.as_ref().unwrap().template.clone();
        let plan = plan(&Snapshot {
            set: &set,
            pods: pods(&short),
            update: "new".into(),
            current: ("new".into(), template),
            collisions: None,
            find_claim: &find,
            now: at(100),
        });
        let found: Vec<String> = plan
            .ops
            .iter()
            .filter_map(|op| match op {
                Op::Patch(key, patch) => {
                    let owners = patch["metadata"]["ownerReferences"].as_array().unwrap();
                    let uids: Vec<_> =
                        owners.iter().map(|owner| owner["uid"].as_str().unwrap()).collect();
                    Some(format!("{}={}", key.name, uids.join(",")))
                }
                Op::Create(key, _) => Some(format!("+{}", key.name)),
                Op::Delete(key, _) => Some(format!("-{}", key.name)),
                _ => None,
            })
            .collect();
        assert_eq!(found, case.wanted, "{}", case.name);
    }
}
