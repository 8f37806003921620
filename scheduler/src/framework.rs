//! The scheduling framework: one small trait per extension point, after Kubernetes' scheduling framework (KEP-624).
//!
//! A plugin implements the traits of the points it has something to say at, and names them in
//! [`Plugin::extensions`]. Unlike upstream a filter or score is not asked node by node but once, for all.
//!
//! # What a plugin may rest on
//!
//! - **The pod.** [`PodInfo`] has what is the pod's own; it derefs to its [`PodClass`]: all that pods
//!   of one template share. Whatever decides where a pod may go belongs into the class, for answers are kept by class.
//! - **The nodes**, columns of the [`Snapshot`]: sets of nodes, resources as arrays, and
//!   [`topology`](Snapshot::topology): one label of all nodes as small numbers, so that counting by domain is adding to
//!   an array. A node keeps its [`NodeId`] while it is there; when it goes, another may get the number.
//! - **The pods on the nodes**: [`Snapshot::pods_on`], placed ones that are not bound yet included.
//! - **Columns of its own** ([`Columns`]): what would have to be counted in each cycle is kept up to date by events
//!   instead. A plugin names their constructors in [`Extensions::columns`], and finds them in a cycle by their type:
//!   `cycle.snapshot.columns::<T>()`. [`Profile::snapshot`] and [`Profile::attach`] attach them.
//! - **Other objects** (claims, classes, budgets, namespaces): columns say which resources they
//!   [watch](Columns::watches); the scheduler follows these with informers, what-if takes them from its caller, and both
//!   tell the columns, which decode what they need of an object, once.
//! - **What was answered before.** [`Plugin::reach`] says how far a plugin looks for pods of a class. As long as all look
//!   at single nodes, an equal pod costs a look at the nodes that changed. When in doubt, [`Reach::Cluster`].
//!
//! Everything here is synchronous and pure but for `PreBind`, `Bind` and `PostBind`, which run beside the cycles.

mod answers;
mod columns;
mod cycle;
mod engine;
mod explain;
mod feasible;
mod nominated;
mod profile;
mod together;
mod tournament;

pub use columns::Columns;
pub use cycle::{Cycle, Placement, Unschedulable};
pub use engine::{Candidates, Engine};
pub use explain::{Explanation, NodeExplanation};
pub(crate) use feasible::histogram;
pub use feasible::{Feasible, Refusal};
pub use nominated::Nominated;
pub(crate) use profile::Enabled;
pub use profile::{Extensions, Profile, ProfileBuilder, Profiles};

use crate::queue::{ClusterEvent, QueuedPod};
use crate::snapshot::NodeId;
use crate::{PodClass, PodInfo, Snapshot};
use async_trait::async_trait;
use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use windlass_core::clock::Random;

pub use together::Together;

/// The best score a node can get from one plugin.
pub const MAX_SCORE: i64 = 100;

/// Why a plugin says no, in Kubernetes' words.
pub type Reason = std::borrow::Cow<'static, str>;

/// What all plugins have.
pub trait Plugin: Send + Sync + 'static {
    /// Its name in a `KubeSchedulerConfiguration`.
    fn name(&self) -> &'static str;

    /// The points it extends.
    fn extensions(self: Arc<Self>) -> Extensions;

    /// How far its filter and score look for pods of this class: what of an earlier answer still counts.
    fn reach(&self, _pod: &PodClass, _snapshot: &Snapshot) -> Reach {
        Reach::Cluster
    }

    /// Of a plugin that looks at other nodes ([`Reach::Nodes`]): changes when something does that it looks at there for pods
    /// of this class. What it said before counts until then, but for nodes that changed themselves.
    fn stamp(&self, _pod: &PodClass, snapshot: &Snapshot) -> u64 {
        snapshot.version().nodes()
    }

    /// Whether [`Plugin::may_help`] can say yes to such an event for any pod at all: asked once, where that is asked
    /// for each pod this plugin refused.
    fn hears(&self, _event: &ClusterEvent) -> bool {
        true
    }

    /// Whether `event` may make schedulable a pod that this plugin refused (KEP-4247). When in doubt, yes.
    fn may_help(&self, _event: &ClusterEvent, _pod: &PodInfo) -> bool {
        true
    }
}

/// How far a plugin looks to answer for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// It says nothing about pods of this class: its filter takes no node out, its score is zero for all, or left out by
    /// [`PreScore`]. It needn't be asked.
    Nothing,
    /// At the pod's class and this one node with its pods.
    Node,
    /// And at other nodes, but not at the pods on them: good until its [stamp](Plugin::stamp) changes.
    Nodes,
    /// At all there is.
    Cluster,
}

/// What becomes of a plugin's scores before they are weighed (`ScoreExtensions`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Normalization {
    /// Nothing: they are between 0 and [`MAX_SCORE`] and final. A score that looks at all nodes for its scale does so
    /// itself, and has [`Reach::Cluster`].
    #[default]
    Final,
    /// Scaled so that the highest is [`MAX_SCORE`], or all zero when it is zero. They may not be negative.
    ByHighest,
    /// The same, and then the lowest is made the best.
    ByHighestReversed,
}

/// Keeps a pod out of the queue until something changes.
pub trait PreEnqueue: Send + Sync {
    /// # Errors
    /// Why the pod must wait.
    fn pre_enqueue(&self, pod: &PodInfo) -> Result<(), Reason>;
}

/// The order of the queue. A profile has exactly one.
pub trait QueueSort: Send + Sync {
    /// Which goes first.
    fn compare(&self, a: &QueuedPod, b: &QueuedPod) -> Ordering;
}

/// Looks at the pod before any node.
pub trait PreFilter: Send + Sync {
    /// # Errors
    /// Why the pod fits on no node at all.
    fn pre_filter(&self, cycle: &mut Cycle<'_>) -> Result<(), Reason>;
}

/// Narrows the set of nodes.
pub trait Filter: Send + Sync {
    /// Takes out of `feasible` the nodes the pod can't go to, with reasons. Only those still in it need a look.
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible);
}

/// Makes room when no node is left (preemption).
pub trait PostFilter: Send + Sync {
    /// Who must go, so that the pod may get a node. The first plugin that names a node is heard. What is tried on the
    /// snapshot is to be undone.
    fn post_filter(&self, failed: &mut Failed<'_>) -> Room;
}

/// A pod that got no node, and all one may look at to make room.
pub struct Failed<'a> {
    /// The pod.
    pub pod: &'a Arc<PodInfo>,
    /// The cluster. It may be changed for a try, and must be as before afterwards.
    pub snapshot: &'a mut Snapshot,
    /// Who refused what. (No node is left.)
    pub feasible: &'a Feasible,
    /// The profile.
    pub profile: &'a Arc<Profile>,
    /// Who is promised which node.
    pub nominated: &'a Nominated,
    /// Chance.
    pub random: &'a dyn Random,
    /// All nodes on which room can be made are wanted, not the best alone.
    pub(crate) all_rooms: bool,
}

/// What a [`PostFilter`] found.
#[derive(Debug, Default)]
pub struct Room {
    /// The node that the pod is promised (`status.nominatedNodeName`) until it is tried again.
    pub node: Option<NodeId>,
    /// The pods there that must go.
    pub victims: Vec<Arc<PodInfo>>,
    /// What to add to the pod's message.
    pub message: String,
    /// Where room can be made at all, when somebody else chooses.
    pub(crate) rooms: Vec<crate::preemption::Candidate>,
}

/// Prepares scoring.
pub trait PreScore: Send + Sync {
    /// `false`: the plugin has nothing to say of this pod, its score is left out.
    fn pre_score(&self, cycle: &mut Cycle<'_>, nodes: &[NodeId]) -> bool;
}

/// Rates nodes.
pub trait Score: Send + Sync {
    /// For each of `nodes` its score, into the same place of `scores` (zero before). The greater the better, between 0
    /// and [`MAX_SCORE`] once normalised.
    fn score(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut [i64]);

    /// What the framework does with the scores before it weighs them.
    fn normalization(&self) -> Normalization {
        Normalization::Final
    }
}

/// Told of a placement before it is bound, and before the next pod is looked at.
pub trait Reserve: Send + Sync {
    /// The pod has just been put on its node in the snapshot: the moment to note what columns say that it gets there.
    fn assumed(&self, _placement: &Placement, _snapshot: &Snapshot) {}
    /// Sets something aside.
    ///
    /// # Errors
    /// Why that can't be done; all reservations are then undone.
    fn reserve(&self, placement: &Placement) -> Result<(), Reason>;
    /// Gives it back. Also called when [`Reserve::reserve`] was not; may be called twice.
    fn unreserve(&self, placement: &Placement);
}

/// Lets a placement wait for a word: until the rest of its gang has places, say.
pub trait Permit: Send + Sync {
    /// What to wait for; none: go on.
    ///
    /// # Errors
    /// Why the placement is refused.
    fn permit(&self, placement: &Placement) -> Result<Option<PermitWait>, Reason>;
}

/// What a placement waits for.
#[derive(Debug)]
pub struct PermitWait {
    /// The word. A sender that is dropped without one refuses.
    pub word: oneshot::Receiver<Result<(), Reason>>,
    /// The placement is refused when there is no word after so long.
    pub timeout: Duration,
}

/// Work that must be done before the pod is bound: volumes.
#[async_trait]
pub trait PreBind: Send + Sync {
    /// # Errors
    /// Why the pod can't be bound; it is tried again.
    async fn pre_bind(&self, placement: &Placement) -> Result<(), windlass_core::Error>;
}

/// Binds a pod to its node.
#[async_trait]
pub trait Bind: Send + Sync {
    /// # Errors
    /// Why it could not be bound; it is tried again.
    async fn bind(&self, placement: &Placement) -> Result<(), windlass_core::Error>;
}

/// Told of a pod that was bound.
pub trait PostBind: Send + Sync {
    /// It is.
    fn post_bind(&self, placement: &Placement);
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("nodes", &self.nodes().len()).finish_non_exhaustive()
    }
}
