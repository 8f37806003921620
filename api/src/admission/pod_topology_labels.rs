//! A pod that is bound to a node knows its zone and region (Kubernetes' PodTopologyLabels admission controller).

use super::{Admission, AdmissionRequest, Operation};
use crate::storage::ReadVersion;
use crate::strategy::json::{map_mut, str_at};
use async_trait::async_trait;
use windlass_core::client::Key;
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

const LABELS: [&str; 2] = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];

/// Puts the topology labels of the node into bindings; from there they come to the pod.
#[derive(Clone, Copy, Debug, Default)]
pub struct PodTopologyLabels;

#[async_trait]
impl Admission for PodTopologyLabels {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        operation == Operation::Create
            && (*resource == scheme::PODS || *resource == scheme::BINDINGS)
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let binds = request.subresource == "binding" || *request.resource == scheme::BINDINGS;
        let Some(binding) = request.object.as_mut().filter(|_| binds) else { return Ok(()) };
        let node = str_at(binding, &["target", "name"]);
        if node.is_empty() || !matches!(str_at(binding, &["target", "kind"]), "" | "Node") {
            return Ok(());
        }
        if !request.objects.serves(&scheme::NODES) {
            return Ok(());
        }
        let key = Key::cluster(scheme::NODES, node);
        let Some(node) = request.objects.get_at(&key, ReadVersion::Any).await? else {
            return Ok(());
        };
        for (key, value) in &node.header().labels {
            if LABELS.contains(&&**key) {
                let labels = map_mut(map_mut(binding, "metadata"), "labels");
                labels.insert(key.to_string(), value.to_string().into());
            }
        }
        Ok(())
    }
}
