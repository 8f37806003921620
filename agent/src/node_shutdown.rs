//! Graceful node shutdown (KEP-2000, KEP-2712): pods end in the order of their priority before the machine does.

use crate::eviction::{Verdict, Verdicts};
use crate::pod::PodExt;
use crate::pod_workers::Host;
use crate::status::is_shown_over;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use windlass_core::apis::core::v1::Pod;
use windlass_core::component::Shutdown;

/// Pods of this priority and above are those the cluster can't do without.
const CRITICAL: i32 = 2_000_000_000;
/// What status says of a pod that ended so.
pub(crate) const TERMINATED: &str = "Terminated";
/// How long the API may take to hear of the last ends.
const TELL: Duration = Duration::from_secs(5);
const MESSAGE: &str = "Pod was terminated in response to imminent node shutdown.";

/// How long pods of a priority, up to the next higher one that is named, may take to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriorityGrace {
    /// The lowest priority.
    pub priority: i32,
    /// How long.
    pub period: Duration,
}

/// The way to end a node's pods before the machine goes down. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct NodeShutdown(Arc<State>);

#[derive(Default)]
struct State {
    begun: watch::Sender<bool>,
    done: watch::Sender<bool>,
}

// === impl PriorityGrace ===

impl PriorityGrace {
    /// The usual two groups: so much for all, the last `critical` of it for critical pods alone.
    #[must_use]
    pub fn usual(all: Duration, critical: Duration) -> Vec<Self> {
        vec![
            Self { priority: 0, period: all.saturating_sub(critical) },
            Self { priority: CRITICAL, period: critical },
        ]
    }
}

// === impl NodeShutdown ===

impl NodeShutdown {
    /// Ends all pods, as [`crate::Config::shutdown_grace`] says; the node takes no others from now on. Returns when
    /// none runs any more and the API knows, or all time is over (and five seconds for the API). To be called when the
    /// machine goes down, before the agent is stopped; it waits for ever without an agent that runs.
    pub async fn end_pods(&self) {
        self.0.begun.send_replace(true);
        // The sender lives as long as this value.
        self.0.done.subscribe().wait_for(|done| *done).await.ok();
    }

    /// Waits for the call, and ends the pods of `host`, group by group.
    pub(crate) async fn serve(self, host: Arc<Host>, shutdown: Shutdown) {
        let mut begun = self.0.begun.subscribe();
        if shutdown.run_until_cancelled(begun.wait_for(|begun| *begun)).await.is_none() {
            return;
        }
        host.verdicts.close();
        let pods: Vec<_> = host.pods.lock().values().cloned().collect();
        let priorities = pods
            .iter()
            .map(|pod| (pod.uid().to_owned(), pod.pod_spec().priority.unwrap_or_default()));
        for (period, uids) in groups(priorities, &host.config.shutdown_grace) {
            for pod in pods.iter().filter(|pod| uids.iter().any(|uid| uid == pod.uid())) {
                let grace = pod.grace().min(period);
                condemn(&host.verdicts, pod.uid(), grace);
                host.bells.ring(pod.uid());
            }
            let ended = ended(&host, &uids);
            let ended = tokio::time::timeout(period, ended);
            match shutdown.run_until_cancelled(ended).await {
                Some(Ok(())) => {}
                Some(Err(_)) => {
                    tracing::warn!(?period, "pods did not end before the node's shutdown")
                }
                None => return,
            }
        }
        let told = tokio::time::timeout(TELL, told(&host, &pods));
        if let Some(Err(_)) = shutdown.run_until_cancelled(told).await {
            tracing::warn!("the API does not know of all pods that ended");
        }
        self.0.done.send_replace(true);
    }
}

fn condemn(verdicts: &Verdicts, uid: &str, grace: Duration) {
    verdicts.set(uid, Verdict { reason: TERMINATED, message: MESSAGE.into(), grace });
}

/// Returns when no container of these pods runs.
async fn ended(host: &Host, uids: &[String]) {
    use futures::StreamExt;
    let mut events = host.runtime.events();
    loop {
        host.refresh().await;
        if uids.iter().all(|uid| host.cache.pod(uid).is_quiet()) {
            return;
        }
        if events.next().await.is_none() {
            events = host.runtime.events();
        }
    }
}

/// Returns when the API shows the end of these pods.
async fn told(host: &Host, pods: &[Arc<Pod>]) {
    loop {
        let mut changed = std::pin::pin!(host.pods_changed.notified());
        changed.as_mut().enable();
        let goes_on = |pod: &Arc<Pod>| {
            let known = host.pods.lock().get(pod.uid()).cloned();
            known.is_some_and(|pod| !is_shown_over(&pod))
        };
        if !pods.iter().any(goes_on) {
            return;
        }
        changed.await;
    }
}

/// Who goes together and for how long, the least important first.
fn groups(
    pods: impl Iterator<Item = (String, i32)>,
    graces: &[PriorityGrace],
) -> Vec<(Duration, Vec<String>)> {
    let mut groups: BTreeMap<i32, (Duration, Vec<String>)> = BTreeMap::new();
    let mut graces = graces.to_vec();
    graces.sort_by_key(|grace| grace.priority);
    for (uid, priority) in pods {
        let own = graces.iter().rev().find(|grace| grace.priority <= priority);
        // Those below the lowest go with it.
        let Some(own) = own.or(graces.first()) else { continue };
        let group = groups.entry(own.priority).or_insert((own.period, Vec::new()));
        group.1.push(uid);
    }
    groups.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_go_in_the_order_of_their_priority() {
        let second = Duration::from_secs;
        let graces = PriorityGrace::usual(second(30), second(10));
        let pods = [("web", 0), ("below", -5), ("dns", CRITICAL), ("batch", 100)];
        let pods = pods.map(|(uid, priority)| (uid.to_owned(), priority));
        let groups = groups(pods.into_iter(), &graces);
        let uids = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        let wanted = [(second(20), uids(&["web", "below", "batch"])), (second(10), uids(&["dns"]))];
        assert_eq!(groups, wanted);
    }

    #[test]
    fn without_a_grace_nobody_is_ended() {
        assert_eq!(groups([("web".to_owned(), 0)].into_iter(), &[]), []);
    }
}
