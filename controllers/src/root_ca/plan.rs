//! What the ConfigMap of a namespace lacks.

use crate::support::ops::Op;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use windlass_core::client::Key;
use windlass_core::object::Header;
use windlass_core::scheme;

pub(super) const NAME: &str = "kube-root-ca.crt";
const NOTE: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc.";

/// What is read of a ConfigMap.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MapView {
    data: BTreeMap<String, String>,
}

/// Makes or mends the ConfigMap of a namespace that stays.
pub(super) fn plan(namespace: &Header, map: Option<&MapView>, pem: &str) -> Option<Op> {
    let key = Key::new(scheme::CONFIGMAPS, &*namespace.name, NAME);
    let data = json!({"ca.crt": pem});
    let wanted = BTreeMap::from([("ca.crt".to_owned(), pem.to_owned())]);
    match map {
        _ if namespace.deleting || pem.is_empty() => None,
        Some(map) if map.data == wanted => None,
        Some(map) => {
            let extra = map
                .data
                .keys()
                .filter(|key| *key != "ca.crt")
                .map(|key| (key.clone(), json!(null)));
            let mut data = json!(extra.collect::<BTreeMap<_, _>>());
            data["ca.crt"] = pem.into();
            Some(Op::Patch(key, json!({"data": data})))
        }
        None => {
            let notes = json!({"kubernetes.io/description": NOTE});
            let metadata = json!({"name": NAME, "namespace": namespace.name, "annotations": notes});
            Some(Op::Create(
                key,
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}),
            ))
        }
    }
}
