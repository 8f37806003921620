//! Mirror pods: how the API shows static ones.

use super::manifest::HASH;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::client::{Client, ClientExt, DeleteOptions, Key};
use windlass_core::controller::ObjectKey;
use windlass_core::scheme::PODS;
use windlass_core::{Object, Result};

/// On a pod of the API: the hash of the static one that it shows.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// What is to be done about a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MirrorStep {
    Create,
    /// The one with this uid.
    Delete(String),
}

/// Makes and removes mirrors.
#[derive(Clone)]
pub(crate) struct Mirrors {
    pub(crate) client: Arc<dyn Client>,
    pub(crate) node: String,
    pub(crate) node_uid: String,
}

#[derive(Deserialize)]
struct View {
    metadata: Meta,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Whether the API shows a static pod by this one.
pub(crate) fn is_mirror(pod: &Object) -> bool {
    annotation(pod, MIRROR).is_some()
}

/// Whether it shows this static pod as it is now.
pub(super) fn is_mirror_of(pod: &Object, mirror: &Object) -> bool {
    let hash = annotation(pod, HASH);
    hash.is_some() && hash == annotation(mirror, MIRROR)
}

fn annotation(pod: &Object, name: &str) -> Option<String> {
    match pod.view::<View>() {
        Ok(mut view) => view.metadata.annotations.remove(name),
        Err(error) => {
            tracing::error!(pod = pod.name(), %error, "pod's annotations can't be read");
            None
        }
    }
}

impl MirrorStep {
    /// What to do so that `mirror` shows `pod`, the static one.
    pub(crate) fn of(pod: Option<&Object>, mirror: Option<&Object>) -> Option<Self> {
        match (pod, mirror) {
            (None, None) => None,
            (Some(_), None) => Some(Self::Create),
            (pod, Some(mirror)) => {
                let shows = pod.is_some_and(|pod| is_mirror_of(pod, mirror));
                // It goes at once: no container ends with it.
                (!shows || mirror.header().deleting)
                    .then(|| Self::Delete(mirror.header().uid.to_string()))
            }
        }
    }
}

impl Mirrors {
    /// Takes a step. What is so already is no error.
    pub(crate) async fn take(
        &self,
        key: &ObjectKey,
        step: MirrorStep,
        pod: Option<&Object>,
    ) -> Result<()> {
        let place = Key::new(PODS, &*key.namespace, &*key.name);
        let done = match (step, pod) {
            (MirrorStep::Create, Some(pod)) => {
                self.client.create_from(&place, &self.mirror(pod)?).await.map(drop)
            }
            (MirrorStep::Create, None) => Ok(()),
            (MirrorStep::Delete(uid), _) => {
                let options =
                    DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::uid(&uid) };
                self.client.delete(&place, &options).await.map(drop)
            }
        };
        match done {
            Err(error) if error.is_already_exists() || error.is_not_found() => Ok(()),
            done => done,
        }
    }

    fn mirror(&self, pod: &Object) -> Result<Value> {
        let mut pod: Value = pod.view()?;
        let meta = &mut pod["metadata"];
        meta["annotations"][MIRROR] = meta["annotations"][HASH].clone();
        if let Some(meta) = meta.as_object_mut() {
            meta.remove("uid");
        }
        meta["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "Node", "name": self.node,
            "uid": self.node_uid, "controller": true}]);
        Ok(pod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(annotation: &str, hash: &str, deleting: bool) -> Object {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "d",
            "uid": "u", "resourceVersion": "1", "annotations": {annotation: hash}}});
        if deleting {
            pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        Object::from_wire(pod.to_string().into()).expect("a pod")
    }

    #[test]
    fn a_mirror_follows_its_pod() {
        let fixed = pod(HASH, "1", false);
        let mirror = |hash, deleting| pod(MIRROR, hash, deleting);
        let step = |pod, mirror: Option<&Object>| MirrorStep::of(pod, mirror);
        let delete = Some(MirrorStep::Delete("u".into()));
        assert_eq!(step(None, None), None);
        assert_eq!(step(Some(&fixed), None), Some(MirrorStep::Create));
        assert_eq!(step(Some(&fixed), Some(&mirror("1", false))), None);
        assert_eq!(step(Some(&fixed), Some(&mirror("2", false))), delete);
        assert_eq!(step(Some(&fixed), Some(&mirror("1", true))), delete);
        assert_eq!(step(None, Some(&mirror("1", false))), delete);
    }

    #[test]
    fn nobody_else_is_shown_by_a_mirror_of_ones_own() {
        let fixed = pod(HASH, "1", false);
        assert!(is_mirror_of(&fixed, &pod(MIRROR, "1", false)));
        for other in [pod(MIRROR, "2", false), pod(HASH, "1", false)] {
            assert!(!is_mirror_of(&fixed, &other));
        }
        // One that bears no hash is shown by nothing.
        assert!(!is_mirror_of(&pod("a", "1", false), &pod(MIRROR, "1", false)));
    }
}
