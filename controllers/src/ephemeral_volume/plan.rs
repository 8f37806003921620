//! Which claims a pod lacks.

use super::POD;
use crate::support::ops::Op;
use crate::support::owner::{name_of, namespace_of, owned_meta, reference, uid_of};
use windlass_core::apis::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimTemplate, Pod};
use windlass_core::apis::meta::v1::ObjectMeta;
use windlass_core::client::Key;
use windlass_core::scheme;

/// What there is under the name of a claim.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// Nothing.
    None,
    /// A claim whose controller has this uid (empty: none).
    OwnedBy(String),
}

/// What makes the claims of a pod's ephemeral volumes. A claim that is not the pod's is never touched: its data may be
/// somebody's.
pub(super) fn plan(pod: &Pod, find: impl Fn(&str) -> Found) -> Vec<Op> {
    let meta = &pod.metadata;
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let mut ops = vec![];
    for volume in volumes {
        let Some(template) =
            volume.ephemeral.as_ref().and_then(|source| source.volume_claim_template.as_ref())
        else {
            continue;
        };
        let name = format!("{}-{}", name_of(meta), volume.name);
        match find(&name) {
            Found::None => {
                let key = Key::new(scheme::PERSISTENTVOLUMECLAIMS, namespace_of(meta), &name);
                ops.push(Op::create(key, &claim(meta, &name, template)));
            }
            Found::OwnedBy(uid) if uid == uid_of(meta) => {}
            Found::OwnedBy(_) => {
                let (namespace, pod) = (namespace_of(meta), name_of(meta));
                let message = format!(
                    "ephemeral volume {}: PVC {namespace}/{name} was not created for pod {namespace}/{pod} (pod is not owner)",
                    volume.name
                );
                ops.push(Op::warning(reference(&POD, meta), "FailedBinding", message));
            }
        }
    }
    ops
}

fn claim(
    pod: &ObjectMeta,
    name: &str,
    template: &PersistentVolumeClaimTemplate,
) -> PersistentVolumeClaim {
    let given = template.metadata.clone().unwrap_or_default();
    let metadata = ObjectMeta {
        labels: given.labels,
        annotations: given.annotations,
        ..owned_meta(&POD, pod, name)
    };
    PersistentVolumeClaim { metadata, spec: Some(template.spec.clone()), status: None }
}
