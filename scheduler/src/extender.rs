//! Servers that have a say in where pods go: the `extenders` of a `KubeSchedulerConfiguration`, called as Kubernetes'
//! scheduler calls them (`k8s.io/kube-scheduler/extender/v1`).
//!
//! The plugins decide first; extenders are asked about the nodes that are left, one after the other, with nothing locked.
//! What they leave is looked at once more before the pod is placed.

mod call;
mod preempt;
mod wire;

use crate::PodInfo;
use crate::config::{ConfigError, Extender};
use crate::framework::Placement;
use crate::snapshot::resource_name;
use call::Caller;
pub(crate) use preempt::NamedRoom;
use std::sync::Arc;
use windlass_core::Error;
use windlass_core::cache::{HeaderOnly, Informer};
use windlass_core::meta::Str;

/// What an extender's score counts more than it says: it goes up to 10, a plugin's to 100.
const SCALE: i64 = 10;
/// What refused a pod, when it was an extender.
pub(crate) const NAME: &str = "Extender";

/// The extenders of a scheduler. Clones are the same.
#[derive(Clone)]
pub struct Extenders(Arc<[Remote]>);

struct Remote {
    config: Extender,
    caller: Caller,
}

/// Whole objects, as extenders want to see them.
pub(crate) struct Objects {
    pub(crate) pods: Arc<Informer<HeaderOnly>>,
    pub(crate) nodes: Arc<Informer<HeaderOnly>>,
}

/// The nodes that are left for a pod.
#[derive(Debug, Default)]
pub(crate) struct Consulted {
    /// Each with its score.
    pub(crate) nodes: Vec<(Str, i64)>,
    /// Those that an extender took out.
    pub(crate) refused: Vec<Refused>,
}

/// A node that an extender took out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) node: Str,
    pub(crate) reason: String,
    /// It would stay so if pods went.
    pub(crate) for_good: bool,
}

// === impl Extenders ===

impl Default for Extenders {
    /// None.
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl Extenders {
    /// Those that a configuration names. None is called yet.
    ///
    /// # Errors
    /// One that is described in a way that leads nowhere: no URL, a certificate that can't be read.
    pub async fn new(configs: &[Extender]) -> Result<Self, ConfigError> {
        let mut remotes = Vec::new();
        for config in configs {
            let caller = Caller::new(config).await?;
            remotes.push(Remote { config: config.clone(), caller });
        }
        Ok(Self(remotes.into()))
    }

    /// Whether one of them has a say in where a pod goes.
    pub(crate) fn concern(&self, pod: &PodInfo) -> bool {
        self.concerned(pod)
            .any(|r| !r.config.filter_verb.is_empty() || !r.config.prioritize_verb.is_empty())
    }

    /// Whether one of them may be asked whom a pod may push away.
    pub(crate) fn preempt(&self) -> bool {
        self.0.iter().any(|remote| !remote.config.preempt_verb.is_empty())
    }

    /// Asks about the nodes that are left for a pod.
    ///
    /// # Errors
    /// What one said that can't be done without, or that it said nothing.
    pub(crate) async fn consult(
        &self,
        pod: &PodInfo,
        nodes: Vec<(Str, i64)>,
        objects: &Objects,
    ) -> Result<Consulted, String> {
        let mut left = Consulted { nodes, refused: Vec::new() };
        for remote in self.concerned(pod) {
            if left.nodes.is_empty() {
                return Ok(left);
            }
            match remote.filter(pod, &mut left, objects).await {
                Err(error) if remote.config.ignorable => {
                    tracing::warn!(%error, "an extender is done without");
                }
                done => done?,
            }
        }
        if left.nodes.len() > 1 {
            for remote in self.concerned(pod) {
                // As in Kubernetes: who has no answer here has no say.
                if let Err(error) = remote.prioritize(pod, &mut left.nodes, objects).await {
                    tracing::warn!(%error, "an extender gave no scores");
                }
            }
        }
        Ok(left)
    }

    /// Lets an extender bind the pod, where one does that. Returns whether it did.
    ///
    /// # Errors
    /// Why it did not.
    pub(crate) async fn bind(&self, placement: &Placement) -> Result<bool, Error> {
        let mut binders = self.concerned(&placement.pod).filter(|r| !r.config.bind_verb.is_empty());
        match binders.next() {
            Some(remote) => remote.bind(placement).await.map(|()| true),
            None => Ok(false),
        }
    }

    fn concerned<'a>(&'a self, pod: &'a PodInfo) -> impl Iterator<Item = &'a Remote> + 'a {
        self.0.iter().filter(|remote| remote.is_concerned(pod))
    }
}

// === impl Remote ===

impl Remote {
    /// One that manages no resource is concerned with all pods.
    fn is_concerned(&self, pod: &PodInfo) -> bool {
        let managed = &self.config.managed_resources;
        let asks = |name: &str| pod.requests.iter().any(|(id, _)| *resource_name(*id) == *name);
        managed.is_empty() || managed.iter().any(|resource| asks(&resource.name))
    }

    async fn filter(
        &self,
        pod: &PodInfo,
        left: &mut Consulted,
        objects: &Objects,
    ) -> Result<(), String> {
        if self.config.filter_verb.is_empty() {
            return Ok(());
        }
        let body = wire::arguments(pod, &left.nodes, objects, self.config.node_cache_capable)?;
        let answer = self.caller.post(&self.config.filter_verb, body).await?;
        let said = wire::Filtered::read(&answer, self.config.node_cache_capable)?;
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        for (node, score) in std::mem::take(&mut left.nodes) {
            match said.keeps(&node) {
                true => kept.push((node, score)),
                false => gone.push(said.refusal(node)),
            }
        }
        (left.nodes, _) = (kept, left.refused.extend(gone));
        Ok(())
    }

    async fn prioritize(
        &self,
        pod: &PodInfo,
        nodes: &mut [(Str, i64)],
        objects: &Objects,
    ) -> Result<(), String> {
        if self.config.prioritize_verb.is_empty() {
            return Ok(());
        }
        let body = wire::arguments(pod, nodes, objects, self.config.node_cache_capable)?;
        let answer = self.caller.post(&self.config.prioritize_verb, body).await?;
        let scores = wire::priorities(&answer)?;
        for (node, sum) in nodes {
            let score = scores.get(&**node).copied().unwrap_or(0);
            *sum = sum.saturating_add(score.saturating_mul(self.config.weight * SCALE));
        }
        Ok(())
    }

    async fn bind(&self, placement: &Placement) -> Result<(), Error> {
        let body = wire::binding(placement);
        let answer = self.caller.post(&self.config.bind_verb, body).await;
        answer.and_then(|answer| wire::bound(&answer)).map_err(Error::Transport)
    }
}
