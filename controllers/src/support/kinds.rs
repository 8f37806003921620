//! All kinds of objects there are: the built-in ones that the server serves, and those that definitions add.

use crate::Context;
use async_trait::async_trait;
use serde::Deserialize;
use windlass_core::client::{Client, ListOptions, Scope};
use windlass_core::component::{BoxError, Component, Ready, Shutdown};
use windlass_core::scheme::{GroupVersion, GroupVersionResource, Scheme};

/// A kind whose objects can be listed, watched and deleted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub(crate) resource: GroupVersionResource,
    pub(crate) kind: String,
    pub(crate) namespaced: bool,
}

/// What is read of a CustomResourceDefinition.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Definition {
    spec: DefinitionSpec,
    status: DefinitionStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct DefinitionSpec {
    group: String,
    names: Names,
    scope: String,
    versions: Vec<Version>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Names {
    plural: String,
    kind: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Version {
    name: String,
    served: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct DefinitionStatus {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

/// A controller that first has to know which kinds there are.
pub(crate) struct WithKinds {
    pub(crate) name: &'static str,
    pub(crate) context: Context,
    pub(crate) build: fn(&Context, Vec<Kind>, &Shutdown) -> Box<dyn Component>,
}

// === impl Definition ===

impl Definition {
    /// The kind it adds, in the first version that is served, once the server serves it.
    pub(crate) fn kind(&self) -> Option<Kind> {
        let established =
            |condition: &Condition| condition.kind == "Established" && condition.status == "True";
        if !self.status.conditions.iter().any(established) {
            return None;
        }
        let spec = &self.spec;
        let version = spec.versions.iter().find(|version| version.served)?;
        let (group, version) = (spec.group.clone().into(), version.name.clone().into());
        let resource = GroupVersion { group, version }.with_resource(spec.names.plural.clone());
        Some(Kind {
            resource,
            kind: spec.names.kind.clone(),
            namespaced: spec.scope == "Namespaced",
        })
    }
}

// === impl WithKinds ===

#[async_trait]
impl Component for WithKinds {
    fn name(&self) -> &str {
        self.name
    }

    async fn run(self: Box<Self>, ready: Ready, shutdown: Shutdown) -> Result<(), BoxError> {
        let Some(kinds) = shutdown.run_until_cancelled(served(&*self.context.client)).await else {
            return Ok(());
        };
        (self.build)(&self.context, kinds, &shutdown).run(ready, shutdown).await
    }
}

/// The built-in kinds that the server serves. One that can't be asked for now counts as served.
async fn served(client: &dyn Client) -> Vec<Kind> {
    let mut kinds = vec![];
    for kind in builtin() {
        let options = ListOptions { limit: 1, ..ListOptions::default() };
        match client.list(&Scope::all(kind.resource.clone()), &options).await {
            Err(error) if error.is_not_found() => {}
            _ => kinds.push(kind),
        }
    }
    kinds
}

/// Each built-in kind once: not under the name of another group, not in a second version.
fn builtin() -> Vec<Kind> {
    let scheme = Scheme::builtin();
    let can = |info: &windlass_core::scheme::ResourceInfo| {
        ["list", "watch", "delete"].iter().all(|verb| info.has_verb(verb))
    };
    let first = |info: &windlass_core::scheme::ResourceInfo| {
        let preferred = scheme.by_group_resource(&info.gvr.group, &info.gvr.resource);
        info.storage.group == info.gvr.group && preferred.is_some_and(|first| first.gvr == info.gvr)
    };
    let infos = scheme.iter().filter(|info| can(info) && first(info));
    infos
        .map(|info| Kind {
            resource: info.gvr.clone(),
            kind: info.kind.to_string(),
            namespaced: info.namespaced,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_is_there_once() {
        let kinds = builtin();
        let named = |name: &str| kinds.iter().filter(|kind| kind.resource.resource == name).count();
        assert_eq!((named("events"), named("horizontalpodautoscalers"), named("pods")), (1, 1, 1));
        assert_eq!((named("bindings"), named("tokenreviews")), (0, 0), "these are no objects");
    }

    #[test]
    fn a_definition_counts_once_it_is_served() {
        let spec = json!({"group": "a.b", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
            "versions": [{"name": "v0", "served": false}, {"name": "v1", "served": true}]});
        let read = |status: &str| -> Definition {
            serde_json::from_value(json!({"spec": spec, "status": {"conditions": [{"type": "Established", "status": status}]}})).unwrap()
        };
        assert_eq!(read("False").kind(), None);
        let kind = read("True").kind().unwrap();
        assert_eq!(
            (kind.resource.to_string(), kind.namespaced),
            ("a.b/v1, Resource=things".into(), true)
        );
    }
}
