use super::claim::{self, Around};
use super::fit::choose;
use super::volume;
use crate::support::ops::Op;
use crate::support::storage::{COMPLETED, ClassView, Volume};
use crate::support::testing::{cases, entry, merged};
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::apis::core::v1::{PersistentVolume, PersistentVolumeClaim};

fn pv(name: &str, size: &str, more: Value) -> PersistentVolume {
    let base = json!({"metadata": {"name": name, "uid": name}, "spec": {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": "c"},
        "status": {"phase": "Available"}});
    serde_json::from_value(merged(base, more)).unwrap()
}

fn pvc(size: &str, more: Value) -> PersistentVolumeClaim {
    let base = json!({"metadata": {"name": "want", "namespace": "ns", "uid": "u"}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "c",
        "resources": {"requests": {"storage": size}}}});
    serde_json::from_value(merged(base, more)).unwrap()
}

fn cached(volumes: &[PersistentVolume]) -> Vec<Volume> {
    volumes.iter().map(|volume| entry(json!(volume))).collect()
}

fn best(claim: &PersistentVolumeClaim, volumes: &[PersistentVolume]) -> Option<String> {
    choose(claim, &cached(volumes), None).map(|volume| volume.object.name().to_owned())
}

fn plan(claim: &PersistentVolumeClaim, volumes: &[PersistentVolume]) -> Vec<Op> {
    claim::plan(claim, volumes.first(), Around::default())
}

fn reserved(uid: &str) -> Value {
    json!({"spec": {"claimRef": {"namespace": "ns", "name": "want", "uid": uid}}})
}

#[test]
fn a_claim_takes_the_smallest_that_fits() {
    let volumes = [
        pv("large", "5Gi", json!({})),
        pv("small", "1Gi", json!({"metadata": {"labels": {"disk": "ssd"}}})),
        pv("other-class", "1Gi", json!({"spec": {"storageClassName": "d"}})),
        pv(
            "taken",
            "1Gi",
            json!({"spec": {"claimRef": {"namespace": "ns", "name": "x", "uid": "x"}}}),
        ),
        pv("many", "8Gi", json!({"spec": {"accessModes": ["ReadWriteOnce", "ReadWriteMany"]}})),
        pv("raw", "1Gi", json!({"spec": {"volumeMode": "Block"}})),
    ];
    let cases = [
        ("1Gi", json!({}), Some("small")),
        ("2Gi", json!({}), Some("large")),
        ("9Gi", json!({}), None),
        ("1Gi", json!({"spec": {"accessModes": ["ReadWriteMany"]}}), Some("many")),
        ("1Gi", json!({"spec": {"selector": {"matchLabels": {"disk": "hdd"}}}}), None),
        ("1Gi", json!({"spec": {"volumeName": "large"}}), Some("large")),
        ("1Gi", json!({"spec": {"volumeMode": "Block"}}), Some("raw")),
        ("1Gi", json!({"spec": {"storageClassName": ""}}), None),
    ];
    for (size, more, wanted) in cases {
        let found = best(&pvc(size, more.clone()), &volumes);
        assert_eq!(found.as_deref(), wanted, "{size} {more}");
    }
    let set_aside = [pv("small", "1Gi", json!({})), pv("mine", "9Gi", reserved(""))];
    assert_eq!(best(&pvc("1Gi", json!({})), &set_aside).as_deref(), Some("mine"));
    let unfit = |more: Value| [pv("mine", "1Gi", merged(reserved(""), more))];
    assert_eq!(best(&pvc("2Gi", json!({})), &unfit(json!({}))), None, "too small");
    let block = json!({"spec": {"volumeMode": "Block"}});
    assert_eq!(best(&pvc("1Gi", json!({})), &unfit(block)), None);
    let named = json!({"spec": {"volumeName": "mine"}});
    assert!(best(&pvc("2Gi", named), &unfit(json!({}))).is_some(), "both ask for each other");
}

#[test]
fn both_sides_name_each_other() {
    let keys = |ops: &[Op]| {
        ops.iter()
            .filter_map(|op| match op {
                Op::Patch(key, patch) => Some(format!(
                    "{key} {}",
                    patch.get("status").map_or(&Value::Null, |status| &status["phase"])
                )),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let ops = plan(&pvc("1Gi", json!({})), &[pv("v", "1Gi", json!({}))]);
    assert_eq!(keys(&ops), ["persistentvolumes/v null", "persistentvolumeclaims/ns/want null"]);
    let named = pvc(
        "1Gi",
        json!({"metadata": {"annotations": {COMPLETED: "yes"}}, "spec": {"volumeName": "v"}}),
    );
    assert_eq!(
        keys(&plan(&named, &[pv("v", "1Gi", reserved("u"))])),
        ["persistentvolumeclaims/ns/want/status \"Bound\""]
    );
    assert_eq!(
        keys(&plan(&named, &[pv("v", "1Gi", json!({}))])),
        ["persistentvolumes/v null", "persistentvolumeclaims/ns/want null"],
        "its volume was freed"
    );
    assert_eq!(keys(&plan(&named, &[])), ["persistentvolumeclaims/ns/want/status \"Lost\""]);
    assert_eq!(
        keys(&plan(&pvc("1Gi", json!({})), &[])),
        ["persistentvolumeclaims/ns/want/status \"Pending\""]
    );
}

#[test]
fn a_volume_says_whose_it_is() {
    let claim = pvc("1Gi", json!({"spec": {"volumeName": "v"}}));
    let phase =
        |volume: PersistentVolume, claim: Option<&PersistentVolumeClaim>| match volume::plan(
            &volume, claim,
        )
        .as_slice()
        {
            [Op::Patch(_, patch)] => patch["status"]["phase"].as_str().map(str::to_owned),
            [] => None,
            other => panic!("{other:?}"),
        };
    let pending =
        |more: Value| pv("v", "1Gi", merged(json!({"status": {"phase": "Pending"}}), more));
    assert_eq!(phase(pending(json!({})), None).as_deref(), Some("Available"));
    assert_eq!(phase(pending(reserved("u")), Some(&claim)).as_deref(), Some("Bound"));
    assert_eq!(phase(pending(reserved("u")), None).as_deref(), Some("Released"));
    assert_eq!(phase(pending(reserved("other")), Some(&claim)).as_deref(), Some("Released"));
    assert_eq!(phase(pending(reserved("u")), Some(&pvc("1Gi", json!({})))), None);
    assert_eq!(phase(pv("v", "1Gi", json!({})), None), None);
}

#[derive(Deserialize)]
struct Wait {
    name: String,
    #[serde(default)]
    claim: Value,
    class: Option<Value>,
    default: Option<String>,
    unscheduled: Option<String>,
    #[serde(default)]
    volumes: Vec<Value>,
    wanted: Vec<String>,
}

#[test]
fn a_claim_without_a_volume_waits_or_has_one_made() {
    for case in cases::<Wait>(include_str!("tests/waits.yaml")) {
        let claim = pvc("1Gi", merged(json!({"status": {"phase": "Pending"}}), case.claim));
        let class = case
            .class
            .map(|class| entry::<ClassView>(merged(json!({"metadata": {"name": "c"}}), class)));
        let volumes: Vec<_> = case.volumes.into_iter().map(|more| pv("v", "1Gi", more)).collect();
        let around = Around {
            class: class.as_ref().map(|class| &class.view),
            default: case.default.as_deref(),
            unscheduled: case.unscheduled.as_deref(),
        };
        let chosen = choose(&claim, &cached(&volumes), around.class).map(|_| &volumes[0]);
        let ops = claim::plan(&claim, chosen, around);
        let found: Vec<String> = ops
            .iter()
            .map(|op| match op {
                Op::Event(_, _, reason, _) => (*reason).to_owned(),
                Op::Patch(key, patch) => match &patch["spec"]["storageClassName"] {
                    Value::String(class) => format!("class {class}"),
                    _ => match &patch["metadata"]["annotations"]["volume.kubernetes.io/storage-provisioner"] {
                        Value::String(by) => format!("by {by}"),
                        _ => format!("bind {}", key.name),
                    },
                },
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(found, case.wanted, "{}", case.name);
    }
}

#[test]
fn what_nobody_made_nobody_deletes() {
    let gone = |policy: &str, notes: Value| {
        let more = json!({"metadata": {"annotations": notes}, "spec": {"persistentVolumeReclaimPolicy": policy}, "status": {"phase": "Bound"}});
        let ops = volume::plan(&pv("v", "1Gi", merged(reserved("u"), more)), None);
        match &ops[0] {
            Op::Patch(_, patch) => patch["status"]["phase"].as_str().unwrap().to_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(gone("Retain", json!({})), "Released");
    assert_eq!(gone("Delete", json!({"pv.kubernetes.io/provisioned-by": "x/y"})), "Released");
    assert_eq!(gone("Delete", json!({})), "Failed");
}

#[test]
fn a_volume_that_was_chosen_in_vain_is_free_again() {
    let completed =
        json!({"metadata": {"annotations": {COMPLETED: "yes"}}, "spec": {"volumeName": "other"}});
    let claim = pvc("1Gi", completed);
    let by_us =
        json!({"metadata": {"annotations": {"pv.kubernetes.io/bound-by-controller": "yes"}}});
    let made = json!({"metadata": {"annotations": {"pv.kubernetes.io/provisioned-by": "x/y"}},
        "spec": {"persistentVolumeReclaimPolicy": "Delete"}});
    let patch = |more: Value| {
        let volume = pv("v", "1Gi", merged(reserved("u"), more));
        match volume::plan(&volume, Some(&claim)).as_slice() {
            [Op::Patch(_, patch)] => patch.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert!(patch(by_us)["spec"]["claimRef"].is_null());
    let by_user = &patch(json!({}))["spec"]["claimRef"];
    assert!(by_user.is_object() && by_user["uid"].is_null(), "{by_user}");
    assert_eq!(patch(made)["status"]["phase"], "Released");
}

#[test]
fn only_what_is_free_is_given_away() {
    let (claim, free) = (pvc("1Gi", json!({})), pv("v", "1Gi", json!({})));
    let gives = |claim: &PersistentVolumeClaim, volume: &PersistentVolume| {
        claim::gives(&claim::plan(claim, Some(volume), Around::default()), volume)
    };
    assert!(gives(&claim, &free));
    let taken = json!({"spec": {"claimRef": {"name": "want", "namespace": "ns", "uid": "u"}}});
    let taken = pv("v", "1Gi", taken);
    assert!(!gives(&claim, &taken), "it was given before");
    let notes =
        json!({"metadata": {"annotations": {COMPLETED: "yes"}}, "spec": {"volumeName": "v"}});
    let bound = pvc("1Gi", notes);
    assert!(!gives(&bound, &taken), "its claim alone is told");
    let goes = json!({"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}});
    assert!(!gives(&pvc("1Gi", goes), &free));
}
