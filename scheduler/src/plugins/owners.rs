//! Which pods are a pod's like when it does not say so: those that its Services and its controller select.

use crate::framework::Columns;
use crate::{PodClass, Snapshot};
use rustc_hash::FxHashMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::apis::meta::v1::LabelSelector as ApiSelector;
use windlass_core::meta::{LabelSelector, Str, intern};
use windlass_core::scheme::{self, GroupVersionResource};

/// The selectors of Services, ReplicationControllers, ReplicaSets and StatefulSets.
#[derive(Clone, Default)]
pub(crate) struct Owners {
    // Services by namespace and the first label they select by.
    services: FxHashMap<Str, FxHashMap<(Str, Str), Vec<Service>>>,
    filed: FxHashMap<(Str, Box<str>), (Str, Str)>,
    controllers: FxHashMap<(&'static str, Str, Box<str>), LabelSelector>,
}

#[derive(Clone)]
struct Service {
    name: Box<str>,
    selector: Arc<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct View<S> {
    spec: Spec<S>,
}

#[derive(Deserialize)]
struct Spec<S> {
    #[serde(default = "Option::default")]
    selector: Option<S>,
}

static WATCHED: [(GroupVersionResource, &str); 4] = [
    (scheme::SERVICES, ""),
    (scheme::REPLICATIONCONTROLLERS, "ReplicationController"),
    (scheme::REPLICASETS, "ReplicaSet"),
    (scheme::STATEFULSETS, "StatefulSet"),
];

// === impl Owners ===

impl Owners {
    /// Selects the pod and its like (upstream: `DefaultSelector`); selects everything when nobody says who they are.
    pub(crate) fn selector(&self, pod: &PodClass) -> LabelSelector {
        let mut labels: BTreeMap<&str, &str> = BTreeMap::new();
        let services = self.services.get(&pod.namespace);
        let lists = pod.labels.iter().filter_map(|pair| services?.get(pair));
        let has =
            |key: &str, value: &str| pod.labels.iter().any(|(k, v)| &**k == key && &**v == value);
        for service in lists.flatten() {
            if service.selector.iter().all(|(key, value)| has(key, value)) {
                labels.extend(service.selector.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            }
        }
        let mut selector = LabelSelector::from_map(labels.iter().map(|(k, v)| (*k, *v)));
        let Some((kind, name)) = &pod.controller else { return selector };
        let kind = WATCHED.iter().find(|(_, known)| **known == **kind);
        let Some((_, kind)) = kind else { return selector };
        let key = (*kind, pod.namespace.clone(), name.clone());
        for requirement in self.controllers.get(&key).iter().flat_map(|s| &s.requirements) {
            if !selector.requirements.contains(requirement) {
                selector.requirements.push(requirement.clone());
            }
        }
        selector
    }

    fn set_service(&mut self, object: &Object) {
        self.remove_service(object);
        let selector = view::<BTreeMap<String, String>>(object).unwrap_or_default();
        let Some((key, value)) = selector.iter().next() else { return };
        let pair = (intern(key), intern(value));
        let namespace = object.header().namespace.clone();
        self.filed.insert((namespace.clone(), object.name().into()), pair.clone());
        let service = Service { name: object.name().into(), selector: Arc::new(selector) };
        let lists = self.services.entry(namespace).or_default();
        lists.entry(pair).or_default().push(service);
    }

    fn remove_service(&mut self, object: &Object) {
        let namespace = &object.header().namespace;
        let key = (namespace.clone(), object.name().into());
        let Some(pair) = self.filed.remove(&key) else { return };
        let Some(lists) = self.services.get_mut(namespace) else { return };
        if let Some(list) = lists.get_mut(&pair) {
            list.retain(|service| *service.name != *object.name());
            if list.is_empty() {
                lists.remove(&pair);
            }
        }
        if lists.is_empty() {
            self.services.remove(namespace);
        }
    }
}

impl Columns for Owners {
    fn fork(&self) -> Box<dyn Columns> {
        Box::new(self.clone())
    }

    fn watches(&self) -> Vec<GroupVersionResource> {
        WATCHED.iter().map(|(resource, _)| resource.clone()).collect()
    }

    fn object_set(&mut self, _: &Snapshot, resource: &GroupVersionResource, object: &Arc<Object>) {
        if *resource == scheme::SERVICES {
            return self.set_service(object);
        }
        let Some(kind) = kind(resource) else { return };
        let selector = match *resource == scheme::REPLICATIONCONTROLLERS {
            true => {
                view::<BTreeMap<String, String>>(object).map(|map| LabelSelector::from_map(&map))
            }
            false => view::<ApiSelector>(object).and_then(|s| LabelSelector::from_api(&s).ok()),
        };
        let key = (kind, object.header().namespace.clone(), object.name().into());
        self.controllers.insert(key, selector.unwrap_or_default());
    }

    fn object_removed(
        &mut self,
        _: &Snapshot,
        resource: &GroupVersionResource,
        object: &Arc<Object>,
    ) {
        if *resource == scheme::SERVICES {
            return self.remove_service(object);
        }
        if let Some(kind) = kind(resource) {
            let key = (kind, object.header().namespace.clone(), object.name().into());
            self.controllers.remove(&key);
        }
    }
}

fn kind(resource: &GroupVersionResource) -> Option<&'static str> {
    WATCHED.iter().find(|(watched, _)| watched == resource).map(|(_, kind)| *kind)
}

fn view<S: DeserializeOwned + Send + Sync + 'static>(object: &Object) -> Option<S> {
    match object.view::<View<S>>() {
        Ok(view) => view.spec.selector,
        Err(error) => {
            tracing::error!(name = object.header().full_name(), %error, "its selector is left out");
            None
        }
    }
}
