//! Labels of namespaces, and what they mean for the pods that are there.

use super::checks::{reasons, violations};
use super::policy::{Level, Policy, Standard};
use super::subject::Subject;
use super::{PodSecurity, annotation};
use crate::admission::{AdmissionRequest, Operation};
use crate::storage::ReadVersion;
use crate::strategy::Map;
use crate::strategy::json::map_of;
use crate::validation::Errors;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::Object;
use windlass_core::client::Scope;
use windlass_core::meta::Status;
use windlass_core::scheme;

/// So many pods of a namespace are looked at, for so long.
const MOST: usize = 3000;
const LONGEST: Duration = Duration::from_secs(1);

/// Refuses labels that say nothing, and warns of pods that would be refused now.
pub(super) async fn check(
    plugin: &PodSecurity,
    request: &mut AdmissionRequest<'_>,
) -> Result<(), Status> {
    let Some(object) = &request.object else { return Ok(()) };
    let (new, errors) = policy(object, plugin.default);
    let before = request.old.map(|old| policy(old, plugin.default));
    let known = before.as_ref().is_some_and(|(_, before)| *before == errors);
    if !errors.is_empty() && !known {
        return Err(errors.into_status(request.kind, request.name));
    }
    let stricter = request.operation == Operation::Update
        && before.is_some_and(|(before, _)| asks_more(new.enforce, before.enforce));
    let name = request.name;
    if plugin.exempt.namespaces.iter().any(|exempt| exempt == name) {
        if stricter || (request.operation == Operation::Create && !new.is_privileged()) {
            let policy = new.summary();
            request.warnings.push(format!(
                "namespace \"{name}\" is exempt from Pod Security, and the policy ({policy}) will be ignored"
            ));
            request.annotate(annotation("exempt"), "namespace");
        }
        return Ok(());
    }
    if stricter && request.objects.serves(&scheme::PODS) {
        let scope = Scope::namespace(scheme::PODS, name);
        let pods = request.objects.list_at(&scope, ReadVersion::Any).await?;
        let warnings = existing(name, &pods, new.enforce, &plugin.exempt.runtime_classes)?;
        request.warnings.extend(warnings);
    }
    Ok(())
}

fn policy(namespace: &Map, default: Policy) -> (Policy, Errors) {
    let labels = map_of(namespace, "metadata").and_then(|metadata| map_of(metadata, "labels"));
    let labels = labels.into_iter().flatten();
    Policy::of(labels.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))), default)
}

/// Whether pods that were taken may be refused now.
fn asks_more(new: Standard, old: Standard) -> bool {
    let relaxed = new.version == old.version && new.level <= old.level;
    new.level != Level::Privileged && !relaxed
}

/// What is said of the pods that are there.
fn existing(
    namespace: &str,
    pods: &[Arc<Object>],
    enforce: Standard,
    exempt: &[String],
) -> Result<Vec<String>, Status> {
    let deadline = Instant::now() + LONGEST;
    let mut found: BTreeMap<String, (&str, usize)> = BTreeMap::new();
    let mut checked = 0;
    for object in pods.iter().take(MOST) {
        let pod: Map = object.view().map_err(Status::internal)?;
        checked += 1;
        let Some(subject) = Subject::pod(&pod) else { continue };
        if exempt.iter().any(|class| class == subject.runtime_class()) {
            continue;
        }
        let violations = violations(enforce, &subject);
        if !violations.is_empty() {
            // The list is in the order of names: the first one is the first.
            let (_, count) = found.entry(reasons(&violations)).or_insert((object.name(), 0));
            *count += 1;
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    let mut warnings = Vec::new();
    let total = pods.len();
    if checked < total {
        warnings.push(format!(
            "new PodSecurity enforce level only checked against the first {checked} of {total} existing pods"
        ));
    }
    if !found.is_empty() {
        warnings.push(format!(
            "existing pods in namespace \"{namespace}\" violate the new PodSecurity enforce level \"{enforce}\""
        ));
    }
    let mut each: Vec<_> = found
        .into_iter()
        .map(|(reasons, (name, count))| match count {
            1 => format!("{name}: {reasons}"),
            2 => format!("{name} (and 1 other pod): {reasons}"),
            more => format!("{name} (and {} other pods): {reasons}", more - 1),
        })
        .collect();
    each.sort();
    warnings.extend(each);
    Ok(warnings)
}
