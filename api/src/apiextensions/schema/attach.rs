//! Puts compiled rules into a compiled schema.

use super::declare::declared;
use super::node::{Flags, More, Node};
use super::props::Props;
use super::rules::{self, Scope, Total};
use crate::cel::escape;
use crate::cel::types::Declared;
use crate::validation::{ErrorType, Errors, Path};
use serde_json::Value;
use std::sync::Arc;

/// Compiles all rules of a schema.
pub(super) fn attach(root: &mut Node, props: Props<'_>, at: &Path<'_>, errors: &mut Errors) {
    let mut total = Total::default();
    let place = Place { declared: None, cardinality: Some(1), uncorrelated: None, resource: true };
    walk(root, props, place, &mut total, at, errors);
    total.check(at, errors);
}

#[derive(Clone)]
struct Place<'a> {
    declared: Option<Arc<Declared>>,
    cardinality: Option<u64>,
    uncorrelated: Option<&'a str>,
    resource: bool,
}

/// Whether there are rules here or below.
fn walk(
    node: &mut Node,
    props: Props<'_>,
    mut place: Place<'_>,
    total: &mut Total,
    path: &Path<'_>,
    errors: &mut Errors,
) -> bool {
    let own = props.has("x-kubernetes-validations");
    if own && place.declared.is_none() {
        place.declared = declared(node, place.resource);
    }
    match place.declared.clone().filter(|_| own) {
        Some(declared) => {
            let scope = Scope {
                declared: &declared,
                cardinality: place.cardinality,
                uncorrelated: place.uncorrelated,
            };
            let rules = rules::compile(props, scope, total, path, errors);
            node.more.get_or_insert_with(|| Box::new(More::default())).rules = rules.into();
        }
        None if own => {
            let detail = "internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations";
            let path = path.child("x-kubernetes-validations");
            errors.add(ErrorType::Internal, path, None, detail);
        }
        None => {}
    }
    let any = below(node, props, &place, total, path, errors) || own;
    node.flags.set(Flags::HAS_RULES, any);
    any
}

fn below(
    node: &mut Node,
    props: Props<'_>,
    place: &Place<'_>,
    total: &mut Total,
    path: &Path<'_>,
    errors: &mut Errors,
) -> bool {
    let cardinality = match (place.cardinality, elements(props)) {
        (Some(times), Some(each)) => Some(times.saturating_mul(each)),
        _ => None,
    };
    let mut any = false;
    let element = place.declared.as_ref().and_then(|declared| declared.element().cloned());
    if let (Some(items), Some(schema)) = (node.items.as_deref_mut(), props.schema("items")) {
        let text = path.to_string();
        let correlated = props.str("x-kubernetes-list-type") == "map";
        let uncorrelated = place.uncorrelated.or((!correlated).then_some(text.as_str()));
        let resource = items.is_embedded();
        let place = Place { declared: element.clone(), cardinality, uncorrelated, resource };
        any |= walk(items, schema, place, total, &path.child("items"), errors);
    }
    let resource = |node: &Node| node.is_embedded();
    if let (Some(values), Some(schema)) =
        (node.additional_mut(), props.schema("additionalProperties"))
    {
        let place = Place {
            declared: element,
            cardinality,
            uncorrelated: place.uncorrelated,
            resource: resource(values),
        };
        any |= walk(values, schema, place, total, &path.child("additionalProperties"), errors);
    }
    let list = path.child("properties");
    // What is shared has no rules.
    let properties = Arc::get_mut(&mut node.properties).unwrap_or_default();
    for (name, property) in properties {
        let Some(schema) = props.property(name) else { continue };
        let field =
            place.declared.as_ref().and_then(|declared| declared.field(&escape(name)?).cloned());
        let place = Place {
            declared: field,
            cardinality,
            uncorrelated: place.uncorrelated,
            resource: resource(property),
        };
        any |= walk(property, schema, place, total, &list.key(name), errors);
    }
    any
}

/// How many parts of one kind a value has at most; none if nothing bounds it.
fn elements(props: Props<'_>) -> Option<u64> {
    let limit = |key| props.int(key).map(|limit| u64::try_from(limit).unwrap_or(0));
    match props.ty() {
        "object" if matches!(props.get("additionalProperties"), None | Some(Value::Null)) => {
            Some(1)
        }
        "object" => limit("maxProperties"),
        "array" => limit("maxItems"),
        _ => Some(1),
    }
}
