//! What one metric of an autoscaler asks for, and what is told of it.

use super::calculator::{Goal, Proposal, Scaled, by_pods, by_share, by_value};
use crate::views::Pod;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use windlass_core::apis::Quantity as Written;
use windlass_core::apis::autoscaling::v2::{
    ContainerResourceMetricStatus, ExternalMetricStatus, MetricSpec, MetricStatus, MetricTarget,
    MetricValueStatus, ObjectMetricStatus, PodsMetricStatus, ResourceMetricStatus,
};
use windlass_core::meta::Quantity;

/// What a metric is for one pod, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) milli: i64,
    pub(super) at: Timestamp,
    /// Over so many seconds.
    pub(super) window: i64,
}

/// What a metrics API said.
#[derive(Clone, Debug)]
pub(super) enum Reading {
    /// By name of the pod.
    Pods(BTreeMap<String, Sample>),
    /// For all, in thousandths.
    Value(i64),
}

/// A metric with what was read of it, or why nothing was.
pub(super) struct Gathered<'a> {
    pub(super) spec: &'a MetricSpec,
    pub(super) reading: Result<Reading, String>,
}

/// What a metric comes to.
pub(super) struct Outcome {
    pub(super) replicas: i32,
    /// In the words of events.
    pub(super) name: String,
    pub(super) status: MetricStatus,
}

/// Why a metric comes to nothing: reason of the condition, and the rest of it.
pub(super) type Failure = (&'static str, String);

/// What a pod requests: decoded when an autoscaler needs it, and dropped again.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Requests {
    spec: RequestsSpec,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RequestsSpec {
    containers: Vec<Container>,
    init_containers: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    name: String,
    restart_policy: String,
    resources: Resources,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resources {
    requests: BTreeMap<String, Written>,
}

/// Replicas by one metric. `asked` is the number of replicas the status of the scale tells of.
pub(super) fn outcome(
    gathered: &Gathered<'_>,
    scaled: &Scaled<'_>,
    asked: i32,
) -> Result<Outcome, Failure> {
    let spec = gathered.spec;
    let reading = gathered.reading.as_ref().map_err(Clone::clone);
    match spec.type_.as_str() {
        "Resource" => resource(spec, reading, scaled).map_err(|why| {
            let name = spec.resource.as_ref().map(|source| source.name.clone()).unwrap_or_default();
            ("FailedGetResourceMetric", format!("failed to get {name} utilization: {why}"))
        }),
        "ContainerResource" => container_resource(spec, reading, scaled).map_err(|why| {
            let name = spec.container_resource.as_ref().map(|source| source.name.clone());
            let name = name.unwrap_or_default();
            let what = format!("failed to get {name} container metric value: {why}");
            ("FailedGetContainerResourceMetric", what)
        }),
        "Pods" => pods(spec, reading, scaled).map_err(|why| {
            ("FailedGetPodsMetric", format!("failed to get pods metric value: {why}"))
        }),
        "Object" => object(spec, reading, scaled, asked).map_err(|why| {
            ("FailedGetObjectMetric", format!("failed to get object metric value: {why}"))
        }),
        "External" => external(spec, reading, scaled, asked).map_err(|why| {
            ("FailedGetExternalMetric", format!("failed to get external metric: {why}"))
        }),
        other => {
            Err(("InvalidMetricSourceType", format!("unknown metric source type \"{other}\"")))
        }
    }
}

fn resource(
    spec: &MetricSpec,
    reading: Result<&Reading, String>,
    scaled: &Scaled<'_>,
) -> Result<Outcome, String> {
    let source = spec.resource.as_ref().ok_or("the metric names no resource")?;
    let goal = goal(&source.target, &source.name, "", scaled.pods)?;
    let proposal = by_pods(scaled, &source.name, samples(reading?)?, &goal)?;
    let status = ResourceMetricStatus { name: source.name.clone(), current: current(&proposal) };
    Ok(Outcome {
        replicas: proposal.replicas,
        name: told(&source.name, "resource", &goal),
        status: MetricStatus { resource: Some(status), ..empty(spec) },
    })
}

fn container_resource(
    spec: &MetricSpec,
    reading: Result<&Reading, String>,
    scaled: &Scaled<'_>,
) -> Result<Outcome, String> {
    let source = spec.container_resource.as_ref().ok_or("the metric names no resource")?;
    let goal = goal(&source.target, &source.name, &source.container, scaled.pods)?;
    let proposal = by_pods(scaled, &source.name, samples(reading?)?, &goal)?;
    let status = ContainerResourceMetricStatus {
        name: source.name.clone(),
        container: source.container.clone(),
        current: current(&proposal),
    };
    Ok(Outcome {
        replicas: proposal.replicas,
        name: told(&source.name, "container resource", &goal),
        status: MetricStatus { container_resource: Some(status), ..empty(spec) },
    })
}

fn pods(
    spec: &MetricSpec,
    reading: Result<&Reading, String>,
    scaled: &Scaled<'_>,
) -> Result<Outcome, String> {
    let source = spec.pods.as_ref().ok_or("the metric names no metric of pods")?;
    let target = milli(source.target.average_value.as_ref())
        .ok_or("invalid pods metric source: no average value target was set")?;
    let proposal = by_pods(scaled, "", samples(reading?)?, &Goal::Average(target))?;
    let status = PodsMetricStatus { metric: source.metric.clone(), current: current(&proposal) };
    Ok(Outcome {
        replicas: proposal.replicas,
        name: format!("pods metric {}", source.metric.name),
        status: MetricStatus { pods: Some(status), ..empty(spec) },
    })
}

fn object(
    spec: &MetricSpec,
    reading: Result<&Reading, String>,
    scaled: &Scaled<'_>,
    asked: i32,
) -> Result<Outcome, String> {
    let source = spec.object.as_ref().ok_or("the metric names no object")?;
    let (proposal, current) = whole(&source.target, value(reading?)?, scaled, asked, "object")?;
    let status = ObjectMetricStatus {
        metric: source.metric.clone(),
        described_object: source.described_object.clone(),
        current,
    };
    Ok(Outcome {
        replicas: proposal.replicas,
        name: format!("{} metric {}", source.described_object.kind, source.metric.name),
        status: MetricStatus { object: Some(status), ..empty(spec) },
    })
}

fn external(
    spec: &MetricSpec,
    reading: Result<&Reading, String>,
    scaled: &Scaled<'_>,
    asked: i32,
) -> Result<Outcome, String> {
    let source = spec.external.as_ref().ok_or("the metric names no external metric")?;
    let (proposal, current) = whole(&source.target, value(reading?)?, scaled, asked, "external")?;
    let status = ExternalMetricStatus { metric: source.metric.clone(), current };
    Ok(Outcome {
        replicas: proposal.replicas,
        name: format!("external metric {}", source.metric.name),
        status: MetricStatus { external: Some(status), ..empty(spec) },
    })
}

/// For metrics that are one value: by that value, or by what each replica's share is.
fn whole(
    target: &MetricTarget,
    value: i64,
    scaled: &Scaled<'_>,
    asked: i32,
    what: &str,
) -> Result<(Proposal, MetricValueStatus), String> {
    if let Some(share) = milli(target.average_value.as_ref()) {
        let proposal = by_share(scaled, asked, value, share);
        return Ok((proposal, current(&proposal)));
    }
    let target = milli(target.value.as_ref()).ok_or_else(|| {
        format!("invalid {what} metric source: neither a value target nor an average value target was set")
    })?;
    let proposal = by_value(scaled, value, target)?;
    let value = Some(written(proposal.usage));
    Ok((proposal, MetricValueStatus { value, ..MetricValueStatus::default() }))
}

fn goal(
    target: &MetricTarget,
    resource: &str,
    container: &str,
    pods: &[Pod],
) -> Result<Goal, String> {
    if let Some(average) = milli(target.average_value.as_ref()) {
        return Ok(Goal::Average(average));
    }
    let percent = target.average_utilization.ok_or(
        "invalid resource metric source: neither an average utilization target nor an average value (usage) target was set",
    )?;
    let mut requests = BTreeMap::new();
    for pod in pods {
        requests.insert(pod.object.name().to_owned(), requested(pod, resource, container)?);
    }
    Ok(Goal::Utilization(percent.into(), requests))
}

/// What a pod, or one of its containers, requests of a resource, in thousandths.
fn requested(pod: &Pod, resource: &str, container: &str) -> Result<i64, String> {
    let name = pod.object.name();
    let view: Requests = pod.object.view().map_err(|error| error.to_string())?;
    let sidecars = view.spec.init_containers.iter().filter(|one| one.restart_policy == "Always");
    let mut sum = 0;
    for one in view.spec.containers.iter().chain(sidecars) {
        if !container.is_empty() && one.name != container {
            continue;
        }
        let request = milli(one.resources.requests.get(resource));
        sum += request.ok_or_else(|| {
            format!("missing request for {resource} in container {} of Pod {name}", one.name)
        })?;
    }
    Ok(sum)
}

fn samples(reading: &Reading) -> Result<&BTreeMap<String, Sample>, String> {
    match reading {
        Reading::Pods(samples) => Ok(samples),
        Reading::Value(_) => Err("one value came where one for each pod was asked for".into()),
    }
}

fn value(reading: &Reading) -> Result<i64, String> {
    match reading {
        Reading::Value(value) => Ok(*value),
        Reading::Pods(_) => Err("values of pods came where one value was asked for".into()),
    }
}

fn told(resource: &str, kind: &str, goal: &Goal) -> String {
    match goal {
        Goal::Utilization(..) => {
            format!("{resource} {kind} utilization (percentage of request)")
        }
        Goal::Average(_) => format!("{resource} {kind}"),
    }
}

fn current(proposal: &Proposal) -> MetricValueStatus {
    MetricValueStatus {
        average_utilization: proposal.utilization,
        average_value: Some(written(proposal.usage)),
        value: None,
    }
}

fn empty(spec: &MetricSpec) -> MetricStatus {
    MetricStatus { type_: spec.type_.clone(), ..MetricStatus::default() }
}

pub(super) fn milli(quantity: Option<&Written>) -> Option<i64> {
    quantity?.0.parse::<Quantity>().ok().map(Quantity::milli)
}

fn written(milli: i64) -> Written {
    Written(Quantity::from_milli(milli).to_string())
}
