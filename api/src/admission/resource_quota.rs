//! No namespace uses more than its ResourceQuotas let it (Kubernetes' ResourceQuota admission controller).
//!
//! What an object uses is added to the quotas' status in the commit that writes the object: two writers can't both
//! take the last of something, and a write that fails has taken nothing. What is given back is the quota controller's.

mod asked;
mod limited;
mod plan;

#[cfg(test)]
mod tests;

pub use limited::LimitedResource;

use super::{Admission, AdmissionRequest, Charge, Operation, Phase};
use crate::storage::ReadVersion;
use crate::strategy::json::map_mut;
use crate::strategy::{Companion, Map, OnConflict};
use asked::Asked;
use async_trait::async_trait;
use parking_lot::Mutex;
use plan::{Quota, decide};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::timeout;
use windlass_core::Object;
use windlass_core::client::Scope;
use windlass_core::meta::Status;
use windlass_core::object::canonical;
use windlass_core::quota::Amount;
use windlass_core::scheme::{self, GroupVersionResource};
use windlass_store::{Op, Precondition};

/// So long a writer waits for those before him.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many namespaces are remembered before those where nobody writes are forgotten.
const NAMESPACES: usize = 1024;

/// Refuses what is over a quota, and counts what is not. Comes last of all plugins.
#[derive(Default)]
pub struct ResourceQuota {
    limited: Vec<LimitedResource>,
    /// Who writes in a namespace that has quotas.
    turns: Mutex<FxHashMap<String, Weak<Turn<()>>>>,
}

// === impl ResourceQuota ===

impl ResourceQuota {
    /// Refuses what is `limited` where no quota covers it.
    #[must_use]
    pub fn new(limited: Vec<LimitedResource>) -> Self {
        Self { limited, turns: Mutex::default() }
    }

    /// One writer at a time.
    async fn turn(&self, namespace: &str) -> Result<OwnedMutexGuard<()>, Status> {
        let turn = {
            let mut turns = self.turns.lock();
            if turns.len() > NAMESPACES {
                turns.retain(|_, turn| turn.strong_count() > 0);
            }
            let known = turns.get(namespace).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let turn = Arc::new(Turn::new(()));
                turns.insert(namespace.to_owned(), Arc::downgrade(&turn));
                turn
            })
        };
        let waited = timeout(PATIENCE, turn.lock_owned()).await;
        waited.map_err(|_| Status::internal("resource quota evaluation timed out"))
    }
}

#[async_trait]
impl Admission for ResourceQuota {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        matches!(operation, Operation::Create | Operation::Update)
            && *resource != scheme::EVENTS
            && *resource != scheme::EVENTS_K8S_IO_EVENTS
    }

    fn phase(&self) -> Phase {
        Phase::Quota
    }

    async fn charge(&self, request: &AdmissionRequest<'_>) -> Result<Option<Charge>, Status> {
        let objects = request.objects;
        if request.namespace.is_empty()
            || !Asked::is_counted(request)
            || *request.resource == scheme::NAMESPACES
            || !objects.serves(&scheme::RESOURCEQUOTAS)
        {
            return Ok(None);
        }
        let scope = Scope::namespace(scheme::RESOURCEQUOTAS, request.namespace);
        if self.limited.is_empty() && objects.list_at(&scope, ReadVersion::Any).await?.is_empty() {
            return Ok(None);
        }
        let turn = self.turn(request.namespace).await?;
        let kept = objects.list_at(&scope, ReadVersion::Newest).await?;
        let read = |object: &Arc<Object>| Quota::of(object).map_err(Status::internal);
        let quotas = kept.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let asked = Asked::of(request)?;
        let charged =
            decide(&quotas, &asked, &self.limited).map_err(|why| request.forbidden(&why))?;
        let place = objects.entry(&scheme::RESOURCEQUOTAS)?.place.clone();
        let companion = |(at, used): (usize, BTreeMap<String, Amount>)| {
            let quota = &kept[at];
            let key = place.key(Some(request.namespace), quota.name());
            Ok(Companion {
                precondition: Some(Precondition::ModRevision(
                    key.clone(),
                    quota.resource_version(),
                )),
                op: Op::Put { key, value: with(quota, used)?, lease: None },
                on_conflict: OnConflict::Retry,
            })
        };
        let companions = charged.into_iter().map(companion).collect::<Result<Vec<_>, Status>>()?;
        if companions.is_empty() {
            return Ok(None);
        }
        Ok(Some(Charge { companions, turn: Some(turn) }))
    }
}

/// The quota with so much used.
fn with(quota: &Object, used: BTreeMap<String, Amount>) -> Result<bytes::Bytes, Status> {
    let mut object: Map = quota.view().map_err(Status::internal)?;
    let now = map_mut(map_mut(&mut object, "status"), "used");
    now.extend(used.into_iter().map(|(name, amount)| (name, amount.to_string().into())));
    Ok(canonical(object))
}
