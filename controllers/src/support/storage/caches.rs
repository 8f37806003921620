//! The caches that binders and provisioners of volumes read.

use super::ClassView;
use crate::Context;
use crate::views::Pods;
use serde::{Deserialize, Deserializer};
use std::sync::Arc;
use windlass_core::cache::{Entry, Informer};
use windlass_core::controller::{Controller, ObjectKey, Reconciler};
use windlass_core::meta::{Interned, Quantity};
use windlass_core::scheme;

/// Index of claims that are not bound: by class, empty for none.
pub(crate) const WAITING: &str = "waiting";
/// Index of claims: by the volume they name.
pub(crate) const BY_VOLUME: &str = "volume";
/// Index of volumes: by namespace and name of the claim they are reserved for.
pub(crate) const BY_RESERVATION: &str = "reservation";
/// Index of volumes that are reserved for nobody: by class.
pub(crate) const FREE: &str = "free";

pub(crate) type Volume = Arc<Entry<VolumeView>>;

/// What is read of each claim.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ClaimView {
    metadata: Metadata,
    spec: ClaimSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    annotations: Option<Annotations>,
}

/// Of all annotations those that matter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "pv.kubernetes.io/bind-completed")]
    completed: Option<Box<str>>,
    #[serde(rename = "volume.beta.kubernetes.io/storage-class")]
    class: Option<Interned>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClaimSpec {
    storage_class_name: Option<Interned>,
    volume_name: Box<str>,
}

/// What is read of each volume.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct VolumeView {
    pub(crate) spec: VolumeSpec,
    pub(crate) status: VolumeStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct VolumeSpec {
    pub(crate) claim_ref: Option<Reservation>,
    pub(crate) capacity: Capacity,
    pub(crate) access_modes: Box<[Interned]>,
    pub(crate) storage_class_name: Interned,
    pub(crate) volume_mode: Option<Interned>,
}

/// The claim that a volume is for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Reservation {
    pub(crate) namespace: Interned,
    pub(crate) name: Box<str>,
    pub(crate) uid: Box<str>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Capacity {
    #[serde(deserialize_with = "quantity")]
    pub(crate) storage: Quantity,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct VolumeStatus {
    pub(crate) phase: Interned,
}

/// Everything about claims: one set of caches for all controllers of one process.
#[derive(Clone)]
pub(crate) struct Caches {
    pub(crate) claims: Arc<Informer<ClaimView>>,
    pub(crate) volumes: Arc<Informer<VolumeView>>,
    pub(crate) classes: Arc<Informer<ClassView>>,
    /// Those that matter here, by the claims they use.
    pub(crate) pods: Pods,
}

// === impl Caches ===

impl Caches {
    /// With these pods.
    pub(crate) fn new(context: &Context, pods: Pods) -> Self {
        let claims = context.informers.informer::<ClaimView>(scheme::PERSISTENTVOLUMECLAIMS);
        claims.add_index(WAITING, |claim| claim.view.waits_for_class().into_iter().collect());
        claims.add_index(BY_VOLUME, |claim| {
            claim.view.volume().map(str::to_owned).into_iter().collect()
        });
        let volumes = context.informers.informer::<VolumeView>(scheme::PERSISTENTVOLUMES);
        volumes.add_index(BY_RESERVATION, |volume| {
            volume.view.claim().map(|claim| claim.to_string()).into_iter().collect()
        });
        volumes.add_index(FREE, |volume| match &volume.view.spec.claim_ref {
            None => vec![volume.view.spec.storage_class_name.to_string()],
            Some(_) => vec![],
        });
        let classes = context.informers.informer::<ClassView>(scheme::STORAGECLASSES);
        Self { claims, volumes, classes, pods }
    }

    /// Starts a controller when they are complete.
    pub(crate) fn before<R: Reconciler>(&self, controller: Controller<R>) -> Controller<R> {
        controller
            .after(self.claims.synced())
            .after(self.volumes.synced())
            .after(self.classes.synced())
            .after(self.pods.synced())
    }
}

// === impl ClaimView ===

impl ClaimView {
    /// The volume it names.
    pub(crate) fn volume(&self) -> Option<&str> {
        Some(&*self.spec.volume_name).filter(|name| !name.is_empty())
    }

    /// The class that it waits for volumes of, if it is not bound; empty for none.
    fn waits_for_class(&self) -> Option<String> {
        let notes = self.metadata.annotations.as_ref();
        if notes.is_some_and(|notes| notes.completed.is_some()) {
            return None;
        }
        let old = notes.and_then(|notes| notes.class.as_ref());
        let class = old.or(self.spec.storage_class_name.as_ref());
        Some(class.map(ToString::to_string).unwrap_or_default())
    }
}

// === impl VolumeView ===

impl VolumeView {
    /// The claim it is reserved for.
    pub(crate) fn claim(&self) -> Option<ObjectKey> {
        let claim = self.spec.claim_ref.as_ref()?;
        Some(ObjectKey::new(claim.namespace.as_str(), &*claim.name))
    }
}

/// The server takes no other, so what can't be read is none.
fn quantity<'de, D: Deserializer<'de>>(from: D) -> Result<Quantity, D::Error> {
    Ok(String::deserialize(from)?.parse().unwrap_or_default())
}
