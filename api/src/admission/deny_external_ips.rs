//! No new external addresses of Services (Kubernetes' DenyServiceExternalIPs admission controller).

use super::{Admission, AdmissionRequest, Operation};
use crate::strategy::Map;
use crate::strategy::json::{map_of, strs_of};
use async_trait::async_trait;
use std::collections::BTreeSet;
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

/// Refuses `spec.externalIPs` that were not there before: who sets one takes the traffic to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct DenyServiceExternalIPs;

#[async_trait]
impl Admission for DenyServiceExternalIPs {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        matches!(operation, Operation::Create | Operation::Update) && *resource == scheme::SERVICES
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let Some(new) = request.object.as_ref().filter(|_| request.subresource.is_empty()) else {
            return Ok(());
        };
        let before = request.old.map(addresses).unwrap_or_default();
        if addresses(new).is_subset(&before) {
            return Ok(());
        }
        Err(request.forbidden("Use of external IPs is denied by admission control"))
    }
}

fn addresses(service: &Map) -> BTreeSet<&str> {
    let spec = map_of(service, "spec").into_iter();
    spec.flat_map(|spec| strs_of(spec, "externalIPs").map(|(_, address)| address)).collect()
}
