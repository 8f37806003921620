//! Claims, volumes and storage classes as caches keep them, and what claims and volumes are marked with while a volume is
//! made for a claim.

mod caches;

pub(crate) use caches::{BY_RESERVATION, BY_VOLUME, Caches, FREE, Volume, WAITING};

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::apis::core::v1::PersistentVolumeClaim;
use windlass_core::cache::Entry;

/// The node that the scheduler has chosen for the first pod of a claim.
pub(crate) const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// Who shall make the volume of a claim; the second is its name of old, which provisioners still read.
pub(crate) const PROVISIONER: [&str; 2] =
    ["volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner"];
/// Who made a volume, and deletes it again.
pub(crate) const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// The class of claims that name none.
pub(crate) const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
/// The provisioner of classes whose volumes are made by hand.
pub(crate) const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";
/// A claim has been bound: its volume is the one it names for good.
pub(crate) const COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// Where claims named their class before there was a field for it.
const OLD_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// What controllers read of a StorageClass.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ClassView {
    metadata: Metadata,
    pub(crate) provisioner: String,
    volume_binding_mode: String,
    pub(crate) reclaim_policy: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    annotations: Option<BTreeMap<String, String>>,
    creation_timestamp: Option<windlass_core::apis::meta::v1::Time>,
}

// === impl ClassView ===

impl ClassView {
    /// Its volumes are chosen, or made, when it is known where the first pod runs.
    pub(crate) fn waits_for_consumer(&self) -> bool {
        self.volume_binding_mode == "WaitForFirstConsumer"
    }

    fn is_default(&self) -> bool {
        let annotations = self.metadata.annotations.as_ref();
        annotations.and_then(|all| all.get(DEFAULT_CLASS)).is_some_and(|value| value == "true")
    }
}

/// The class of claims that name none: the youngest of those that say they are.
pub(crate) fn default_class(classes: &[Arc<Entry<ClassView>>]) -> Option<&str> {
    let all = classes.iter().filter(|class| class.view.is_default());
    let first = all.max_by(|a, b| {
        let made = |class: &Entry<ClassView>| {
            class.view.metadata.creation_timestamp.as_ref().map(|time| time.0)
        };
        made(a).cmp(&made(b)).then_with(|| b.object.name().cmp(a.object.name()))
    });
    first.map(|class| class.object.name())
}

/// The class that a claim names; empty for none.
pub(crate) fn class_of(claim: &PersistentVolumeClaim) -> &str {
    let old = annotation(claim, OLD_CLASS);
    let named = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    old.or(named).unwrap_or_default()
}

/// Whether nobody has said which class a claim is of, not even that it is of none.
pub(crate) fn lacks_class(claim: &PersistentVolumeClaim) -> bool {
    annotation(claim, OLD_CLASS).is_none()
        && claim.spec.as_ref().is_none_or(|spec| spec.storage_class_name.is_none())
}

pub(crate) fn annotation<'a>(claim: &'a PersistentVolumeClaim, key: &str) -> Option<&'a str> {
    claim.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}
