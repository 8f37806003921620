//! Who gets a name that several definitions ask for: a pure decision.

use super::approval::Approval;
use super::conditions::{self, Condition, ESTABLISHED, NAMES_ACCEPTED, NON_STRUCTURAL};
use super::definition::Names;
use crate::strategy::Map;
use crate::strategy::json::{map_mut, map_of, strs_of};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[cfg(test)]
mod tests;

const ACCEPTED: &str = "the initial names have been accepted";

/// The names that are taken in a group: by built-in kinds, and by definitions that were accepted before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    resources: BTreeSet<String>,
    kinds: BTreeSet<String>,
}

// === impl Taken ===

impl Taken {
    /// Takes these, too.
    pub(super) fn add(&mut self, names: &Names) {
        let resources = [&names.plural, &names.singular].into_iter().chain(&names.short_names);
        self.resources.extend(resources.filter(|name| !name.is_empty()).cloned());
        let kinds = [&names.kind, &names.list_kind].into_iter();
        self.kinds.extend(kinds.filter(|name| !name.is_empty()).cloned());
    }
}

/// The definition with the names it gets, and what its conditions say of that.
pub(super) fn plan(definition: &Map, taken: &Taken, faults: &str, now: Timestamp) -> Map {
    let mut planned = definition.clone();
    let (accepted, conflict) = accept(&requested(definition), &accepted(definition), taken);
    map_mut(&mut planned, "status").insert("acceptedNames".into(), write(&accepted));
    let (holds, reason, message) = match &conflict {
        None => (true, "NoConflicts", "no conflicts found"),
        Some((reason, message)) => (false, *reason, &**message),
    };
    let condition = Condition { ty: NAMES_ACCEPTED, holds, reason, message };
    conditions::set(&mut planned, &condition, now);
    // What is established stays so, whatever names it asks for later.
    if !conditions::is_true(&planned, ESTABLISHED) {
        let (reason, message) = match holds {
            true => ("InitialNamesAccepted", ACCEPTED),
            false => ("NotAccepted", "not all names are accepted"),
        };
        conditions::set(&mut planned, &Condition { ty: ESTABLISHED, holds, reason, message }, now);
    }
    if let Some(approval) = Approval::of(definition) {
        approval.note(&mut planned, now);
    }
    if faults.is_empty() {
        conditions::remove(&mut planned, NON_STRUCTURAL);
    } else {
        let condition =
            Condition { ty: NON_STRUCTURAL, holds: true, reason: "Violations", message: faults };
        conditions::set(&mut planned, &condition, now);
    }
    planned
}

/// The names that a definition gets, and what stands in the way of the others. It keeps those it has.
fn accept(
    requested: &Names,
    accepted: &Names,
    taken: &Taken,
) -> (Names, Option<(&'static str, String)>) {
    let mut names = accepted.clone();
    let mut conflict = None;
    let mut one = |wanted: &str, has: &mut String, taken: &BTreeSet<String>, reason| {
        if wanted == has || !taken.contains(wanted) {
            wanted.clone_into(has);
        } else {
            conflict = Some((reason, format!("{wanted:?} is already in use")));
        }
    };
    one(&requested.plural, &mut names.plural, &taken.resources, "PluralConflict");
    one(&requested.singular, &mut names.singular, &taken.resources, "SingularConflict");
    one(&requested.kind, &mut names.kind, &taken.kinds, "KindConflict");
    one(&requested.list_kind, &mut names.list_kind, &taken.kinds, "ListKindConflict");
    let mut refused = requested
        .short_names
        .iter()
        .filter(|name| !accepted.short_names.contains(name) && taken.resources.contains(*name));
    match refused.next() {
        None => names.short_names.clone_from(&requested.short_names),
        Some(first) => {
            let texts = std::iter::once(first).chain(refused);
            let texts: Vec<_> = texts.map(|name| format!("{name:?} is already in use")).collect();
            conflict = Some(("ShortNamesConflict", texts.join(", ")));
        }
    }
    names.categories.clone_from(&requested.categories);
    (names, conflict)
}

/// The names a definition asks for.
pub(super) fn requested(definition: &Map) -> Names {
    map_of(definition, "spec").and_then(|spec| map_of(spec, "names")).map(read).unwrap_or_default()
}

/// The names a definition has got.
pub(super) fn accepted(definition: &Map) -> Names {
    let status = map_of(definition, "status");
    status.and_then(|status| map_of(status, "acceptedNames")).map(read).unwrap_or_default()
}

fn read(names: &Map) -> Names {
    let text = |key| crate::strategy::json::str_of(names, key).to_owned();
    let texts = |key| strs_of(names, key).map(|(_, text)| text.to_owned()).collect();
    Names {
        plural: text("plural"),
        singular: text("singular"),
        short_names: texts("shortNames"),
        kind: text("kind"),
        list_kind: text("listKind"),
        categories: texts("categories"),
    }
}

fn write(names: &Names) -> Value {
    let mut written = Map::new();
    let mut put = |key: &str, value: Value| {
        let empty = value.as_array().is_some_and(Vec::is_empty) || value == "";
        // Plural and kind are always there.
        if !empty || matches!(key, "plural" | "kind") {
            written.insert(key.into(), value);
        }
    };
    put("categories", json!(names.categories));
    put("kind", json!(names.kind));
    put("listKind", json!(names.list_kind));
    put("plural", json!(names.plural));
    put("shortNames", json!(names.short_names));
    put("singular", json!(names.singular));
    Value::Object(written)
}
