use super::folders;
use super::plan::{Place, Step, claim, discarded};
use crate::support::storage::ClassView;
use crate::support::testing::{cases, entry, merged};
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::apis::core::v1::{PersistentVolume, PersistentVolumeClaim};

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    claim: Value,
    #[serde(default)]
    class: Value,
    #[serde(default)]
    used: bool,
    wanted: String,
}

fn here() -> Place {
    Place { node: "n".into(), root: "/data/volumes".into() }
}

fn asked(more: Value) -> PersistentVolumeClaim {
    let notes = json!({"volume.kubernetes.io/storage-provisioner": "windlass.dev/local-path", "volume.kubernetes.io/selected-node": "n"});
    let base = json!({"metadata": {"name": "want", "namespace": "ns", "uid": "u", "annotations": notes}, "spec": {"storageClassName": "c",
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    serde_json::from_value(merged(base, more)).unwrap()
}

fn class(more: Value) -> std::sync::Arc<windlass_core::cache::Entry<ClassView>> {
    entry(merged(
        json!({"metadata": {"name": "c"}, "provisioner": "windlass.dev/local-path"}),
        more,
    ))
}

#[test]
fn a_claim_gets_a_folder_of_its_node() {
    for case in cases::<Case>(include_str!("tests/claims.yaml")) {
        let class = class(case.class);
        let found = match claim(&here(), &asked(case.claim), Some(&class.view), case.used) {
            Step::Nothing => "nothing".to_owned(),
            Step::Select => "select".to_owned(),
            Step::Refuse(why) => why.to_owned(),
            Step::Make(path, volume) => {
                let spec = &volume["spec"];
                let of = |value: &Value| value.as_str().unwrap().to_owned();
                format!(
                    "{} {} {}",
                    path.display(),
                    of(&spec["capacity"]["storage"]),
                    of(&spec["persistentVolumeReclaimPolicy"])
                )
            }
        };
        assert_eq!(found, case.wanted, "{}", case.name);
    }
}

#[test]
fn only_the_folder_that_was_made_is_removed() {
    let Step::Make(_, made) =
        claim(&here(), &asked(json!({})), Some(&class(json!({})).view), false)
    else {
        panic!()
    };
    let gone = |more: Value| {
        let volume: PersistentVolume = serde_json::from_value(merged(
            merged(made.clone(), json!({"status": {"phase": "Released"}})),
            more,
        ))
        .unwrap();
        discarded(&here(), &volume)
    };
    assert_eq!(gone(json!({})).unwrap(), std::path::Path::new("/data/volumes/pvc-u"));
    for kept in [
        json!({"status": {"phase": "Bound"}}),
        json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}}),
        json!({"spec": {"local": {"path": "/etc"}}}),
        json!({"metadata": {"name": "etc"}}),
        json!({"metadata": {"annotations": {"pv.kubernetes.io/provisioned-by": "x/y"}}}),
        json!({"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": []}}}}),
    ] {
        assert_eq!(gone(kept.clone()), None, "{kept}");
    }
}

#[tokio::test]
async fn folders_come_and_go_twice() {
    let root = std::env::temp_dir().join(format!("windlass-local-path-{}", std::process::id()));
    let path = root.join("pvc-a");
    for _ in 0..2 {
        folders::make(path.clone()).await.unwrap();
        std::fs::write(path.join("file"), "x").unwrap();
    }
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o777);
    for _ in 0..2 {
        folders::remove(path.clone()).await.unwrap();
        assert!(!path.exists());
    }
    std::fs::remove_dir_all(root).unwrap();
}
