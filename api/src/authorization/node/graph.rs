//! Which nodes lead to which objects: pods on a node to what they name, claims to their volumes, volumes to their secrets.

use rustc_hash::FxHashMap;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Secret,
    ConfigMap,
    ServiceAccount,
    Claim,
    Volume,
    Attachment,
    ResourceClaim,
    Pod,
    Slice,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Vertex {
    kind: Kind,
    namespace: Arc<str>,
    name: Box<str>,
}

/// What leads somewhere: a pod, a volume or an attachment, by resource, namespace and name.
pub(super) type Source = (Origin, Box<str>, Box<str>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    Pod,
    Volume,
    Attachment,
    Slice,
}

/// Where something leads.
#[derive(Debug, PartialEq)]
pub(super) enum Edges {
    /// From a node.
    Node(Arc<str>, Vec<Vertex>),
    /// From a claim to these.
    Claim(Vertex, Vec<Vertex>),
}

#[derive(Default)]
pub(super) struct Graph {
    sources: FxHashMap<Source, Edges>,
    /// How many pods of which nodes name an object.
    nodes: FxHashMap<Vertex, FxHashMap<Arc<str>, u32>>,
    /// By which claims one comes to a volume or its secrets.
    claims: FxHashMap<Vertex, Vec<Vertex>>,
}

// === impl Vertex ===

impl Vertex {
    pub(super) fn new(kind: Kind, namespace: impl Into<Arc<str>>, name: &str) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }
}

// === impl Graph ===

impl Graph {
    /// Whether a pod on the node leads to an object.
    pub(super) fn leads(&self, node: &str, to: &Vertex) -> bool {
        let direct = |to: &Vertex| self.nodes.get(to).is_some_and(|nodes| nodes.contains_key(node));
        direct(to) || self.claims.get(to).is_some_and(|claims| claims.iter().any(direct))
    }

    /// Puts where something leads in the place of where it led before; nowhere when `None`.
    pub(super) fn set(&mut self, source: Source, edges: Option<Edges>) {
        if self.sources.get(&source) == edges.as_ref() {
            return;
        }
        if let Some(old) = self.sources.remove(&source) {
            self.unlink(&old);
        }
        if let Some(edges) = edges {
            self.link(&edges);
            self.sources.insert(source, edges);
        }
    }

    /// Forgets what is not among these, of a kind of sources.
    pub(super) fn keep(&mut self, kind: Origin, stays: impl Fn(&Source) -> bool) {
        let gone: Vec<_> =
            self.sources.keys().filter(|one| one.0 == kind && !stays(one)).cloned().collect();
        gone.into_iter().for_each(|source| self.set(source, None));
    }

    fn link(&mut self, edges: &Edges) {
        match edges {
            Edges::Node(node, to) => {
                for to in to {
                    let nodes = self.nodes.entry(to.clone()).or_default();
                    *nodes.entry(node.clone()).or_default() += 1;
                }
            }
            Edges::Claim(claim, to) => {
                for to in to {
                    self.claims.entry(to.clone()).or_default().push(claim.clone());
                }
            }
        }
    }

    fn unlink(&mut self, edges: &Edges) {
        match edges {
            Edges::Node(node, to) => to.iter().for_each(|to| self.unlink_node(node, to)),
            Edges::Claim(claim, to) => to.iter().for_each(|to| self.unlink_claim(claim, to)),
        }
    }

    fn unlink_node(&mut self, node: &str, to: &Vertex) {
        let Some(nodes) = self.nodes.get_mut(to) else { return };
        if let Some(count) = nodes.get_mut(node) {
            *count -= 1;
            if *count == 0 {
                nodes.remove(node);
            }
        }
        if nodes.is_empty() {
            self.nodes.remove(to);
        }
    }

    fn unlink_claim(&mut self, claim: &Vertex, to: &Vertex) {
        let Some(claims) = self.claims.get_mut(to) else { return };
        if let Some(at) = claims.iter().position(|one| one == claim) {
            claims.swap_remove(at);
        }
        if claims.is_empty() {
            self.claims.remove(to);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.nodes.is_empty() && self.claims.is_empty()
    }
}
