//! What agents may do: what every node needs, and of secrets, config maps, claims, volumes and service accounts those that
//! pods on the node use (reference: "Using Node Authorization").

mod follow;
mod graph;
mod pod;

use super::{Attributes, Authorizer, Decision, Rule};
use crate::authentication::User;
use crate::bootstrap::node_rules;
use async_trait::async_trait;
use graph::{Graph, Kind, Vertex};
use parking_lot::RwLock;
use windlass_core::request::ResourceTarget;
use windlass_core::scheme;

/// The group of all nodes, and what stands before the name of each.
const NODES: &str = "system:nodes";
const PREFIX: &str = "system:node:";
const LEASES: &str = "kube-node-lease";

/// Decides about users of the group `system:nodes` with the name `system:node:NAME`, and has no opinion of others. Knows no
/// pods until it [follows](NodeAuthorizer::follow) them.
pub struct NodeAuthorizer {
    graph: RwLock<Graph>,
    rules: Vec<Rule>,
}

// === impl NodeAuthorizer ===

impl Default for NodeAuthorizer {
    fn default() -> Self {
        Self { graph: RwLock::default(), rules: node_rules() }
    }
}

impl NodeAuthorizer {
    fn decide(&self, node: &str, attributes: &Attributes<'_>) -> Result<(), String> {
        let by_rule = || match self.rules.iter().any(|rule| rule.allows(attributes)) {
            true => Ok(()),
            false => Err(String::new()),
        };
        let Some(target) = attributes.resource else { return by_rule() };
        let (group, resource) = (&*target.resource.group, &*target.resource.resource);
        let subresource = target.subresource.as_deref().unwrap_or_default();
        let verb = attributes.verb;
        match (group, resource) {
            ("", "secrets") => self.read(node, Kind::Secret, target, verb),
            ("", "configmaps") => self.read(node, Kind::ConfigMap, target, verb),
            ("", "serviceaccounts") if subresource == "token" => self.token(node, target, verb),
            ("", "serviceaccounts") => self.read(node, Kind::ServiceAccount, target, verb),
            ("", "persistentvolumeclaims") if subresource == "status" => match verb {
                "update" | "patch" => self.related(node, Kind::Claim, target),
                _ => Err("can only get individual resources of this type".into()),
            },
            // An agent that watches what its pods name sees no more than one that asks again and again.
            ("", "persistentvolumeclaims") if follows(target, verb) => {
                self.related(node, Kind::Claim, target)
            }
            ("", "persistentvolumes") if follows(target, verb) => {
                self.related(node, Kind::Volume, target)
            }
            ("", "persistentvolumeclaims") => self.get(node, Kind::Claim, target, verb),
            ("", "persistentvolumes") => self.get(node, Kind::Volume, target, verb),
            ("storage.k8s.io", "volumeattachments") => {
                self.get(node, Kind::Attachment, target, verb)
            }
            ("resource.k8s.io", "resourceclaims") => {
                self.get(node, Kind::ResourceClaim, target, verb)
            }
            ("coordination.k8s.io", "leases") => lease(node, target, verb),
            ("storage.k8s.io", "csinodes") => csi_node(node, target, verb),
            ("resource.k8s.io", "resourceslices") => self.slice(node, target, attributes),
            ("", "nodes") => own_node(node, target, verb),
            ("", "pods") => self.pod(node, target, attributes),
            _ => by_rule(),
        }
    }

    /// `get`, `list` and `watch` of one object.
    fn read(&self, node: &str, kind: Kind, at: &ResourceTarget, verb: &str) -> Result<(), String> {
        match verb {
            "get" | "list" | "watch" if at.subresource.is_none() => {}
            "get" | "list" | "watch" => return Err("cannot read subresource".into()),
            _ => return Err("can only read resources of this type".into()),
        }
        if at.namespace.is_none() {
            return Err("can only read namespaced object of this type".into());
        }
        self.related(node, kind, at)
    }

    fn get(&self, node: &str, kind: Kind, at: &ResourceTarget, verb: &str) -> Result<(), String> {
        match (verb, &at.subresource) {
            ("get", None) => self.related(node, kind, at),
            ("get", Some(_)) => Err("cannot get subresource".into()),
            _ => Err("can only get individual resources of this type".into()),
        }
    }

    fn token(&self, node: &str, at: &ResourceTarget, verb: &str) -> Result<(), String> {
        match verb {
            "create" => self.related(node, Kind::ServiceAccount, at),
            _ => Err("can only create tokens for individual service accounts".into()),
        }
    }

    /// Of pods a node sees its own. What it writes NodeRestriction looks at.
    fn pod(&self, node: &str, at: &ResourceTarget, asked: &Attributes<'_>) -> Result<(), String> {
        match (at.subresource.as_deref(), asked.verb) {
            (None, "get") => self.related(node, Kind::Pod, at),
            (None, "list" | "watch") if asked.selected("spec.nodeName") == Some(node) => Ok(()),
            (None, "list" | "watch") if at.name.is_some() => self.related(node, Kind::Pod, at),
            (None, "list" | "watch") => {
                Err("can only list/watch pods with spec.nodeName field selector".into())
            }
            (None, "create" | "delete")
            | (Some("status"), "update" | "patch")
            | (Some("eviction"), "create") => Ok(()),
            _ => Err(String::new()),
        }
    }

    /// Its devices. Whose a new slice is NodeRestriction looks at.
    fn slice(&self, node: &str, at: &ResourceTarget, asked: &Attributes<'_>) -> Result<(), String> {
        if at.subresource.is_some() {
            return Err("cannot authorize ResourceSlice subresources".into());
        }
        match asked.verb {
            "create" => Ok(()),
            "get" | "update" | "patch" | "delete" => self.related(node, Kind::Slice, at),
            "list" | "watch" | "deletecollection" if asked.selected("spec.nodeName") == Some(node) => Ok(()),
            "list" | "watch" | "deletecollection" => Err(
                "can only list/watch/deletecollection resourceslices with nodeName field selector"
                    .into(),
            ),
            _ => Err("only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection".into()),
        }
    }

    /// Whether a pod on the node leads to an object.
    fn related(&self, node: &str, kind: Kind, at: &ResourceTarget) -> Result<(), String> {
        let Some(name) = at.name.as_deref().filter(|name| !name.is_empty()) else {
            return Err("No Object name found".into());
        };
        let namespace = at.namespace.as_deref().unwrap_or_default();
        match self.graph.read().leads(node, &Vertex::new(kind, namespace, name)) {
            true => Ok(()),
            false => Err(format!("no relationship found between node '{node}' and this object")),
        }
    }
}

#[async_trait]
impl Authorizer for NodeAuthorizer {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let user = attributes.user;
        if !user.is_in(NODES) {
            return Decision::NoOpinion(String::new());
        }
        let Some(node) = user.name.strip_prefix(PREFIX) else {
            return Decision::NoOpinion(String::new());
        };
        if node.is_empty() {
            return Decision::NoOpinion(format!("unknown node for user {:?}", user.name));
        }
        match self.decide(node, attributes) {
            Ok(()) => Decision::allow(),
            Err(why) => Decision::NoOpinion(why),
        }
    }

    fn unlisted(&self, user: &User) -> Option<String> {
        let is_node = user.is_in(NODES) && user.name.starts_with(PREFIX);
        is_node.then(|| "node authorizer does not support user rule resolution".to_owned())
    }
}

/// Whether one object is followed.
fn follows(at: &ResourceTarget, verb: &str) -> bool {
    matches!(verb, "list" | "watch") && at.name.is_some() && at.subresource.is_none()
}

/// A node sees itself and no other. Which one it writes NodeRestriction looks at.
fn own_node(node: &str, at: &ResourceTarget, verb: &str) -> Result<(), String> {
    match (at.subresource.as_deref(), verb, at.name.as_deref()) {
        (None, "create" | "update" | "patch", _) | (Some("status"), "update" | "patch", _) => {
            Ok(())
        }
        (None, "get" | "list" | "watch", Some(name)) if name == node => Ok(()),
        (None, "get" | "list" | "watch", Some(name)) => {
            Err(format!("node '{node}' cannot read '{name}', only its own Node object"))
        }
        (None, "get" | "list" | "watch", None) => {
            Err(format!("node '{node}' cannot read all nodes, only its own Node object"))
        }
        _ => Err(String::new()),
    }
}

/// A node has one lease, of its own name.
fn lease(node: &str, at: &ResourceTarget, verb: &str) -> Result<(), String> {
    if !matches!(verb, "get" | "create" | "update" | "patch" | "delete") {
        return Err("can only get, create, update, patch, or delete a node lease".into());
    }
    if at.namespace.as_deref() != Some(LEASES) {
        return Err(format!("can only access leases in the {LEASES:?} system namespace"));
    }
    match (verb, at.name.as_deref()) {
        ("create", None) => Ok(()),
        (_, Some(name)) if name == node => Ok(()),
        _ => Err("can only access node lease with the same name as the requesting node".into()),
    }
}

fn csi_node(node: &str, at: &ResourceTarget, verb: &str) -> Result<(), String> {
    if !matches!(verb, "get" | "create" | "update" | "patch" | "delete") {
        return Err("can only get, create, update, patch, or delete a CSINode".into());
    }
    if at.subresource.is_some() {
        return Err("cannot authorize CSINode subresources".into());
    }
    match (verb, at.name.as_deref()) {
        ("create", None) => Ok(()),
        (_, Some(name)) if name == node => Ok(()),
        _ => Err("can only access CSINode with the same name as the requesting node".into()),
    }
}

impl NodeAuthorizer {
    /// What it learns, and from which resources.
    const FOLLOWED: [scheme::GroupVersionResource; 4] = [
        scheme::PODS,
        scheme::PERSISTENTVOLUMES,
        scheme::VOLUMEATTACHMENTS,
        scheme::RESOURCESLICES,
    ];
}

#[cfg(test)]
mod tests;
