//! From readings to a number of replicas.

use super::metric::Sample;
use crate::views::Pod;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// So long after its start a pod's CPU counts only when it is ready, or was read after it became so.
const CPU_INITIALIZATION: i64 = 300;
/// A pod that was never ready since so long after its start counts as not ready yet.
const INITIAL_READINESS: i64 = 30;

/// How far off the ratio of usage to target may be without anything being done about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    pub(super) up: f64,
    pub(super) down: f64,
}

/// What is scaled.
pub(super) struct Scaled<'a> {
    /// Replicas that the scale asks for now.
    pub(super) current: i32,
    /// All pods of the scale's selector.
    pub(super) pods: &'a [Pod],
    pub(super) tolerance: Tolerance,
    pub(super) now: Timestamp,
}

/// What the usage of each pod should be.
pub(super) enum Goal {
    /// This share of what each pod requests (in thousandths, by pod name), in percent.
    Utilization(i64, BTreeMap<String, i64>),
    /// This much on the average, in thousandths.
    Average(i64),
}

/// What a metric asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Proposal {
    pub(super) replicas: i32,
    /// In percent of the requests.
    pub(super) utilization: Option<i32>,
    /// Usage of a pod, in thousandths; or of the whole for a single value.
    pub(super) usage: i64,
}

type Samples = BTreeMap<String, Sample>;

#[derive(Default)]
struct Groups {
    ready: usize,
    unready: Vec<String>,
    missing: Vec<String>,
    ignored: Vec<String>,
}

/// Replicas by the usage of each pod (upstream: `GetResourceReplicas`, `GetMetricReplicas`).
pub(super) fn by_pods(
    scaled: &Scaled<'_>,
    resource: &str,
    samples: &Samples,
    goal: &Goal,
) -> Result<Proposal, String> {
    if scaled.pods.is_empty() {
        return Err("no pods returned by selector while calculating replica count".into());
    }
    let groups = group(scaled, resource, samples);
    let left_out = |name: &&String| groups.unready.contains(name) || groups.ignored.contains(name);
    let mut usage: BTreeMap<&str, i64> = samples
        .iter()
        .filter(|(name, _)| !left_out(name))
        .map(|(name, sample)| (name.as_str(), sample.milli))
        .collect();
    if usage.is_empty() {
        return Err("did not receive metrics for targeted pods (pods might be unready)".into());
    }
    let (ratio, utilization, average) = goal.ratio(&usage)?;
    let told = |replicas| Proposal { replicas, utilization, usage: average };
    let unready_too = !groups.unready.is_empty() && ratio > 1.0;
    if !unready_too && groups.missing.is_empty() {
        let keep = scaled.tolerance.takes(ratio);
        return Ok(told(if keep { scaled.current } else { ceil(ratio * count(groups.ready)) }));
    }
    // On the safe side: who is silent uses all on the way down, nothing on the way up.
    for name in &groups.missing {
        if ratio < 1.0 {
            usage.insert(name, goal.all_of(name));
        } else if ratio > 1.0 {
            usage.insert(name, 0);
        }
    }
    if unready_too {
        usage.extend(groups.unready.iter().map(|name| (name.as_str(), 0)));
    }
    let (new, ..) = goal.ratio(&usage)?;
    let turned = (ratio < 1.0 && new > 1.0) || (ratio > 1.0 && new < 1.0);
    if scaled.tolerance.takes(new) || turned {
        return Ok(told(scaled.current));
    }
    let replicas = ceil(new * count(usage.len()));
    let wrong_way =
        (new < 1.0 && replicas > scaled.current) || (new > 1.0 && replicas < scaled.current);
    Ok(told(if wrong_way { scaled.current } else { replicas }))
}

/// Replicas by one value for all (upstream: `GetObjectMetricReplicas`, `GetExternalMetricReplicas`).
pub(super) fn by_value(scaled: &Scaled<'_>, value: i64, target: i64) -> Result<Proposal, String> {
    let ratio = quotient(value, target);
    let replicas = if scaled.current == 0 {
        ceil(ratio)
    } else if scaled.tolerance.takes(ratio) {
        scaled.current
    } else {
        if scaled.pods.is_empty() {
            return Err("no pods returned by selector while calculating replica count".into());
        }
        let ready = scaled
            .pods
            .iter()
            .filter(|pod| pod.view.status.phase == "Running" && pod.view.is_ready());
        ceil(ratio * count(ready.count()))
    };
    Ok(Proposal { replicas, utilization: None, usage: value })
}

/// Replicas by one value that all share (upstream: `GetObjectPerPodMetricReplicas`).
pub(super) fn by_share(scaled: &Scaled<'_>, replicas: i32, value: i64, target: i64) -> Proposal {
    let ratio = quotient(value, target.saturating_mul(i64::from(replicas)));
    let wanted =
        if scaled.tolerance.takes(ratio) { replicas } else { ceil(quotient(value, target)) };
    let each = if replicas > 0 { ceil64(quotient(value, i64::from(replicas))) } else { 0 };
    Proposal { replicas: wanted, utilization: None, usage: each }
}

fn group(scaled: &Scaled<'_>, resource: &str, samples: &Samples) -> Groups {
    let mut groups = Groups::default();
    for pod in scaled.pods {
        let name = pod.object.name().to_owned();
        if pod.object.header().deleting || pod.view.status.phase == "Failed" {
            groups.ignored.push(name);
        } else if pod.view.status.phase == "Pending" {
            groups.unready.push(name);
        } else {
            match samples.get(&name) {
                None => groups.missing.push(name),
                Some(sample) if resource == "cpu" && is_unready(pod, sample, scaled.now) => {
                    groups.unready.push(name);
                }
                Some(_) => groups.ready += 1,
            }
        }
    }
    groups
}

/// Whether what a pod uses now says nothing of what it will: it starts still.
fn is_unready(pod: &Pod, sample: &Sample, now: Timestamp) -> bool {
    let (Some(ready), Some(start)) =
        (pod.view.condition("Ready"), pod.view.status.start_time.as_ref())
    else {
        return true;
    };
    let start = start.0.as_second();
    let changed = ready.last_transition_time.as_ref().map_or(0, |time| time.0.as_second());
    let not_ready = ready.status == "False";
    if start + CPU_INITIALIZATION > now.as_second() {
        not_ready || sample.at.as_second() < changed + sample.window
    } else {
        not_ready && start + INITIAL_READINESS > changed
    }
}

// === impl Goal ===

impl Goal {
    /// Usage by target, in percent when it is a share, and of each pod on the average.
    fn ratio(&self, usage: &BTreeMap<&str, i64>) -> Result<(f64, Option<i32>, i64), String> {
        match self {
            Self::Average(target) => {
                let entries = i64::try_from(usage.len()).unwrap_or(i64::MAX).max(1);
                let average = usage.values().sum::<i64>() / entries;
                Ok((quotient(average, *target), None, average))
            }
            Self::Utilization(target, requests) => {
                let known = usage.iter().filter_map(|(name, used)| {
                    requests.get(*name).map(|request| (*used, *request))
                });
                let (used, requested, entries) =
                    known.fold((0, 0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + 1));
                if requested == 0 {
                    return Err("no metrics returned matched known pods".into());
                }
                let percent = used * 100 / requested;
                let told = i32::try_from(percent).unwrap_or(i32::MAX);
                Ok((quotient(percent, *target), Some(told), used / entries))
            }
        }
    }

    /// What a pod is taken to use that says nothing, when there may be too many.
    fn all_of(&self, pod: &str) -> i64 {
        match self {
            Self::Average(target) => *target,
            Self::Utilization(target, requests) => {
                requests.get(pod).copied().unwrap_or(0) * (*target).max(100) / 100
            }
        }
    }
}

// === impl Tolerance ===

impl Tolerance {
    fn takes(self, ratio: f64) -> bool {
        (1.0 - self.down) <= ratio && ratio <= (1.0 + self.up)
    }
}

#[allow(clippy::cast_precision_loss, reason = "amounts are far below 2^52")]
fn quotient(a: i64, b: i64) -> f64 {
    a as f64 / b as f64
}

#[allow(clippy::cast_precision_loss, reason = "nobody has 2^52 pods")]
fn count(pods: usize) -> f64 {
    pods as f64
}

/// Rounded up; a number that is none at all is as large as can be.
#[allow(clippy::cast_possible_truncation, reason = "casts from floats saturate")]
fn ceil(number: f64) -> i32 {
    if number.is_nan() { i32::MAX } else { number.ceil() as i32 }
}

#[allow(clippy::cast_possible_truncation, reason = "casts from floats saturate")]
fn ceil64(number: f64) -> i64 {
    number.ceil() as i64
}
