//! Both kinds in one shape.

use crate::views::Selector;
use serde::Deserialize;
use windlass_core::apis::apps::v1::ReplicaSetStatus;
use windlass_core::apis::core::v1::PodTemplateSpec;
use windlass_core::apis::meta::v1::ObjectMeta;

/// A ReplicaSet or a ReplicationController: they differ in how the selector is written.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Set {
    pub(crate) metadata: ObjectMeta,
    pub(crate) spec: Spec,
    #[serde(default)]
    pub(crate) status: ReplicaSetStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec {
    replicas: Option<i32>,
    pub(crate) min_ready_seconds: i32,
    pub(crate) selector: Selector,
    pub(crate) template: PodTemplateSpec,
}

impl Set {
    pub(crate) fn replicas(&self) -> usize {
        usize::try_from(self.spec.replicas.unwrap_or(1)).unwrap_or(0)
    }

    pub(crate) fn is_deleting(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }
}
