//! Which destinations a Service port answers, and how.

use std::net::IpAddr;

use super::group::Group;
use crate::backend::nftables::ruleset::{Frontend, Mode, Target, View};
use crate::model::{ServicePort, TrafficPolicy};

/// A destination that a port wants to answer.
pub(super) struct Claim {
    /// Whether it is something else than the cluster address.
    pub(super) external: bool,
    pub(super) view: View,
    pub(super) frontend: Frontend,
    pub(super) target: Target,
}

/// What a port claims; none of the `reserved` addresses as an external one.
pub(super) fn claims(
    port: &ServicePort,
    reserved: &[IpAddr],
    cluster: Option<&Group>,
    local: Option<&Group>,
) -> Vec<Claim> {
    let targets = Targets { port, cluster, local };
    let address = |ip: IpAddr| Frontend::Address(ip, port.protocol(), port.port);
    let allowed = |ip: &&IpAddr| !reserved.contains(ip);
    let target = targets.of(port.internal_policy, Mode::MasqueradeOutside);
    let frontend = address(port.cluster_ip);
    let mut claims = vec![Claim { external: false, view: View::Cluster, frontend, target }];
    let node_port = port.node_port.map(|number| Frontend::NodePort(port.protocol(), number));
    let external_ips = port.external_ips.iter().filter(allowed).map(|ip| address(*ip));
    for frontend in external_ips.chain(node_port) {
        targets.external(frontend, false, &mut claims);
    }
    for ip in port.load_balancer_ips.iter().filter(allowed) {
        targets.external(address(*ip), !port.source_ranges.is_empty(), &mut claims);
    }
    claims
}

struct Targets<'a> {
    port: &'a ServicePort,
    cluster: Option<&'a Group>,
    local: Option<&'a Group>,
}

// === impl Targets ===

impl Targets<'_> {
    /// Under policy `Local`, sources inside the cluster take the short way to any endpoint.
    fn external(&self, frontend: Frontend, restricted: bool, claims: &mut Vec<Claim>) {
        let mut claim = |view, target: Target| {
            let restricted = restricted && target.endpoints > 0;
            let target = Target { restricted, ..target };
            claims.push(Claim { external: true, view, frontend, target });
        };
        match self.port.external_policy {
            TrafficPolicy::Cluster => {
                claim(View::Cluster, self.of(TrafficPolicy::Cluster, Mode::MasqueradeAlways));
            }
            TrafficPolicy::Local => {
                claim(View::Cluster, self.of(TrafficPolicy::Cluster, Mode::MasqueradeOutside));
                claim(View::Outside, self.of(TrafficPolicy::Local, Mode::KeepSource));
            }
        }
    }

    fn of(&self, policy: TrafficPolicy, mode: Mode) -> Target {
        let group = match policy {
            TrafficPolicy::Cluster => self.cluster,
            TrafficPolicy::Local => self.local,
        };
        match group {
            Some(group) => Target {
                group: group.id(),
                mode,
                endpoints: group.len(),
                affinity: group.affinity(),
                restricted: false,
            },
            None if self.port.cluster_endpoints.is_empty() => Target::none(Mode::Reject),
            None => Target::none(Mode::Drop),
        }
    }
}

// === impl Target ===

impl Target {
    fn none(mode: Mode) -> Self {
        Self { group: 0, mode, endpoints: 0, affinity: 0, restricted: false }
    }
}
