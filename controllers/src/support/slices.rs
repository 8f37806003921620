//! Keeping a set of EndpointSlices: endpoints stay in the slice they are in, so that a change of one pod changes one slice.

use super::ops::Op;
use super::owner::{name_of, namespace_of, uid_of};
use std::collections::BTreeMap;
use windlass_core::apis::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use windlass_core::apis::meta::v1::ObjectMeta;
use windlass_core::client::{DeleteOptions, Key};
use windlass_core::scheme;

pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";
pub(crate) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

/// Endpoints that may share slices: one family, the same ports.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) address_type: String,
    pub(crate) ports: Vec<EndpointPort>,
    pub(crate) endpoints: Vec<Endpoint>,
}

/// What turns the existing slices into slices with these groups, `max` endpoints in each at most. Labels and owner of all
/// are those of `like`.
pub(crate) fn reconcile(
    like: &ObjectMeta,
    groups: Vec<Group>,
    existing: Vec<EndpointSlice>,
    max: usize,
) -> Vec<Op> {
    let mut rest: Vec<_> =
        existing.into_iter().filter(|slice| slice.metadata.deletion_timestamp.is_none()).collect();
    let mut ops = vec![];
    for group in groups {
        let (fitting, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|slice| fits(slice, &group));
        rest = others;
        ops.extend(pack(like, group, fitting, max));
    }
    // Slices of other ports are taken over or deleted last, so that no endpoint is missing in between.
    ops.extend(rest.iter().map(delete));
    ops
}

fn fits(slice: &EndpointSlice, group: &Group) -> bool {
    slice.address_type == group.address_type
        && slice.ports.clone().unwrap_or_default() == group.ports
}

fn pack(like: &ObjectMeta, group: Group, slices: Vec<EndpointSlice>, max: usize) -> Vec<Op> {
    let mut wanted: BTreeMap<String, Endpoint> =
        group.endpoints.iter().map(|endpoint| (identity(endpoint), endpoint.clone())).collect();
    let mut ops = vec![];
    let mut kept: Vec<(EndpointSlice, Vec<Endpoint>)> = slices
        .into_iter()
        .map(|slice| {
            let here = slice.endpoints.iter().flatten();
            let stay =
                here.filter_map(|endpoint| wanted.remove(&identity(endpoint))).take(max).collect();
            (slice, stay)
        })
        .collect();
    let mut new: Vec<_> = wanted.into_values().collect();
    // The fullest first: the fewest slices in the end.
    kept.sort_by_key(|(_, stay)| std::cmp::Reverse(stay.len()));
    for (_, stay) in &mut kept {
        let room = max.saturating_sub(stay.len()).min(new.len());
        stay.extend(new.drain(..room));
    }
    let mut first = true;
    for (slice, endpoints) in kept {
        if endpoints.is_empty() && !(first && group.endpoints.is_empty()) {
            ops.push(delete(&slice));
        } else {
            ops.extend(update(like, slice, endpoints));
        }
        first = false;
    }
    let mut chunks: Vec<&[Endpoint]> = new.chunks(max).collect();
    if first && chunks.is_empty() {
        chunks.push(&[]);
    }
    ops.extend(chunks.into_iter().map(|endpoints| create(like, &group, endpoints)));
    ops
}

/// The same pod, or the same address, is the same endpoint.
fn identity(endpoint: &Endpoint) -> String {
    let uid = endpoint.target_ref.as_ref().and_then(|target| target.uid.clone());
    uid.unwrap_or_else(|| endpoint.addresses.join(","))
}

fn update(like: &ObjectMeta, mut slice: EndpointSlice, endpoints: Vec<Endpoint>) -> Option<Op> {
    let before = slice.clone();
    slice.metadata.labels.clone_from(&like.labels);
    slice.metadata.owner_references.clone_from(&like.owner_references);
    slice.endpoints =
        Some(endpoints).filter(|endpoints| !endpoints.is_empty() || before.endpoints.is_some());
    (slice != before).then(|| Op::update(key(&slice), &slice))
}

fn create(like: &ObjectMeta, group: &Group, endpoints: &[Endpoint]) -> Op {
    let slice = EndpointSlice {
        metadata: like.clone(),
        address_type: group.address_type.clone(),
        ports: Some(group.ports.clone()),
        endpoints: Some(endpoints.to_vec()),
    };
    Op::create(key(&slice), &slice)
}

fn delete(slice: &EndpointSlice) -> Op {
    Op::Delete(key(slice), DeleteOptions::uid(uid_of(&slice.metadata)))
}

fn key(slice: &EndpointSlice) -> Key {
    Key::new(scheme::ENDPOINTSLICES, namespace_of(&slice.metadata), name_of(&slice.metadata))
}

/// One group for each distinct list of ports, in a fixed order.
pub(crate) fn group_by_ports(
    address_type: &str,
    endpoints: Vec<(Vec<EndpointPort>, Endpoint)>,
) -> Vec<Group> {
    let text = |ports: &[EndpointPort]| format!("{ports:?}");
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (ports, endpoint) in endpoints {
        let group = groups.entry(text(&ports)).or_insert_with(|| Group {
            address_type: address_type.into(),
            ports,
            endpoints: vec![],
        });
        group.endpoints.push(endpoint);
    }
    groups.into_values().collect()
}
