//! Which endpoints of a Service port serve this node: readiness, traffic policies and hints.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use crate::model::{Endpoint, EndpointView};

/// Who this node is, for traffic policies and hints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeIdentity {
    /// The node's name; endpoints with this `nodeName` are local.
    pub name: String,
    /// The node's zone, from its label `topology.kubernetes.io/zone`; `None` switches zone hints off.
    pub zone: Option<String>,
}

/// An endpoint that has the right port and family, ready or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) endpoint: &'a EndpointView,
}

/// The endpoints that serve under each policy.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    pub(crate) cluster: Vec<Endpoint>,
    pub(crate) local: Vec<Endpoint>,
    /// Whether the local ones only serve until they end.
    pub(crate) local_terminating: bool,
}

/// Chooses among the candidates.
///
/// Ready endpoints serve; where there is none, those that terminate but still serve do (KEP-1669).
/// Hints narrow policy `Cluster` when each ready endpoint has some (KEP-2433, KEP-4444).
pub(crate) fn choose(candidates: &[Candidate<'_>], node: &NodeIdentity) -> Chosen {
    let usable = usable(candidates.iter());
    let local = usable_local(candidates, node);
    let hinted = hinted(&usable, node).unwrap_or(usable);
    Chosen {
        local_terminating: local.iter().any(|c| !c.endpoint.conditions.is_ready()),
        cluster: endpoints(&hinted, node),
        local: endpoints(&local, node),
    }
}

fn usable<'a, 'b>(candidates: impl Iterator<Item = &'a Candidate<'b>> + Clone) -> Vec<Candidate<'b>>
where
    'b: 'a,
{
    let ready: Vec<_> =
        candidates.clone().filter(|c| c.endpoint.conditions.is_ready()).copied().collect();
    if !ready.is_empty() {
        return ready;
    }
    candidates.filter(|c| c.endpoint.conditions.is_serving_terminating()).copied().collect()
}

fn usable_local<'a>(candidates: &[Candidate<'a>], node: &NodeIdentity) -> Vec<Candidate<'a>> {
    usable(candidates.iter().filter(|c| is_local(c.endpoint, node)))
}

/// The endpoints hinted for this node, else for its zone; `None` when hints cannot be used.
fn hinted<'a>(usable: &[Candidate<'a>], node: &NodeIdentity) -> Option<Vec<Candidate<'a>>> {
    let for_node = |c: &Candidate<'_>| {
        let hints = c
            .endpoint
            .hints
            .as_ref()
            .map(|hints| hints.for_nodes.as_slice())
            .filter(|nodes| !nodes.is_empty());
        hints.map(|nodes| nodes.iter().any(|hint| hint.name == node.name))
    };
    let for_zone = |c: &Candidate<'_>| {
        let zone = node.zone.as_ref()?;
        let hints = c
            .endpoint
            .hints
            .as_ref()
            .map(|hints| hints.for_zones.as_slice())
            .filter(|zones| !zones.is_empty());
        hints.map(|zones| zones.iter().any(|hint| hint.name == *zone))
    };
    narrow(usable, for_node).or_else(|| narrow(usable, for_zone))
}

/// Keeps what `matches`; `None` when one endpoint has no hint or none matches.
fn narrow<'a>(
    usable: &[Candidate<'a>],
    matches: impl Fn(&Candidate<'a>) -> Option<bool>,
) -> Option<Vec<Candidate<'a>>> {
    let mut kept = Vec::new();
    for candidate in usable {
        if matches(candidate)? {
            kept.push(*candidate);
        }
    }
    (!kept.is_empty()).then_some(kept)
}

fn endpoints(candidates: &[Candidate<'_>], node: &NodeIdentity) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = candidates
        .iter()
        .map(|c| Endpoint { address: c.address, local: is_local(c.endpoint, node) })
        .collect();
    // The local one first, so that it is kept where two slices disagree.
    endpoints.sort_unstable_by_key(|e| (e.address, !e.local));
    endpoints.dedup_by_key(|e| e.address);
    endpoints
}

fn is_local(endpoint: &EndpointView, node: &NodeIdentity) -> bool {
    endpoint.node_name.as_ref().is_some_and(|name| *name == node.name)
}
