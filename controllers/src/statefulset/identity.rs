//! Names, claims and labels of the pods of a set.

use super::GVK;
use crate::support::owner::{name_of, namespace_of, owned_meta};
use crate::support::revisions::HASH_LABEL;
use windlass_core::apis::apps::v1::{StatefulSet, StatefulSetSpec};
use windlass_core::apis::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume,
};
use windlass_core::apis::meta::v1::ObjectMeta;

const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

pub(super) fn spec(set: &StatefulSet) -> &StatefulSetSpec {
    set.spec.as_ref().expect("the server takes no StatefulSet without a spec")
}

pub(super) fn pod_name(set: &StatefulSet, ordinal: i32) -> String {
    format!("{}-{ordinal}", name_of(&set.metadata))
}

/// The ordinal in a pod's name, if it is of this set.
pub(super) fn ordinal(set: &StatefulSet, pod: &str) -> Option<i32> {
    let (name, ordinal) = pod.rsplit_once('-')?;
    ordinal
        .parse()
        .ok()
        .filter(|number: &i32| name == name_of(&set.metadata) && number.to_string() == ordinal)
}

/// The pod of an ordinal, by a template.
pub(super) fn pod(
    set: &StatefulSet,
    ordinal: i32,
    template: &PodTemplateSpec,
    revision: &str,
) -> Pod {
    let name = pod_name(set, ordinal);
    let given = template.metadata.clone().unwrap_or_default();
    let mut labels = given.labels.unwrap_or_default();
    labels.insert(POD_NAME.into(), name.clone());
    labels.insert(POD_INDEX.into(), ordinal.to_string());
    labels.insert(HASH_LABEL.into(), revision.into());
    let metadata = ObjectMeta {
        labels: Some(labels),
        annotations: given.annotations,
        finalizers: given.finalizers,
        ..owned_meta(&GVK, &set.metadata, name.clone())
    };
    let mut spec = template.spec.clone().unwrap_or_default();
    spec.hostname = Some(name);
    spec.subdomain = self::spec(set).service_name.clone();
    let volumes = spec.volumes.get_or_insert_default();
    for claim in claims(set, ordinal) {
        let template = claim.1;
        volumes.retain(|volume| volume.name != template);
        let source = PersistentVolumeClaimVolumeSource {
            claim_name: name_of(&claim.0.metadata).into(),
            read_only: None,
        };
        volumes.push(Volume {
            name: template,
            persistent_volume_claim: Some(source),
            ..Volume::default()
        });
    }
    Pod { metadata, spec: Some(spec), status: None }
}

/// The claims of an ordinal, each with the name of its template.
pub(super) fn claims(set: &StatefulSet, ordinal: i32) -> Vec<(PersistentVolumeClaim, String)> {
    let templates = spec(set).volume_claim_templates.iter().flatten();
    templates
        .map(|template| (claim(set, ordinal, template), name_of(&template.metadata).to_owned()))
        .collect()
}

fn claim(
    set: &StatefulSet,
    ordinal: i32,
    template: &PersistentVolumeClaim,
) -> PersistentVolumeClaim {
    let mut labels = template.metadata.labels.clone().unwrap_or_default();
    labels.extend(spec(set).selector.match_labels.clone().unwrap_or_default());
    let metadata = ObjectMeta {
        name: Some(format!("{}-{}", name_of(&template.metadata), pod_name(set, ordinal))),
        namespace: Some(namespace_of(&set.metadata).into()),
        labels: Some(labels),
        annotations: template.metadata.annotations.clone(),
        ..ObjectMeta::default()
    };
    PersistentVolumeClaim { metadata, spec: template.spec.clone(), status: None }
}
