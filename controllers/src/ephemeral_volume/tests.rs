use super::plan::{Found, plan};
use crate::support::ops::Op;
use crate::support::testing::cases;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Case {
    name: String,
    volumes: Vec<Value>,
    #[serde(default)]
    there: BTreeMap<String, String>,
    does: Vec<String>,
}

#[test]
fn each_ephemeral_volume_has_a_claim_of_the_pods() {
    for case in cases::<Case>(include_str!("tests/volumes.yaml")) {
        let mut volumes = case.volumes;
        for volume in volumes.iter_mut().filter(|volume| volume["ephemeral"].is_object()) {
            volume["ephemeral"]["volumeClaimTemplate"] = json!({"spec": {}});
        }
        let meta = json!({"name": "p", "namespace": "ns", "uid": "u"});
        let pod = json!({"metadata": meta, "spec": {"containers": [], "volumes": volumes}});
        let find = |name: &str| match case.there.get(name) {
            Some(owner) => Found::OwnedBy(owner.clone()),
            None => Found::None,
        };
        let ops = plan(&serde_json::from_value(pod).unwrap(), find);
        let found = ops.iter().map(|op| match op {
            Op::Create(key, _) => format!("+{}", key.name),
            Op::Event(_, _, reason, _) => (*reason).to_owned(),
            other => panic!("{other:?}"),
        });
        assert_eq!(found.collect::<Vec<_>>(), case.does, "{}", case.name);
    }
}

#[test]
fn a_pod_gets_the_claims_it_lacks_and_touches_no_other() {
    let spec =
        json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": spec});
    let pod = serde_json::from_value(json!({"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": {"containers": [],
        "volumes": [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}, {"name": "x", "emptyDir": {}}]}}))
    .unwrap();
    let ops = plan(&pod, |_| Found::None);
    let [Op::Create(key, claim)] = ops.as_slice() else { panic!("{ops:?}") };
    assert_eq!(key.name, "p-scratch");
    assert_eq!(claim["metadata"]["ownerReferences"][0]["uid"], "u");
    assert_eq!(claim["metadata"]["labels"]["a"], "b");
    assert_eq!(claim["spec"]["resources"], spec["resources"]);
    assert!(plan(&pod, |_| Found::OwnedBy("u".into())).is_empty());
    let others = plan(&pod, |_| Found::OwnedBy(String::new()));
    assert!(matches!(others.as_slice(), [Op::Event(_, _, "FailedBinding", _)]), "{others:?}");
}
