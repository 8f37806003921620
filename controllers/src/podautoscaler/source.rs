//! Asking the metrics APIs: `metrics.k8s.io`, `custom.metrics.k8s.io`, `external.metrics.k8s.io`.

use super::metric::{Reading, Sample, milli};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::apis::Quantity;
use windlass_core::apis::autoscaling::v2::{MetricIdentifier, MetricSpec};
use windlass_core::apis::meta::v1::{LabelSelector, Time};
use windlass_core::client::{Client, Key, ListOptions, Scope};
use windlass_core::request::{segment, with_query};
use windlass_core::scheme::{GroupVersion, GroupVersionResource, Scheme};

const POD_METRICS: GroupVersionResource =
    GroupVersionResource::new("metrics.k8s.io", "v1beta1", "pods");
const CUSTOM: (&str, &str) = ("custom.metrics.k8s.io", "v1beta2");
const EXTERNAL: (&str, &str) = ("external.metrics.k8s.io", "v1beta1");
/// No metrics API is waited for longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where metrics come from.
#[derive(Clone)]
pub(super) struct Metrics(pub(super) Arc<dyn Client>);

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodMetrics {
    timestamp: Option<Time>,
    window: String,
    containers: Vec<ContainerMetrics>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContainerMetrics {
    name: String,
    usage: BTreeMap<String, Quantity>,
}

/// Of both the custom and the external API.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Values {
    items: Vec<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Value {
    described_object: Described,
    timestamp: Option<Time>,
    window_seconds: Option<i64>,
    value: Option<Quantity>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Described {
    name: String,
}

// === impl Metrics ===

impl Metrics {
    /// What one metric is now, of the pods that `selector` takes.
    pub(super) async fn read(
        &self,
        spec: &MetricSpec,
        namespace: &str,
        selector: &str,
    ) -> Result<Reading, String> {
        let reading = async {
            if let Some(source) = &spec.resource {
                return self.usage(&source.name, "", namespace, selector).await;
            }
            if let Some(source) = &spec.container_resource {
                return self.usage(&source.name, &source.container, namespace, selector).await;
            }
            if let Some(source) = &spec.pods {
                return self.of_pods(&source.metric, namespace, selector).await;
            }
            if let Some(source) = &spec.object {
                let object = &source.described_object;
                let version = object.api_version.as_deref().unwrap_or("v1");
                return self
                    .of_object(version, &object.kind, &object.name, &source.metric, namespace)
                    .await;
            }
            match &spec.external {
                Some(source) => self.external(&source.metric, namespace).await,
                None => Err("the metric names no source".into()),
            }
        };
        let late = |_| format!("no answer after {} s", PATIENCE.as_secs());
        tokio::time::timeout(PATIENCE, reading).await.map_err(late)?
    }

    async fn usage(
        &self,
        resource: &str,
        container: &str,
        namespace: &str,
        selector: &str,
    ) -> Result<Reading, String> {
        let failed = |why: &dyn std::fmt::Display| {
            format!("unable to get metrics for resource {resource}: {why}")
        };
        let options = ListOptions { label_selector: selector.into(), ..ListOptions::default() };
        let list = self.0.list(&Scope::namespace(POD_METRICS, namespace), &options).await;
        let list = list.map_err(|error| {
            failed(&format!("unable to fetch metrics from resource metrics API: {error}"))
        })?;
        let mut samples = BTreeMap::new();
        for object in list.items {
            let metrics: PodMetrics = object.view().map_err(|error| failed(&error))?;
            if let Some(sample) = metrics.sample(resource, container) {
                samples.insert(object.name().to_owned(), sample);
            }
        }
        if samples.is_empty() {
            return Err(failed(&"no metrics returned from resource metrics API"));
        }
        Ok(Reading::Pods(samples))
    }

    async fn of_pods(
        &self,
        metric: &MetricIdentifier,
        namespace: &str,
        selector: &str,
    ) -> Result<Reading, String> {
        let query =
            [("labelSelector", selector.to_owned()), ("metricLabelSelector", labels(metric)?)];
        let values = self.values(custom("pods"), namespace, "*", &metric.name, &query).await;
        let values =
            values.map_err(|why| format!("unable to get metric {}: {why}", metric.name))?;
        let sample = |value: Value| {
            let sample = Sample {
                milli: milli(value.value.as_ref())?,
                at: at(value.timestamp.as_ref()),
                window: value.window_seconds.unwrap_or(60),
            };
            Some((value.described_object.name, sample))
        };
        let samples: BTreeMap<_, _> = values.into_iter().filter_map(sample).collect();
        if samples.is_empty() {
            return Err(format!(
                "unable to get metric {}: no metrics returned from custom metrics API",
                metric.name
            ));
        }
        Ok(Reading::Pods(samples))
    }

    async fn of_object(
        &self,
        api_version: &str,
        kind: &str,
        name: &str,
        metric: &MetricIdentifier,
        namespace: &str,
    ) -> Result<Reading, String> {
        let (resource, namespaced) = resource_of(api_version, kind)?;
        let query = [("metricLabelSelector", labels(metric)?)];
        let namespace = if namespaced || kind == "Namespace" { namespace } else { "" };
        part(name)?;
        let values = match kind {
            // The API has a path of its own for the metrics of a namespace.
            "Namespace" => {
                self.values(custom("metrics"), namespace, "", &metric.name, &query).await
            }
            _ => self.values(custom(&resource), namespace, name, &metric.name, &query).await,
        };
        let what = |why: &dyn std::fmt::Display| {
            format!("unable to get metric {}: {kind} on {namespace} {name}/{why}", metric.name)
        };
        let values = values.map_err(|why| what(&why))?;
        let value = values.first().and_then(|value| milli(value.value.as_ref()));
        value.map(Reading::Value).ok_or_else(|| what(&"no value returned"))
    }

    async fn external(
        &self,
        metric: &MetricIdentifier,
        namespace: &str,
    ) -> Result<Reading, String> {
        let selector = labels(metric)?;
        let resource = with_query(&part(&metric.name)?, &query(&[("labelSelector", selector)]));
        let (group, version) = EXTERNAL;
        let key = Key::new(version_of(group, version).with_resource(resource), namespace, "");
        let values = self.get(&key).await.map_err(|why| {
            format!("unable to get external metric {namespace}/{}: {why}", metric.name)
        })?;
        if values.is_empty() {
            return Err(format!(
                "unable to get external metric {namespace}/{}: no metrics returned from external metrics API",
                metric.name
            ));
        }
        Ok(Reading::Value(values.iter().filter_map(|value| milli(value.value.as_ref())).sum()))
    }

    /// The custom metrics API files a metric under the object it is about, as if it were a subresource of it.
    async fn values(
        &self,
        resource: GroupVersionResource,
        namespace: &str,
        name: &str,
        metric: &str,
        pairs: &[(&str, String)],
    ) -> Result<Vec<Value>, String> {
        let metric = with_query(&part(metric)?, &query(pairs));
        self.get(&Key::new(resource, namespace, name).subresource(metric)).await
    }

    async fn get(&self, key: &Key) -> Result<Vec<Value>, String> {
        let answer = self.0.get(key).await.map_err(|error| error.to_string())?;
        let values: Values = answer.view().map_err(|error| error.to_string())?;
        Ok(values.items)
    }
}

// === impl PodMetrics ===

impl PodMetrics {
    /// What all containers together use, or one; none when one of them says nothing.
    fn sample(&self, resource: &str, container: &str) -> Option<Sample> {
        let mut asked = self
            .containers
            .iter()
            .filter(|one| container.is_empty() || one.name == container)
            .peekable();
        asked.peek()?;
        let used: Option<Vec<i64>> = asked.map(|one| milli(one.usage.get(resource))).collect();
        let window = windlass_core::meta::parse_duration(&self.window).unwrap_or_default();
        Some(Sample {
            milli: used?.iter().sum(),
            at: at(self.timestamp.as_ref()),
            window: i64::try_from(window.as_secs()).unwrap_or(i64::MAX),
        })
    }
}

/// A part of a path that users name: it must not lead anywhere else.
fn part(name: &str) -> Result<String, String> {
    match name {
        "" | "." | ".." => Err(format!("\"{name}\" is no name of a metric or of a resource")),
        name => Ok(segment(name).to_string()),
    }
}

fn at(time: Option<&Time>) -> Timestamp {
    time.map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}

fn custom(resource: &str) -> GroupVersionResource {
    version_of(CUSTOM.0, CUSTOM.1).with_resource(resource.to_owned())
}

fn version_of(group: &'static str, version: &'static str) -> GroupVersion {
    GroupVersion { group: group.into(), version: version.into() }
}

fn query(pairs: &[(&str, String)]) -> Vec<(String, String)> {
    let given = pairs.iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// `deployments.apps`, and whether it lives in namespaces. Of a kind that is not built in by the usual plural.
fn resource_of(api_version: &str, kind: &str) -> Result<(String, bool), String> {
    let version: GroupVersion = api_version
        .parse()
        .map_err(|_| format!("invalid API version of the described object: {api_version}"))?;
    let known = Scheme::builtin().by_gvk(&version.with_kind(kind.to_owned()));
    let (plural, namespaced) = match known {
        Some(info) => (info.gvr.resource.to_string(), info.namespaced),
        None => (format!("{}s", kind.to_lowercase()), true),
    };
    let group = &version.group;
    let resource = if group.is_empty() { plural } else { format!("{plural}.{group}") };
    Ok((part(&resource)?, namespaced))
}

fn labels(metric: &MetricIdentifier) -> Result<String, String> {
    metric.selector.as_ref().map_or(Ok(String::new()), written)
}

/// A selector as a query has it.
fn written(selector: &LabelSelector) -> Result<String, String> {
    let equal = selector.match_labels.iter().flatten().map(|(key, value)| format!("{key}={value}"));
    let mut parts: Vec<String> = equal.collect();
    for wanted in selector.match_expressions.iter().flatten() {
        let (key, values) = (&wanted.key, wanted.values.clone().unwrap_or_default().join(","));
        parts.push(match wanted.operator.as_str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.clone(),
            "DoesNotExist" => format!("!{key}"),
            other => return Err(format!("\"{other}\" is not a valid label selector operator")),
        });
    }
    Ok(parts.join(","))
}

#[cfg(test)]
mod tests;
