//! Which requests a configuration or a policy is about: rules and selectors.

#[cfg(test)]
mod tests;

use super::{AdmissionRequest, Operation};
use crate::admission::view::View;
use crate::registry::Entry;
use crate::storage::ReadVersion;
use crate::strategy::Map;
use crate::strategy::json::{map_of, str_of};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::apis::meta::v1::LabelSelector as ApiSelector;
use windlass_core::client::Key;
use windlass_core::meta::{LabelSelector, Status};
use windlass_core::scheme::{GroupVersionResource, NAMESPACES};

/// `RuleWithOperations`, and `NamedRuleWithOperations`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Rule {
    api_groups: Vec<String>,
    api_versions: Vec<String>,
    operations: Vec<String>,
    resources: Vec<String>,
    scope: Option<String>,
    resource_names: Vec<String>,
}

/// `MatchResources`; of webhooks the same fields stand in the webhook itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MatchResources {
    #[serde(alias = "rules")]
    pub(super) resource_rules: Vec<Rule>,
    exclude_resource_rules: Vec<Rule>,
    match_policy: Option<String>,
    namespace_selector: Option<ApiSelector>,
    object_selector: Option<ApiSelector>,
}

/// The same, ready to be asked.
pub(super) struct Matcher {
    rules: Vec<Rule>,
    exclude: Vec<Rule>,
    equivalent: bool,
    namespaces: Result<LabelSelector, String>,
    objects: Result<LabelSelector, String>,
    /// Whether no rules are all rules.
    narrows: bool,
}

/// What rules look at.
struct Ask<'a> {
    operation: Operation,
    resource: &'a GroupVersionResource,
    subresource: &'a str,
    namespace: &'a str,
    name: &'a str,
}

// === impl MatchResources ===

impl MatchResources {
    /// What takes every request.
    pub(super) fn everything() -> Self {
        let any = || vec!["*".to_owned()];
        let rule = Rule {
            api_groups: any(),
            api_versions: any(),
            operations: any(),
            resources: vec!["*/*".to_owned()],
            ..Rule::default()
        };
        Self { resource_rules: vec![rule], ..Self::default() }
    }
}

// === impl Rule ===

impl Rule {
    fn takes(&self, ask: &Ask<'_>) -> bool {
        let has =
            |list: &[String], wanted: &str| list.iter().any(|one| one == "*" || one == wanted);
        self.in_scope(ask)
            && has(&self.operations, ask.operation.as_str())
            && has(&self.api_groups, &ask.resource.group)
            && has(&self.api_versions, &ask.resource.version)
            && self.resources.iter().any(|wanted| {
                let (resource, subresource) = wanted.split_once('/').unwrap_or((wanted, ""));
                (resource == "*" || *resource == *ask.resource.resource)
                    && (subresource == "*" || subresource == ask.subresource)
            })
            && (self.resource_names.is_empty()
                || self.resource_names.iter().any(|name| name == ask.name))
    }

    /// A namespace is an object of the cluster, though it lies in itself.
    fn in_scope(&self, ask: &Ask<'_>) -> bool {
        let in_cluster = *ask.resource == NAMESPACES || ask.namespace.is_empty();
        match self.scope.as_deref() {
            None | Some("*") => true,
            Some("Namespaced") => !in_cluster,
            Some("Cluster") => in_cluster,
            Some(_) => false,
        }
    }
}

// === impl Matcher ===

impl From<&MatchResources> for Matcher {
    fn from(given: &MatchResources) -> Self {
        let selector = |given: &Option<ApiSelector>| match given {
            None => Ok(LabelSelector::default()),
            Some(api) => LabelSelector::from_api(api).map_err(|error| error.to_string()),
        };
        Self {
            rules: given.resource_rules.clone(),
            exclude: given.exclude_resource_rules.clone(),
            equivalent: given.match_policy.as_deref() != Some("Exact"),
            namespaces: selector(&given.namespace_selector),
            objects: selector(&given.object_selector),
            narrows: false,
        }
    }
}

impl Matcher {
    /// For who only narrows what another takes: a binding without rules takes what its policy takes.
    pub(super) fn narrowing(given: &MatchResources) -> Self {
        Self { narrows: true, ..Self::from(given) }
    }

    /// The resource as which it takes the request, if it does.
    ///
    /// # Errors
    /// When the namespace can't be read, or a selector is none.
    pub(super) async fn takes(
        &self,
        view: &View,
        request: &AdmissionRequest<'_>,
    ) -> Result<Option<Arc<Entry>>, Status> {
        if self.by_rules(&self.exclude, view, request).is_some() {
            return Ok(None);
        }
        let entry = match self.rules.as_slice() {
            [] if self.narrows => Some(view.entry.clone()),
            rules => self.by_rules(rules, view, request),
        };
        let Some(entry) = entry else { return Ok(None) };
        let selector = self.objects.as_ref().map_err(Status::internal)?;
        let selected = |map: Option<&Map>| map.is_some_and(|map| selects(selector, map));
        if !selector.is_everything() && !selected(request.object.as_ref()) && !selected(request.old)
        {
            return Ok(None);
        }
        Ok(self.in_namespace(view, request).await?.then_some(entry))
    }

    fn by_rules(
        &self,
        rules: &[Rule],
        view: &View,
        request: &AdmissionRequest<'_>,
    ) -> Option<Arc<Entry>> {
        if rules.is_empty() {
            return None;
        }
        let takes = |entry: &Arc<Entry>| {
            let ask = Ask {
                operation: request.operation,
                resource: &entry.info.gvr,
                subresource: request.subresource,
                namespace: &view.namespace,
                name: &view.name,
            };
            rules.iter().position(|rule| rule.takes(&ask))
        };
        if takes(&view.entry).is_some() {
            return Some(view.entry.clone());
        }
        if !self.equivalent {
            return None;
        }
        // Of several the one that an earlier rule names.
        let others = view.equivalents(request);
        let found = others.iter().filter_map(|entry| Some((takes(entry)?, entry)));
        found.min_by_key(|(place, _)| *place).map(|(_, entry)| entry.clone())
    }

    async fn in_namespace(
        &self,
        view: &View,
        request: &AdmissionRequest<'_>,
    ) -> Result<bool, Status> {
        let selector = self.namespaces.as_ref().map_err(Status::internal)?;
        let is_namespace = *request.resource == NAMESPACES;
        if selector.is_everything() || (view.namespace.is_empty() && !is_namespace) {
            return Ok(true);
        }
        if is_namespace
            && request.subresource.is_empty()
            && let Some(object) = &request.object
        {
            return Ok(selects(selector, object));
        }
        let namespace = namespace(request, &view.namespace).await?;
        Ok(selector.matches(&namespace.header().labels))
    }
}

/// A namespace; it may have been made just now.
pub(super) async fn namespace(
    request: &AdmissionRequest<'_>,
    name: &str,
) -> Result<Arc<windlass_core::Object>, Status> {
    let key = Key::cluster(NAMESPACES, name);
    if let Some(known) = request.objects.get_at(&key, ReadVersion::Any).await? {
        return Ok(known);
    }
    let found = request.objects.get_at(&key, ReadVersion::Newest).await?;
    found.ok_or_else(|| Status::not_found("", "namespaces", name))
}

/// An annotation of the namespace of a request; none in a server without namespaces.
pub(super) async fn annotation(
    request: &AdmissionRequest<'_>,
    key: &str,
) -> Result<Option<String>, Status> {
    if !request.objects.serves(&NAMESPACES) {
        return Ok(None);
    }
    #[derive(Deserialize)]
    struct View {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(default)]
        annotations: BTreeMap<String, String>,
    }
    let namespace = namespace(request, request.namespace).await?;
    let View { mut metadata } = namespace.view().map_err(Status::internal)?;
    Ok(metadata.annotations.remove(key))
}

fn selects(selector: &LabelSelector, object: &Map) -> bool {
    let labels = map_of(object, "metadata").and_then(|metadata| map_of(metadata, "labels"));
    selector.matches_with(|key| {
        labels.filter(|labels| labels.contains_key(key)).map(|labels| str_of(labels, key))
    })
}
