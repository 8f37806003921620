//! `pods/eviction`: deletes a pod if its disruption budget allows (policy/v1 Eviction).

use super::{Call, Created, Creater};
use crate::registry::create::Ownership;
use crate::registry::delete::check as check_options;
use crate::registry::meta::{meta_str, rfc3339};
use crate::registry::update::Intent;
use crate::registry::{Registry, Write};
use crate::storage::ReadVersion;
use crate::strategy::Map;
use crate::strategy::json::{int_of, map_mut, map_of, str_at};
use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;
use windlass_core::client::{DeleteOptions, Preconditions, Scope, WriteOptions};
use windlass_core::meta::{LabelSelector, Reason, Status, StatusCause};
use windlass_core::{Object, apis, scheme};

pub(super) struct Eviction;

#[async_trait]
impl Creater for Eviction {
    async fn create(&self, call: Call<'_>, eviction: Map) -> Result<Created, Status> {
        call.check_name(&eviction)?;
        let Call { registry, mut write } = call;
        let pods = registry.objects.entry(&scheme::PODS)?;
        write.entry = &pods;
        let pod = registry.stored(&pods, write.namespace, write.name).await?;
        let mut options = delete_options(&eviction)?;
        let map: Map = pod.view().map_err(Status::internal)?;
        // Either of the two says that nothing is kept: then no budget is used up.
        let kept = write.options.clone();
        let asked = WriteOptions { dry_run: kept.dry_run || options.is_dry_run(), ..kept };
        write.options = &asked;
        if is_disrupted_by_it(&map) {
            let budgets = budgets_of(registry, &pod).await?;
            match budgets.as_slice() {
                [] => {}
                [budget] if spares(budget, &map)? => {
                    // Only as it was looked at: it may have become healthy.
                    let version = pod.resource_version().to_string();
                    let preconditions = options.preconditions.get_or_insert_default();
                    preconditions.resource_version.get_or_insert(version);
                }
                [budget] => registry.take_disruption(&write, budget, &pod).await?,
                _ => return Err(Status::internal(TOO_MANY)),
            }
            // The budget was asked about this very pod.
            let preconditions = options.preconditions.get_or_insert_with(Preconditions::default);
            preconditions.uid.get_or_insert_with(|| pod.header().uid.to_string());
        }
        write.subresource = "";
        registry.delete(&mut write, &options).await?;
        Ok(Created::Done(write.warnings))
    }
}

const TOO_MANY: &str = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";

fn delete_options(eviction: &Map) -> Result<DeleteOptions, Status> {
    let options = match eviction.get("deleteOptions") {
        None | Some(Value::Null) => DeleteOptions::default(),
        Some(options) => serde_json::from_value(options.clone())
            .map_err(|error| Status::bad_request(format!("deleteOptions: {error}")))?,
    };
    // Before a budget is asked.
    check_options(&options)?;
    Ok(options)
}

/// A pod that is over, on its way, or never ran is not missed.
fn is_disrupted_by_it(pod: &Map) -> bool {
    let phase = str_at(pod, &["status", "phase"]);
    !matches!(phase, "Succeeded" | "Failed" | "Pending" | "")
        && meta_str(pod, "deletionTimestamp").is_empty()
}

/// Whether a pod that does not work may go without being counted (KEP-3017): always, or while enough others work.
fn spares(budget: &Object, pod: &Map) -> Result<bool, Status> {
    let conditions = map_of(pod, "status").and_then(|status| status.get("conditions")?.as_array());
    let mut conditions = conditions.into_iter().flatten();
    if conditions.any(|one| one["type"] == "Ready" && one["status"] == "True") {
        return Ok(false);
    }
    let budget: apis::policy::v1::PodDisruptionBudget = budget.view().map_err(Status::internal)?;
    let policy = budget.spec.and_then(|spec| spec.unhealthy_pod_eviction_policy);
    if policy.as_deref() == Some("AlwaysAllow") {
        return Ok(true);
    }
    let status = budget.status.unwrap_or_default();
    let desired = status.desired_healthy.unwrap_or(0);
    Ok(desired > 0 && status.current_healthy.unwrap_or(0) >= desired)
}

async fn budgets_of(registry: &Registry, pod: &Object) -> Result<Vec<Arc<Object>>, Status> {
    let scope = Scope::namespace(scheme::PODDISRUPTIONBUDGETS, pod.namespace());
    if !registry.objects.serves(&scope.resource) {
        return Ok(Vec::new());
    }
    let all = registry.objects.list_at(&scope, ReadVersion::Newest).await?;
    let mut budgets = Vec::new();
    for budget in all {
        let view: apis::policy::v1::PodDisruptionBudget =
            budget.view().map_err(Status::internal)?;
        let Some(selector) = view.spec.and_then(|spec| spec.selector) else { continue };
        let selector = LabelSelector::from_api(&selector).map_err(Status::internal)?;
        if selector.matches(&pod.header().labels) {
            budgets.push(budget);
        }
    }
    Ok(budgets)
}

impl Registry {
    /// Takes one of the disruptions that a budget still allows.
    async fn take_disruption(
        &self,
        write: &Write<'_>,
        budget: &Object,
        pod: &Object,
    ) -> Result<(), Status> {
        let entry = self.objects.entry(&scheme::PODDISRUPTIONBUDGETS)?;
        let mut change = Write {
            entry: &entry,
            user: write.user,
            namespace: Some(budget.namespace()),
            name: budget.name(),
            subresource: "status",
            options: write.options,
            warnings: Vec::new(),
        };
        let now = rfc3339(self.env.clock.now());
        self.change(&mut change, |_, budget| {
            let mut object = budget.clone();
            disrupt(&mut object, pod.name(), &now)?;
            Ok(Intent { object, ownership: Ownership::Track })
        })
        .await
        .map(drop)
    }
}

fn disrupt(budget: &mut Map, pod: &str, now: &str) -> Result<(), Status> {
    let number = |part: &str, key: &str| map_of(budget, part).and_then(|map| int_of(map, key));
    let seen = number("status", "observedGeneration").unwrap_or(0);
    if seen < number("metadata", "generation").unwrap_or(0) {
        return Err(refused(budget, "is still being processed by the server").retry_after(10));
    }
    let allowed = number("status", "disruptionsAllowed").unwrap_or(0);
    if allowed <= 0 {
        let needs = number("status", "desiredHealthy").unwrap_or(0);
        let has = number("status", "currentHealthy").unwrap_or(0);
        let why = format!("needs {needs} healthy pods and has {has} currently");
        return Err(refused(budget, &why));
    }
    let status = map_mut(budget, "status");
    status.insert("disruptionsAllowed".into(), (allowed - 1).into());
    map_mut(status, "disruptedPods").insert(pod.into(), now.into());
    Ok(())
}

fn refused(budget: &Map, why: &str) -> Status {
    let text = "Cannot evict pod as it would violate the pod's disruption budget.";
    let mut status = Status::failure(Reason::TooManyRequests, text);
    let name = meta_str(budget, "name");
    status.details.get_or_insert_default().causes = vec![StatusCause {
        reason: "DisruptionBudget".into(),
        message: format!("The disruption budget {name} {why}"),
        field: String::new(),
    }];
    status
}
