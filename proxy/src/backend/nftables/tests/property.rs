//! However the state was reached, the table is the one that a full resync would make.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::kernel::Kernel;
use super::{endpoints, port};
use crate::backend::nftables::Renderer;
use crate::model::{Family, Network, PortKey, ServicePort, TrafficPolicy};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn any_port() -> impl Strategy<Value = ServicePort> {
    let policy = || select(vec![TrafficPolicy::Cluster, TrafficPolicy::Local]);
    let pods: Vec<usize> = (1..=6).collect();
    let choices = (
        select((0..NAMES.len()).collect::<Vec<_>>()),
        subsequence(pods.clone(), 0..=6),
        subsequence(pods, 0..=6),
        select(vec![80, 81]),
        proptest::option::of(select(vec![30080, 30081])),
        proptest::bool::ANY,
        proptest::option::of(select(vec![60, 61])),
        (policy(), policy()),
        subsequence(vec!["192.0.2.0/25", "192.0.2.128/25", "198.51.100.7/32"], 0..=3),
    );
    choices.prop_map(
        |(name, serving, here, number, node_port, external, affinity, policies, sources)| {
            let addresses: Vec<String> =
                serving.iter().map(|pod| format!("10.0.0.{pod}:80")).collect();
            let mut all = endpoints(&addresses.iter().map(String::as_str).collect::<Vec<_>>());
            for (endpoint, pod) in all.iter_mut().zip(&serving) {
                endpoint.local = here.contains(pod);
            }
            let mut port = port(NAMES[name], &format!("10.96.0.{}", name + 1), all);
            (port.port, port.node_port, port.affinity) = (number, node_port, affinity);
            (port.internal_policy, port.external_policy) = policies;
            port.external_ips =
                if external { vec!["203.0.113.1".parse().unwrap()] } else { Vec::new() };
            if external {
                port.load_balancer_ips = vec!["203.0.113.2".parse().unwrap()];
            }
            port.source_ranges =
                sources.iter().map(|source| source.parse::<Network>().unwrap().range()).collect();
            port
        },
    )
}

/// A change names each port at most once.
pub(super) fn any_change() -> impl Strategy<Value = Vec<(ServicePort, bool)>> {
    proptest::collection::vec((any_port(), proptest::bool::weighted(0.7)), 1..5).prop_map(
        |mut change| {
            change.sort_by(|(a, _), (b, _)| a.key.cmp(&b.key));
            change.dedup_by(|(a, _), (b, _)| a.key == b.key);
            change
        },
    )
}

proptest! {
    #[test]
    fn incremental_state_equals_a_full_resync(changes in proptest::collection::vec(any_change(), 1..12)) {
        let (mut renderer, mut kernel) = (Renderer::new(Family::V4), Kernel::default());
        for change in changes {
            let (updated, removed): (Vec<_>, Vec<_>) = change.into_iter().partition(|(_, keep)| *keep);
            let updated: Vec<_> = updated.into_iter().map(|(port, _)| Arc::new(port)).collect();
            let removed: Vec<PortKey> = removed.into_iter().map(|(port, _)| port.key).collect();
            kernel.commit(&renderer.apply(&updated, &removed));
            prop_assert_eq!(&renderer.elements().into_iter().collect::<std::collections::BTreeSet<_>>(), kernel.elements());
            let state: Vec<_> = renderer.ports().cloned().collect();
            let mut fresh = Kernel::default();
            fresh.commit(&Renderer::new(Family::V4).apply(&state, &[]));
            prop_assert_eq!(kernel.seen(), fresh.seen());
        }
    }
}
