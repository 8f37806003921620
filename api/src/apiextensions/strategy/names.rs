//! Group, scope and names.

use super::{NAMES, SPEC};
use crate::apiextensions::approval::{ANNOTATION, Approval, REQUIRED};
use crate::strategy::Map;
use crate::strategy::json::{is_empty, is_true, map_of, str_at, str_of, strs_of};
use crate::validation::format::{dns1035_label, dns1123_subdomain};
use crate::validation::rules::{one_of, required, texts};
use crate::validation::{Errors, Path};

const METADATA: Path<'static> = Path::new("metadata");

pub(super) fn validate(object: &Map, spec: &Map, errors: &mut Errors) {
    let empty = Map::new();
    let names = map_of(spec, "names").unwrap_or(&empty);
    let expected = format!("{}.{}", str_of(names, "plural"), str_of(spec, "group"));
    let name = str_at(object, &["metadata", "name"]);
    if name != expected {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        errors.invalid(METADATA.child("name"), name, detail);
    }
    group(str_of(spec, "group"), errors);
    approved(object, errors);
    if is_empty(spec, "scope") {
        errors.required(SPEC.child("scope"), "");
    } else {
        one_of(spec, "scope", &["Cluster", "Namespaced"], &SPEC, errors);
    }
    if is_true(spec, "preserveUnknownFields") {
        let detail = "must be false in order to use a structural schema; set x-kubernetes-preserve-unknown-fields: true in the schema instead";
        errors.invalid(SPEC.child("preserveUnknownFields"), true, detail);
    }
    words(names, errors);
}

fn group(group: &str, errors: &mut Errors) {
    let path = SPEC.child("group");
    if group.is_empty() {
        errors.required(path, "");
    } else if !group.contains('.') {
        errors.invalid(path, group, "should be a domain with at least one dot");
    } else {
        texts(path, group, &dns1123_subdomain(group), errors);
    }
}

fn approved(object: &Map, errors: &mut Errors) {
    let annotations = METADATA.child("annotations");
    let path = annotations.key(ANNOTATION);
    match Approval::of(object) {
        Some(Approval::Missing) => errors.required(path, REQUIRED),
        Some(Approval::Invalid(text)) => errors.invalid(path, text, REQUIRED),
        None | Some(Approval::Approved(_) | Approval::Unapproved(_)) => {}
    }
}

fn words(names: &Map, errors: &mut Errors) {
    for key in ["plural", "singular", "kind", "listKind"] {
        let text = str_of(names, key);
        let path = NAMES.child(key);
        if text.is_empty() {
            required(names, key, &NAMES, errors);
            continue;
        }
        if matches!(key, "plural" | "singular") {
            texts(path, text, &dns1035_label(text), errors);
            continue;
        }
        for why in dns1035_label(&text.to_lowercase()) {
            let detail = format!("may have mixed case, but should otherwise match: {why}");
            errors.invalid(path, text, &detail);
        }
    }
    let kind = str_of(names, "kind");
    if !kind.is_empty() && kind == str_of(names, "listKind") {
        let detail = "kind and listKind may not be the same";
        errors.invalid(NAMES.child("listKind"), kind, detail);
    }
    for key in ["shortNames", "categories"] {
        let list = NAMES.child(key);
        for (at, text) in strs_of(names, key) {
            texts(list.index(at), text, &dns1035_label(text), errors);
        }
    }
}
