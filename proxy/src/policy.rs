//! NetworkPolicies: which packets may go from and to the pods of this node.
//!
//! [`PolicyTracker`] takes policies, pods and namespaces, and yields the difference to what was in
//! force before, as [`PolicyElement`]s of sets and maps and a few [`PolicyChain`]s; it does no I/O.
//! Only policies that select a pod of this node are in force here. A pod that comes, goes or
//! changes is some elements; chains change with policies, and with combinations of them.
//!
//! After the [API reference](https://kubernetes.io/docs/concepts/services-networking/network-policies/):
//! a pod that a policy selects for a direction is isolated in it, and then what any of its policies
//! allows may pass. Nobody is kept from a pod by being the node it runs on, or the pod itself.

mod compile;
mod ranges;
mod ruleset;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod tracker;
mod view;

pub use compile::{Peers, PodPeer, Policy, PolicyError, Ports, Rule};
pub use ruleset::{
    Direction, PeerMatch, PolicyChain, PolicyChange, PolicyElement, PortMatch, RuleShape,
};
pub(crate) use ruleset::{policy_chain, profile_chain};
pub use state::{Packet, PolicyState};
pub use tracker::{Isolation, PolicyTracker};
pub use view::{ContainerPortView, NetworkPolicyView, PodView};
