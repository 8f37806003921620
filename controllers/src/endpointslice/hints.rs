//! For whom an endpoint is meant: hints for proxies that would rather stay near.

use std::collections::BTreeMap;
use windlass_core::apis::discovery::v1::{Endpoint, EndpointHints, ForNode, ForZone};

/// So much more than its share an endpoint may get of all traffic.
const OVERLOAD: f64 = 0.2;

/// Gives hints: by what the service asks for (KEP-4444, KEP-3015), or by the weights of the zones (KEP-2433).
pub(super) fn give(endpoints: &mut [&mut Endpoint], distribution: &str, weights: &[(String, f64)]) {
    let mut ready: Vec<&mut Endpoint> = endpoints
        .iter_mut()
        .map(|endpoint| &mut **endpoint)
        .filter(|endpoint| endpoint.conditions.as_ref().is_none_or(|now| now.ready != Some(false)))
        .collect();
    match distribution {
        "PreferClose" | "PreferSameZone" => {
            ready.iter_mut().for_each(|endpoint| endpoint.hints = near(endpoint, false));
        }
        "PreferSameNode" => {
            ready.iter_mut().for_each(|endpoint| endpoint.hints = near(endpoint, true));
        }
        _ => share_out(&mut ready, weights),
    }
}

fn near(endpoint: &Endpoint, same_node: bool) -> Option<EndpointHints> {
    let node = endpoint.node_name.clone().filter(|_| same_node);
    let hints = EndpointHints {
        for_zones: endpoint.zone.clone().map(|name| vec![ForZone { name }]),
        for_nodes: node.map(|name| vec![ForNode { name }]),
    };
    (hints != EndpointHints::default()).then_some(hints)
}

/// Each zone gets as many endpoints as it has weight: its own first, then such as others have too many of. None gets a
/// hint when that can't be done without overload, or when a zone is not known.
fn share_out(ready: &mut [&mut Endpoint], weights: &[(String, f64)]) {
    let Some(zones) = zones(ready, weights) else { return };
    for (endpoint, zone) in ready.iter_mut().zip(zones) {
        endpoint.hints =
            Some(EndpointHints { for_zones: Some(vec![ForZone { name: zone }]), for_nodes: None });
    }
}

/// The zone each endpoint is for.
#[allow(clippy::cast_precision_loss, reason = "endpoints are far fewer than 2^52")]
fn zones(ready: &[&mut Endpoint], weights: &[(String, f64)]) -> Option<Vec<String>> {
    if weights.is_empty() || weights.len() > ready.len() {
        return None;
    }
    let mut given: Vec<String> =
        ready.iter().map(|endpoint| endpoint.zone.clone()).collect::<Option<_>>()?;
    let total = ready.len() as f64;
    let desired: BTreeMap<&str, f64> =
        weights.iter().map(|(zone, share)| (zone.as_str(), share * total)).collect();
    if given.iter().any(|zone| !desired.contains_key(zone.as_str())) {
        return None;
    }
    let least = |zone: &str| (desired[zone] / (1.0 + OVERLOAD)).ceil();
    if desired.keys().map(|zone| least(zone)).sum::<f64>() > total {
        return None;
    }
    let count =
        |given: &[String], zone: &str| given.iter().filter(|one| *one == zone).count() as f64;
    while let Some(poor) = desired.keys().find(|zone| count(&given, zone) < least(zone)) {
        let surplus = |zone: &str| count(&given, zone) - desired[zone];
        // Never one that would be poor itself then: so each step brings the end nearer.
        let spare = desired.keys().filter(|zone| count(&given, zone) > least(zone));
        let rich = spare.max_by(|a, b| surplus(a).total_cmp(&surplus(b)))?;
        let at = given.iter().position(|zone| zone == rich)?;
        (*poor).clone_into(&mut given[at]);
    }
    Some(given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::testing::cases;
    use serde::Deserialize;
    use windlass_core::apis::discovery::v1::EndpointConditions;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        #[serde(default)]
        distribution: String,
        #[serde(default)]
        weights: Vec<(String, f64)>,
        /// The zone of each; empty for none.
        zones: Vec<String>,
        /// Those that are not ready.
        #[serde(default)]
        unready: Vec<usize>,
        /// Zones and nodes of each hint.
        wanted: Vec<String>,
    }

    #[test]
    fn endpoints_are_meant_for_whom_they_shall() {
        for case in cases::<Case>(include_str!("tests/hints.yaml")) {
            let mut endpoints: Vec<Endpoint> = case
                .zones
                .iter()
                .enumerate()
                .map(|(at, zone)| Endpoint {
                    zone: Some(zone.clone()).filter(|zone| !zone.is_empty()),
                    node_name: Some(format!("n{at}")),
                    conditions: Some(EndpointConditions {
                        ready: Some(!case.unready.contains(&at)),
                        ..Default::default()
                    }),
                    ..Default::default()
                })
                .collect();
            give(&mut endpoints.iter_mut().collect::<Vec<_>>(), &case.distribution, &case.weights);
            let found: Vec<String> = endpoints
                .into_iter()
                .map(|endpoint| {
                    let hints = endpoint.hints.unwrap_or_default();
                    let zones = hints.for_zones.into_iter().flatten().map(|zone| zone.name);
                    let nodes = hints.for_nodes.into_iter().flatten().map(|node| node.name);
                    zones.chain(nodes).collect::<Vec<_>>().join(" ")
                })
                .collect();
            assert_eq!(found, case.wanted, "{}", case.name);
        }
    }
}
