//! What is served of definitions: put into the resources and the documents, and taken out again.

mod compile;
mod info;

use super::conditions::{ESTABLISHED, NAMES_ACCEPTED, TERMINATING};
use super::conversion::Converter;
use super::custom::{CustomResource, Kind};
use super::definition::{Definition, Names, Version};
use super::names::Taken;
use super::own;
use crate::openapi::{CustomKind, OpenApi};
use crate::registry::{Entry, Loopback};
use bytes::Bytes;
use compile::Compiled;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::apis::apiextensions::v1::CustomResourceDefinition;
use windlass_core::clock::Env;
use windlass_core::meta::Status;
use windlass_core::scheme::{GroupVersionResource, ResourceInfo};

/// So many definitions that went are remembered.
const REMEMBERED: usize = 256;

/// Serves what definitions define. All methods may be called from many tasks at once, and again.
pub(crate) struct Registrar {
    objects: Loopback,
    openapi: Arc<OpenApi>,
    env: Env,
    /// What is served without a definition.
    builtin: Vec<Arc<ResourceInfo>>,
    known: Mutex<BTreeMap<String, Known>>,
    /// The last definitions that went, by uid: word of them may come late.
    gone: Mutex<VecDeque<String>>,
}

/// A definition that is there.
#[derive(Default)]
struct Known {
    uid: String,
    revision: u64,
    group: String,
    names: Names,
    accepted: bool,
    served: Option<Served>,
}

/// A definition that is served.
struct Served {
    generation: i64,
    names: Names,
    kind: Arc<Kind>,
    /// In the version of the store, whether or not that is served.
    hub: Arc<Entry>,
    resources: Vec<GroupVersionResource>,
    schemas: Vec<Compiled>,
    faults: String,
}

// === impl Registrar ===

impl Registrar {
    /// Adds to these objects' resources, and to these documents.
    pub(crate) fn new(objects: Loopback, openapi: Arc<OpenApi>, env: Env) -> Self {
        let builtin = objects.resources().all().iter().map(|entry| entry.info.clone()).collect();
        let (known, gone) = (Mutex::default(), Mutex::default());
        Self { objects, openapi, env, builtin, known, gone }
    }

    /// Serves a kind for good: no object defines it, and none can take its names. Objects that were written up to
    /// `revision` may have gone by other rules.
    pub(crate) fn define(
        &mut self,
        definition: &CustomResourceDefinition,
        revision: u64,
    ) -> Result<(), Status> {
        let now = self.env.clock.now();
        let object = own::established(definition, |group| self.taken(group, ""), revision, now)?;
        let definition = own::read(&object)?;
        let refused = |why: &str| own::invalid(object.name(), why);
        definition.storage().ok_or_else(|| refused("no version is stored"))?;
        let served = self.install(&object, &definition, None, &[]);
        if !served.faults.is_empty() {
            return Err(refused(&served.faults));
        }
        let resources = self.objects.resources();
        let entries = served.resources.iter().filter_map(|resource| resources.get(resource));
        self.builtin.extend(entries.map(|entry| entry.info.clone()));
        Ok(())
    }

    /// Takes note of a definition as it is now, and serves it accordingly. What is older than what is known
    /// changes nothing.
    pub(crate) async fn apply(&self, object: &Object) {
        let ready = compile::ahead(self.uncompiled(object)).await;
        self.take(object, &ready);
    }

    /// The schemas of a definition that take long to compile, and are not known as they are.
    fn uncompiled(&self, object: &Object) -> Vec<Bytes> {
        // One that can't be read is reported when it is taken.
        let Ok(definition) = serde_json::from_slice::<Definition<'_>>(object.stored()) else {
            return Vec::new();
        };
        if !definition.is(ESTABLISHED) || definition.spec.preserve_unknown_fields {
            return Vec::new();
        }
        let all = self.known.lock();
        let served = all.get(object.name()).and_then(|known| known.served.as_ref());
        let known = served.map_or(&[][..], |served| &served.schemas);
        let texts = definition.spec.versions.iter().filter_map(|it| compile::text(object, it));
        let new = |text: &Bytes| known.iter().all(|one| one.text.as_ref() != Some(text));
        texts.filter(new).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn take(&self, object: &Object, ready: &[Compiled]) {
        let definition: Definition<'_> = match serde_json::from_slice(object.stored()) {
            Ok(definition) => definition,
            Err(error) => {
                tracing::error!(name = object.name(), %error, "a definition can't be read");
                return;
            }
        };
        let header = object.header();
        if header.deleting && header.finalizers.is_empty() {
            // Its last state: what was written took it away.
            self.remove(object);
            return;
        }
        let mut all = self.known.lock();
        if self.gone.lock().iter().any(|uid| **uid == *header.uid) {
            return;
        }
        let known = all.entry(object.name().to_owned()).or_default();
        if *known.uid != *object.header().uid {
            // Another one has taken its name.
            let last = std::mem::take(known);
            self.withdraw(last.served);
            known.uid = object.header().uid.to_string();
        } else if known.revision > object.resource_version() {
            return;
        }
        known.revision = object.resource_version();
        known.group.clone_from(&definition.spec.group);
        known.names = definition.status.accepted_names.clone();
        known.accepted = definition.is(NAMES_ACCEPTED);
        let served = known.served.take();
        known.served = self.serve(object, &definition, served, ready);
    }

    /// Forgets a definition that is gone.
    pub(super) fn remove(&self, object: &Object) {
        let mut all = self.known.lock();
        let mut gone = self.gone.lock();
        gone.push_back(object.header().uid.to_string());
        if gone.len() > REMEMBERED {
            gone.pop_front();
        }
        drop(gone);
        if all.get(object.name()).is_some_and(|known| *known.uid == *object.header().uid) {
            let last = all.remove(object.name());
            self.withdraw(last.and_then(|known| known.served));
        }
    }

    /// The names that a definition can't have.
    pub(super) fn taken(&self, group: &str, but: &str) -> Taken {
        let mut taken = Taken::default();
        for info in self.builtin.iter().filter(|info| info.gvr.group == group) {
            taken.add(&Names {
                plural: info.gvr.resource.to_string(),
                singular: info.singular.to_string(),
                short_names: info.short_names.iter().map(ToString::to_string).collect(),
                kind: info.kind.to_string(),
                list_kind: info.list_kind(),
                categories: Vec::new(),
            });
        }
        let all = self.known.lock();
        let others = all.iter().filter(|(name, known)| *name != but && known.group == group);
        others.for_each(|(_, known)| taken.add(&known.names));
        taken
    }

    /// The definitions of a group that wait for names.
    pub(super) fn waiting(&self, group: &str) -> Vec<String> {
        let all = self.known.lock();
        let waiting = all.iter().filter(|(_, known)| known.group == group && !known.accepted);
        waiting.map(|(name, _)| name.clone()).collect()
    }

    /// What is wrong with the schemas of a definition that is served all the same.
    pub(super) fn faults(&self, name: &str) -> String {
        let all = self.known.lock();
        let served = all.get(name).and_then(|known| known.served.as_ref());
        served.map(|served| served.faults.clone()).unwrap_or_default()
    }

    /// The objects of a definition, in the version of the store. None when it was never served.
    pub(super) fn hub(&self, name: &str) -> Option<Arc<Entry>> {
        let all = self.known.lock();
        all.get(name)?.served.as_ref().map(|served| served.hub.clone())
    }

    fn serve(
        &self,
        object: &Object,
        definition: &Definition<'_>,
        before: Option<Served>,
        ready: &[Compiled],
    ) -> Option<Served> {
        if !definition.is(ESTABLISHED) || definition.storage().is_none() {
            self.withdraw(before);
            return None;
        }
        let (generation, names) = (object.header().generation, &definition.status.accepted_names);
        let served = match before {
            Some(mut served) if served.generation == generation && served.names == *names => {
                self.share(object, definition, &mut served);
                served
            }
            before => self.install(object, definition, before, ready),
        };
        if served.kind.set_terminating(definition.is(TERMINATING)) {
            self.objects.resources().touch();
        }
        Some(served)
    }

    /// Keeps the texts of schemas as part of this object, so that those before it can go.
    fn share(&self, object: &Object, definition: &Definition<'_>, served: &mut Served) {
        for (version, compiled) in definition.spec.versions.iter().zip(&mut served.schemas) {
            compiled.text = compile::text(object, version);
            let resource = definition.version(version).with_resource(served.names.plural.clone());
            if let Some(entry) = self.objects.resources().get(&resource)
                && entry.custom.is_some()
            {
                self.openapi.put(CustomKind {
                    info: entry.info.clone(),
                    list_kind: served.names.list_kind.clone(),
                    schema: compiled.text.clone(),
                });
            }
        }
    }

    /// Puts all versions in place of those that were there before.
    fn install(
        &self,
        object: &Object,
        definition: &Definition<'_>,
        before: Option<Served>,
        ready: &[Compiled],
    ) -> Served {
        let storage = &definition.storage().expect("one version is that of the store");
        let names = &definition.status.accepted_names;
        let generation = object.header().generation;
        let same = before.as_ref().filter(|before| before.generation == generation);
        let since = same.map_or(object.resource_version(), |before| before.kind.since);
        let known = before.iter().flat_map(|before| &before.schemas).chain(ready);
        let (schemas, faults) = compile::all(object, definition, known);
        let by_version = schemas.iter().map(|c| (c.version.clone(), c.schema.clone())).collect();
        let kind = Arc::new(Kind::new(
            storage.with_resource(names.plural.clone()),
            storage.with_kind(names.kind.clone()),
            by_version,
            Converter::new(definition, &self.objects, &self.env),
            since,
        ));
        let entry = |version: &Version<'_>| {
            let info = info::resource(definition, version, names, storage);
            let custom = CustomResource::new(definition, version, names, kind.clone());
            Entry::defined(info, Arc::new(custom))
        };
        let mut resources = Vec::new();
        for (version, compiled) in definition.spec.versions.iter().zip(&schemas) {
            let entry = entry(version);
            let info = entry.info.clone();
            if !version.served || self.builtin.iter().any(|builtin| builtin.gvr == info.gvr) {
                continue;
            }
            resources.push(info.gvr.clone());
            self.objects.resources().install(entry);
            let (schema, list_kind) = (compiled.text.clone(), names.list_kind.clone());
            self.openapi.put(CustomKind { info, list_kind, schema });
        }
        let stored = definition.spec.versions.iter().find(|version| version.storage);
        let hub = Arc::new(entry(stored.expect("one version is that of the store")));
        if let Some(before) = before {
            self.retire(&before, &resources);
        }
        Served { generation, names: names.clone(), kind, hub, resources, schemas, faults }
    }

    /// Ends what was served before, but for the resources that go on under the same name.
    fn retire(&self, before: &Served, but: &[GroupVersionResource]) {
        for resource in before.resources.iter().filter(|resource| !but.contains(resource)) {
            self.objects.resources().remove(resource);
            self.openapi.remove(resource);
        }
        before.kind.ended.cancel();
    }

    fn withdraw(&self, served: Option<Served>) {
        if let Some(served) = served {
            self.retire(&served, &[]);
            self.objects.storage.forget(&served.kind.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::ApiServer;
    use serde_json::{Value, json};

    /// A definition that is established, at a version.
    fn definition(revision: u64, metadata: &Value) -> Object {
        let json = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": metadata,
            "spec": {"group": "a.b", "scope": "Cluster", "versions": [{"name": "v1", "served": true, "storage": true}]},
            "status": {"acceptedNames": {"plural": "cars", "kind": "Car"},
                "conditions": [{"type": "Established", "status": "True"}]}});
        Object::from_stored(json.to_string().into(), revision).expect("canonical")
    }

    #[tokio::test]
    async fn word_that_comes_late_brings_nothing_back() {
        let server = ApiServer::builder().build().await.expect("a server");
        let objects = server.objects().clone();
        let registrar =
            Registrar::new(objects.clone(), Arc::new(OpenApi::new(Vec::new())), Env::system());
        let cars = GroupVersionResource::new("a.b", "v1", "cars");
        let live = definition(5, &json!({"name": "cars.a.b", "uid": "1"}));
        registrar.apply(&live).await;
        assert!(objects.serves(&cars));
        let time = "2026-01-01T00:00:00Z";
        let dying = json!({"name": "cars.a.b", "uid": "1", "deletionTimestamp": time});
        registrar.apply(&definition(6, &dying)).await;
        assert!(!objects.serves(&cars), "the write that took the last finalizer away");
        registrar.apply(&live).await;
        assert!(!objects.serves(&cars));
        registrar.apply(&definition(7, &json!({"name": "cars.a.b", "uid": "2"}))).await;
        assert!(objects.serves(&cars), "another one of the same name");
    }
}
