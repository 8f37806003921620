//! What an autoscaler does now, and what it says of itself.

use super::GVK;
use super::behavior::{History, Rules, Told};
use super::calculator::Scaled;
use super::metric::{Failure, Gathered, Outcome, outcome};
use crate::support::ops::Op;
use crate::support::owner::reference;
use crate::support::time::time;
use crate::views::Pod;
use jiff::Timestamp;
use windlass_core::apis::autoscaling::v2::{
    HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition, HorizontalPodAutoscalerStatus,
    MetricStatus,
};

/// What a plan is made from.
pub(super) struct Snapshot<'a> {
    pub(super) autoscaler: &'a HorizontalPodAutoscaler,
    /// What the scale asks for, and what its status tells of.
    pub(super) replicas: (i32, i32),
    /// What was read of each metric, or why nothing can be.
    pub(super) metrics: Result<Vec<Gathered<'a>>, Failure>,
    pub(super) pods: &'a [Pod],
    pub(super) now: Timestamp,
}

/// What comes of it. The status is written in any case.
pub(super) struct Plan {
    pub(super) status: HorizontalPodAutoscalerStatus,
    pub(super) events: Vec<Op>,
    /// The number to scale to, and why.
    pub(super) rescale: Option<(i32, String)>,
}

/// What all metrics together ask for.
struct Wish {
    replicas: i32,
    metric: String,
    statuses: Vec<MetricStatus>,
}

pub(super) fn rules(autoscaler: &HorizontalPodAutoscaler) -> Rules {
    Rules::of(autoscaler, least(autoscaler))
}

fn least(autoscaler: &HorizontalPodAutoscaler) -> i32 {
    autoscaler.spec.min_replicas.unwrap_or(1)
}

/// Whether metrics are needed at all for the next step.
pub(super) fn needs_metrics(autoscaler: &HorizontalPodAutoscaler, current: i32) -> bool {
    let max = autoscaler.spec.max_replicas;
    let min = least(autoscaler);
    !(current == 0 && min != 0) && current <= max && current >= min
}

pub(super) fn plan(at: &Snapshot<'_>, history: &mut History) -> Plan {
    let (current, _) = at.replicas;
    let rules = rules(at.autoscaler);
    let mut plan = begin(at.autoscaler);
    if history.recommendations.is_empty() {
        history.recommendations.push((at.now, current));
    }
    let told = "the HPA controller was able to get the target's current scale";
    plan.set("AbleToScale", true, ("SucceededGetScale", told), at.now);
    plan.status.current_replicas = Some(current);
    let max = at.autoscaler.spec.max_replicas;
    let (desired, why) = if current == 0 && least(at.autoscaler) != 0 {
        let told = "scaling is disabled since the replica count of the target is zero";
        plan.set("ScalingActive", false, ("ScalingDisabled", told), at.now);
        (0, String::new())
    } else if current > max {
        (max, "Current number of replicas above Spec.MaxReplicas".into())
    } else if current < least(at.autoscaler) {
        (least(at.autoscaler), "Current number of replicas below Spec.MinReplicas".into())
    } else {
        match wish(at, &rules, &mut plan) {
            None => return plan,
            Some(wish) => {
                let paced = rules.pace(history, current, wish.replicas, at.now);
                plan.set("AbleToScale", true, paced.able, at.now);
                plan.set("ScalingLimited", paced.limited.0, paced.limited.1, at.now);
                plan.status.current_metrics = Some(wish.statuses);
                let why = match wish.replicas {
                    more if more > current => format!("{} above target", wish.metric),
                    _ => "All metrics below target".into(),
                };
                (paced.replicas, why)
            }
        }
    };
    plan.status.desired_replicas = desired;
    plan.rescale = Some((desired, why)).filter(|_| desired != current);
    plan
}

/// What to say when the scale can't be read.
pub(super) fn without_scale(
    autoscaler: &HorizontalPodAutoscaler,
    error: &str,
    now: Timestamp,
) -> Plan {
    let mut plan = begin(autoscaler);
    let message =
        format!("the HPA controller was unable to get the target's current scale: {error}");
    plan.say("AbleToScale", false, "FailedGetScale", message, now);
    plan.warn(autoscaler, "FailedGetScale", error.to_owned());
    plan
}

/// What to say after the attempt to scale.
pub(super) fn scaled(
    plan: &mut Plan,
    at: &Snapshot<'_>,
    history: &mut History,
    to: (i32, &str),
    done: Result<(), String>,
) {
    let ((desired, why), (current, _)) = (to, at.replicas);
    match done {
        Err(error) => {
            let told = format!("the HPA controller was unable to update the target scale: {error}");
            plan.say("AbleToScale", false, "FailedUpdateScale", told, at.now);
            let event = format!("New size: {desired}; reason: {why}; error: {error}");
            plan.warn(at.autoscaler, "FailedRescale", event);
            plan.status.desired_replicas = current;
        }
        Ok(()) => {
            let told =
                format!("the HPA controller was able to update the target scale to {desired}");
            plan.say("AbleToScale", true, "SucceededRescale", told, at.now);
            let about = reference(&GVK, &at.autoscaler.metadata);
            let event = format!("New size: {desired}; reason: {why}");
            plan.events.push(Op::normal(about, "SuccessfulRescale", event));
            plan.status.last_scale_time = Some(time(at.now));
            rules(at.autoscaler).changed(history, current, desired, at.now);
        }
    }
}

fn begin(autoscaler: &HorizontalPodAutoscaler) -> Plan {
    let mut status = autoscaler.status.clone().unwrap_or_default();
    status.observed_generation = autoscaler.metadata.generation;
    Plan { status, events: vec![], rescale: None }
}

/// The largest number that a metric asks for; none when too little is known.
fn wish(at: &Snapshot<'_>, rules: &Rules, plan: &mut Plan) -> Option<Wish> {
    let metrics = match &at.metrics {
        Ok(metrics) => metrics,
        Err((reason, why)) => {
            plan.say("ScalingActive", false, reason, told(reason, why), at.now);
            plan.warn(at.autoscaler, reason, why.clone());
            plan.status.desired_replicas = at.replicas.0;
            return None;
        }
    };
    let (tolerance, now) = (rules.tolerance(), at.now);
    let scaled = Scaled { current: at.replicas.0, pods: at.pods, tolerance, now };
    let (mut best, mut statuses, mut failures) = (None::<Outcome>, vec![], vec![]);
    for metric in metrics {
        match outcome(metric, &scaled, at.replicas.1) {
            Err(failure) => failures.push(failure),
            Ok(found) => {
                statuses.push(found.status.clone());
                if best.as_ref().is_none_or(|best| found.replicas > best.replicas) {
                    best = Some(found);
                }
            }
        }
    }
    // With some metrics unknown it may grow, not shrink.
    let known = best.filter(|best| failures.is_empty() || best.replicas >= at.replicas.0);
    for (reason, why) in &failures {
        plan.warn(at.autoscaler, reason, why.clone());
    }
    let Some(best) = known else {
        let (reason, why) = failures.first()?;
        plan.say("ScalingActive", false, reason, told(reason, why), at.now);
        let event = format!(
            "invalid metrics ({} invalid out of {}), first error is: {why}",
            failures.len(),
            metrics.len()
        );
        plan.warn(at.autoscaler, "FailedComputeMetricsReplicas", event);
        plan.status.desired_replicas = at.replicas.0;
        plan.status.current_metrics = Some(statuses).filter(|statuses| !statuses.is_empty());
        return None;
    };
    let name = &best.name;
    let message = format!("the HPA was able to successfully calculate a replica count from {name}");
    plan.say("ScalingActive", true, "ValidMetricFound", message, at.now);
    Some(Wish { replicas: best.replicas, metric: best.name, statuses })
}

fn told(reason: &str, why: &str) -> String {
    match reason {
        "InvalidSelector" => why.to_owned(),
        _ => format!("the HPA was unable to compute the replica count: {why}"),
    }
}

// === impl Plan ===

impl Plan {
    fn set(&mut self, kind: &str, state: bool, told: Told, now: Timestamp) {
        self.say(kind, state, told.0, told.1.to_owned(), now);
    }

    fn say(&mut self, kind: &str, state: bool, reason: &str, message: String, now: Timestamp) {
        let conditions = self.status.conditions.get_or_insert_default();
        let status = if state { "True" } else { "False" };
        let known = conditions.iter().position(|condition| condition.type_ == kind);
        let since = known.map(|at| &conditions[at]).filter(|known| known.status == status);
        let new = HorizontalPodAutoscalerCondition {
            type_: kind.into(),
            status: status.into(),
            reason: Some(reason.into()),
            message: Some(message),
            last_transition_time: match since {
                Some(same) => same.last_transition_time.clone(),
                None => Some(time(now)),
            },
        };
        match known {
            Some(at) => conditions[at] = new,
            None => conditions.push(new),
        }
    }

    fn warn(
        &mut self,
        autoscaler: &HorizontalPodAutoscaler,
        reason: &'static str,
        message: String,
    ) {
        self.events.push(Op::warning(reference(&GVK, &autoscaler.metadata), reason, message));
    }
}
