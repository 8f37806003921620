//! Checks the types of validating policies against the schemas of what they are about, and says in their status
//! what was found. It never changes what a policy does.

use super::definition::ParamKind;
use crate::admission::expression::{Compiler, NamedExpression};
use crate::admission::index::{Index, Objects};
use crate::apiextensions::CustomResource;
use crate::authentication::User;
use crate::cel::types::Declared;
use crate::registry::{Entry, Registry, Write};
use crate::schema::{Schema, declared};
use crate::strategy::Map;
use crate::strategy::json::{int_of, map_mut, map_of};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;
use windlass_core::Object;
use windlass_core::client::WriteOptions;
use windlass_core::component::Shutdown;
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme::{GroupVersionKind, VALIDATINGADMISSIONPOLICIES};

/// So many kinds of each rule are looked at.
const MAX_TYPES: usize = 10;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Policy {
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    match_constraints: Constraints,
    param_kind: Option<ParamKind>,
    variables: Vec<NamedExpression>,
    validations: Vec<Validation>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Constraints {
    resource_rules: Vec<Rule>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    api_groups: Vec<String>,
    api_versions: Vec<String>,
    resources: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Validation {
    expression: String,
    message_expression: String,
}

/// A kind that a policy is about, with its type.
type Checked = (GroupVersionKind, Arc<Declared>);

/// Checks policies as they are written, until shutdown. Does nothing on a server that has none.
pub(crate) fn start(registry: &Arc<Registry>, shutdown: &Shutdown) {
    let objects = &registry.objects;
    if !objects.serves(&VALIDATINGADMISSIONPOLICIES) {
        return;
    }
    let changed = Arc::new(Notify::new());
    let tell = changed.clone();
    let all = |[all]: &[Objects; 1]| all.values().cloned().collect();
    let tell = move || tell.notify_one();
    let policies = Index::follow_and_tell(objects, [VALIDATINGADMISSIONPOLICIES], all, tell);
    let work = work(registry.clone(), policies, changed);
    let until = shutdown.clone();
    tokio::spawn(async move { until.run_until_cancelled(work).await });
}

async fn work(registry: Arc<Registry>, policies: Index<Arc<Object>>, changed: Arc<Notify>) {
    let mut checked = BTreeMap::new();
    loop {
        changed.notified().await;
        let Ok(all) = policies.get().await else { continue };
        checked.retain(|name: &String, _| all.iter().any(|object| object.name() == name));
        for object in &*all {
            let version = object.resource_version();
            if checked.get(object.name()) == Some(&version) {
                continue;
            }
            match check(&registry, object).await {
                Ok(()) => _ = checked.insert(object.name().to_owned(), version),
                Err(status) => {
                    tracing::warn!(policy = object.name(), %status, "its types can't be checked");
                }
            }
        }
    }
}

/// Sets the status of a policy that was not checked since it changed.
async fn check(registry: &Registry, object: &Object) -> Result<(), Status> {
    let map: Map = object.view().map_err(Status::internal)?;
    let generation = map_of(&map, "metadata").and_then(|meta| int_of(meta, "generation"));
    let observed = map_of(&map, "status").and_then(|status| int_of(status, "observedGeneration"));
    if observed == generation {
        return Ok(());
    }
    let Policy { spec } = object.view().map_err(Status::internal)?;
    let kinds = kinds(&registry.objects.resources().all(), &spec);
    let params = spec.param_kind.as_ref().and_then(|kind| params(registry, kind));
    let warnings = warnings(&spec, &kinds, params.as_ref());
    let status = move |old: &Map| {
        let mut new = old.clone();
        let status = map_mut(&mut new, "status");
        status.insert("observedGeneration".into(), generation.into());
        let mut checking = Map::new();
        if !warnings.is_empty() {
            checking.insert("expressionWarnings".into(), warnings.clone().into());
        }
        status.insert("typeChecking".into(), checking.into());
        new
    };
    let entry = registry.objects.entry(&VALIDATINGADMISSIONPOLICIES)?;
    let user = User::new("system:apiserver", ["system:masters"]);
    let field_manager = "validatingadmissionpolicy-status-controller".to_owned();
    let mut write = Write {
        entry: &entry,
        user: &user,
        namespace: None,
        name: object.name(),
        subresource: "status",
        options: &WriteOptions { field_manager, ..WriteOptions::default() },
        warnings: Vec::new(),
    };
    match registry.rewrite(&mut write, status).await {
        Err(status) if status.reason != Reason::NotFound => Err(status),
        _ => Ok(()),
    }
}

/// The kinds that the rules name, sorted; a rule with a `*` names too many.
fn kinds(all: &[Arc<Entry>], spec: &Spec) -> Vec<Checked> {
    let mut found: Vec<Checked> = Vec::new();
    for rule in &spec.match_constraints.resource_rules {
        let open = |list: &[String]| list.iter().any(|one| one.contains('*'));
        if open(&rule.api_groups) || open(&rule.api_versions) {
            continue;
        }
        let has = |list: &[String], wanted: &str| list.iter().any(|one| one == wanted);
        let named = all.iter().filter(|entry| {
            let gvr = &entry.info.gvr;
            has(&rule.api_groups, &gvr.group)
                && has(&rule.api_versions, &gvr.version)
                && has(&rule.resources, &gvr.resource)
        });
        for entry in named.take(MAX_TYPES) {
            if let Some(ty) = type_of(entry)
                && !found.iter().any(|(known, _)| *known == entry.served)
            {
                found.push((entry.served.clone(), ty));
            }
        }
    }
    let key =
        |(gvk, _): &Checked| (gvk.group.to_string(), gvk.version.to_string(), gvk.kind.to_string());
    found.sort_by_key(key);
    found
}

fn params(registry: &Registry, kind: &ParamKind) -> Option<Arc<Declared>> {
    let all = registry.objects.resources().all();
    let is = |entry: &&Arc<Entry>| {
        entry.served.api_version() == kind.api_version && entry.served.kind == kind.kind
    };
    type_of(all.iter().find(is)?)
}

/// What is declared of the objects of a resource.
fn type_of(entry: &Entry) -> Option<Arc<Declared>> {
    match entry.custom.as_deref().map(CustomResource::declared) {
        Some(declared) => declared,
        None => Schema::builtin().kind(&entry.served).map(declared),
    }
}

/// What the expressions of a policy do with fields that are not there.
fn warnings(spec: &Spec, kinds: &[Checked], params: Option<&Arc<Declared>>) -> Vec<Value> {
    let mut all = Vec::new();
    for (at, validation) in spec.validations.iter().enumerate() {
        let expressions = [
            ("expression", &validation.expression),
            ("messageExpression", &validation.message_expression),
        ];
        for (field, text) in expressions.into_iter().filter(|(_, text)| !text.is_empty()) {
            let texts = kinds.iter().filter_map(|kind| wrong(spec, kind, params, text));
            let texts: Vec<String> = texts.collect();
            if !texts.is_empty() {
                let place = format!("spec.validations[{at}].{field}");
                all.push(json!({"fieldRef": place, "warning": texts.join("\n")}));
            }
        }
    }
    all
}

/// What is wrong with an expression for objects of one kind.
fn wrong(
    spec: &Spec,
    (gvk, ty): &Checked,
    params: Option<&Arc<Declared>>,
    text: &str,
) -> Option<String> {
    let mut compiler = Compiler::typed(ty.ty(), params.map(Declared::ty));
    for variable in &spec.variables {
        // What is wrong with a variable is said where it is used.
        drop(compiler.variable(&variable.name, &variable.expression));
    }
    let why = compiler.compile(text, true, &[]).err()?;
    let why = why.strip_prefix("compilation failed: ").unwrap_or(&why);
    Some(format!("{}/{}, Kind={}: {why}\n", gvk.group, gvk.version, gvk.kind))
}
