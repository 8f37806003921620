//! What an object takes of what is counted: paid in the very commit that writes it.

use super::{AdmissionRequest, Chain, Phase};
use crate::strategy::Companion;
use tokio::sync::OwnedMutexGuard;
use windlass_core::meta::Status;

/// What is committed together with an object, or not at all. A write that fails has paid nothing.
#[derive(Debug, Default)]
pub struct Charge {
    /// The changes. When one conflicts and says [`crate::strategy::OnConflict::Retry`], the plugin is asked again.
    pub companions: Vec<Companion>,
    /// Held until it is committed or refused, so that writers who pay from the same purse don't collide.
    pub turn: Option<OwnedMutexGuard<()>>,
}

// === impl Chain ===

impl Chain {
    /// What a write that was let in has to pay.
    pub(crate) async fn charge(
        &self,
        request: &AdmissionRequest<'_>,
    ) -> Result<Vec<Charge>, Status> {
        let mut charges = Vec::new();
        for plugin in &self.0 {
            if plugin.phase() == Phase::Quota
                && plugin.handles(request.operation, request.resource)
                && let Some(charge) = plugin.charge(request).await?
            {
                charges.push(charge);
            }
        }
        Ok(charges)
    }
}
