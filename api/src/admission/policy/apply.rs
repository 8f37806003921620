//! What a mutation makes of an object. Pure, but for what it asks the authorizer.

use super::definition::{Mutation, MutationKind, Policy};
use crate::admission::expression::{Input, OUT_OF_BUDGET, with_variables};
use crate::cel::RUNTIME_BUDGET;
use crate::patch::{self, JsonError};
use crate::registry::Entry;
use crate::strategy::Map;
use json_patch::{Patch, PatchErrorKind};
use serde_json::Value as Json;
use windlass_core::scheme::GroupVersionKind;

/// The object as a mutation leaves it; none when there is nothing to change.
///
/// # Errors
/// Why it can't be done.
pub(super) fn mutate(
    policy: &Policy,
    mutation: &Mutation,
    input: &Input<'_>,
    params: Option<&Json>,
    (entry, kind): (&Entry, &GroupVersionKind),
) -> Result<Option<Map>, String> {
    let Some(object) = input.object() else { return Ok(None) };
    let made = value(policy, mutation, input, params)?;
    match mutation.kind {
        MutationKind::JsonPatch => json_patch(object, made),
        MutationKind::Apply => laid_over(object, made, entry, kind).map(Some),
    }
}

/// What the expression makes, as JSON.
fn value(
    policy: &Policy,
    mutation: &Mutation,
    input: &Input<'_>,
    params: Option<&Json>,
) -> Result<Json, String> {
    let (scope, variables) = with_variables(input.scope(params), &policy.variables);
    let mut budget = RUNTIME_BUDGET;
    let value = mutation.expression.evaluate(&scope, Some(&variables), &mut budget);
    let value = value.map_err(|_| OUT_OF_BUDGET.to_owned())??;
    if let Ok(program) = &mutation.expression.program
        && let Some(mismatch) = program.mismatch()
    {
        return Err(format!("type mismatch: {mismatch}"));
    }
    value.to_json().map_err(|error| error.to_string())
}

fn json_patch(object: &Map, made: Json) -> Result<Option<Map>, String> {
    let bytes = made.to_string();
    let patch: Patch =
        serde_json::from_str(&bytes).map_err(|error| format!("JSON Patch: {error}"))?;
    match patch::apply_json(object, &patch) {
        Ok(patched) => Ok(Some(patched)),
        // A test that fails says that there is nothing to do.
        Err(JsonError::Refused(error)) if matches!(error.kind, PatchErrorKind::TestFailed) => {
            Ok(None)
        }
        Err(JsonError::Refused(error)) => Err(format!("JSON Patch: {error}")),
        Err(JsonError::Status(status)) => Err(format!("JSON Patch: {}", status.message)),
    }
}

fn laid_over(
    object: &Map,
    made: Json,
    entry: &Entry,
    kind: &GroupVersionKind,
) -> Result<Map, String> {
    let Json::Object(mut config) = made else {
        return Err("unsupported return type from ApplyConfiguration expression".to_owned());
    };
    config.insert("apiVersion".into(), kind.api_version().into());
    config.insert("kind".into(), kind.kind.as_ref().into());
    if entry.custom.is_some() {
        let unknown = entry.strategy.prune(&mut config)?;
        if let Some(first) = unknown.first() {
            return Err(undeclared(first));
        }
    }
    let custom = entry.custom.as_deref().map(crate::apiextensions::CustomResource::ownership);
    patch::lay_over(object, &config, kind, custom)
        .map_err(|why| format!("error applying patch: {why}"))
}

fn undeclared(what: &str) -> String {
    format!("error applying patch: failed to convert patch object to typed object: {what}")
}
