//! A node's agent writes its own node, pods and leases, and nobody else's (Kubernetes' NodeRestriction admission
//! controller).

mod node;
mod pod;
mod token;

#[cfg(test)]
mod tests;

use super::certificates::request_of;
use super::{Admission, AdmissionRequest, Operation};
use crate::authentication::User;
use crate::storage::ReadVersion;
use crate::strategy::Map;
use crate::strategy::json::{map_mut, str_at};
use async_trait::async_trait;
use windlass_core::client::Key;
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

/// The names and the group of nodes' agents.
const PREFIX: &str = "system:node:";
const NODES: &str = "system:nodes";
const LEASES: &str = "kube-node-lease";
/// Who signs what nodes are known by.
const NODE_SIGNERS: [&str; 2] =
    ["kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"];

/// Refuses what a user `system:node:NAME` of the group `system:nodes` writes beside what is the node's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodeRestriction;

/// What a node asks for.
struct Asked<'a, 'b> {
    request: &'a AdmissionRequest<'b>,
    node: &'a str,
}

#[async_trait]
impl Admission for NodeRestriction {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        const ALL: [GroupVersionResource; 8] = [
            scheme::PODS,
            scheme::NODES,
            scheme::PERSISTENTVOLUMECLAIMS,
            scheme::SERVICEACCOUNTS,
            scheme::LEASES,
            scheme::CERTIFICATESIGNINGREQUESTS,
            scheme::CSINODES,
            scheme::RESOURCESLICES,
        ];
        operation != Operation::Connect && ALL.contains(resource)
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let Some(node) = node_of(request.user) else { return Ok(()) };
        if node.is_empty() {
            let why = format!("could not determine node from user \"{}\"", request.user.name);
            return Err(request.forbidden(&why));
        }
        let asked = Asked { request, node };
        let decided = match request.resource {
            one if *one == scheme::PODS => asked.pod().await?,
            one if *one == scheme::NODES => asked.node(),
            one if *one == scheme::PERSISTENTVOLUMECLAIMS => asked.claim(),
            one if *one == scheme::SERVICEACCOUNTS => asked.token().await?,
            one if *one == scheme::LEASES => asked.lease(),
            one if *one == scheme::CERTIFICATESIGNINGREQUESTS => asked.certificate(),
            one if *one == scheme::CSINODES => asked.csi_node(),
            one if *one == scheme::RESOURCESLICES => asked.slice(),
            _ => Ok(()),
        };
        decided.map_err(|why| request.forbidden(&why))
    }
}

/// The node that a user acts for.
fn node_of(user: &User) -> Option<&str> {
    user.name.strip_prefix(PREFIX).filter(|_| user.is_in(NODES))
}

// === impl Asked ===

impl Asked<'_, '_> {
    /// The object as it shall be, or the one that goes.
    fn object(&self) -> Option<&Map> {
        self.request.object.as_ref().or(self.request.old)
    }

    /// The name of the object; that of a new one is in it.
    fn name(&self) -> &str {
        match self.request.name {
            "" => self.object().map_or("", |object| str_at(object, &["metadata", "name"])),
            name => name,
        }
    }

    /// The pod that the request is about, as it is.
    async fn stored_pod(&self, name: &str) -> Result<Option<Map>, Status> {
        let key = Key::new(scheme::PODS, self.request.namespace, name);
        let found = self.request.objects.get_at(&key, ReadVersion::Newest).await?;
        found.map(|pod| pod.view()).transpose().map_err(Status::internal)
    }

    fn claim(&self) -> Result<(), String> {
        let (node, operation) = (self.node, self.request.operation);
        if self.request.subresource != "status" {
            return Err("may only update PVC status".into());
        }
        if operation != Operation::Update {
            return Err(format!("unexpected operation \"{}\"", operation.as_str()));
        }
        let (Some(new), Some(old)) = (&self.request.object, self.request.old) else {
            return Ok(());
        };
        let rest = |claim: &Map| {
            let mut claim = claim.clone();
            let metadata = map_mut(&mut claim, "metadata");
            metadata.shift_remove("managedFields");
            metadata.shift_remove("resourceVersion");
            let status = map_mut(&mut claim, "status");
            for field in
                ["capacity", "conditions", "allocatedResources", "allocatedResourceStatuses"]
            {
                status.shift_remove(field);
            }
            claim
        };
        if rest(new) == rest(old) {
            return Ok(());
        }
        Err(format!(
            "node \"{node}\" is not allowed to update fields other than status.capacity and status.conditions"
        ))
    }

    fn lease(&self) -> Result<(), String> {
        if self.request.namespace != LEASES {
            return Err(format!("can only access leases in the \"{LEASES}\" system namespace"));
        }
        let why = "can only access node lease with the same name as the requesting node";
        if self.name() == self.node { Ok(()) } else { Err(why.into()) }
    }

    /// A certificate by which one is a node is asked for in one's own name.
    fn certificate(&self) -> Result<(), String> {
        let (Operation::Create, "", Some(asked)) =
            (self.request.operation, self.request.subresource, &self.request.object)
        else {
            return Ok(());
        };
        if !NODE_SIGNERS.contains(&str_at(asked, &["spec", "signerName"])) {
            return Ok(());
        }
        let name = &self.request.user.name;
        let csr = request_of(str_at(asked, &["spec", "request"]));
        let csr = csr.map_err(|why| format!("unable to parse csr: {why}"))?;
        match csr.common_name == *name {
            true => Ok(()),
            false => Err(format!("can only create a node CSR with CN={name}")),
        }
    }

    fn csi_node(&self) -> Result<(), String> {
        let why = "can only access CSINode with the same name as the requesting node";
        if self.name() == self.node { Ok(()) } else { Err(why.into()) }
    }

    fn slice(&self) -> Result<(), String> {
        let of = |object: &Map| str_at(object, &["spec", "nodeName"]) == self.node;
        let own = self.request.object.as_ref().is_none_or(of) && self.request.old.is_none_or(of);
        match (own, self.request.operation) {
            (true, _) => Ok(()),
            (false, Operation::Create) => {
                Err("can only create ResourceSlice with the same NodeName as the requesting node"
                    .into())
            }
            (false, _) => {
                Err("can only access ResourceSlice with the same NodeName as the requesting node"
                    .into())
            }
        }
    }
}
