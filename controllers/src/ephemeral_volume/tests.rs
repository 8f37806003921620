use super::plan::{Found, plan};
use crate::support::ops::Op;
use serde_json::json;

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
