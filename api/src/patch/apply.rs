//! Server-side apply (KEP-555).

mod lay;
mod merge;

#[cfg(test)]
mod tests;

pub(crate) use lay::lay_over;

use crate::managed_fields::{
    Custom, Differences, FieldSet, Managed, Manager, Operation, Written, field_set, seconds,
};
use crate::schema::decode;
use crate::strategy::Map;
use crate::strategy::json::{is_empty, map_of, str_of};
use jiff::Timestamp;
use serde_json::Value;
use windlass_core::meta::{Reason, Status, StatusCause};
use windlass_core::scheme::GroupVersionKind;

const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// What is applied, by whom, onto what.
#[derive(Clone, Copy, Debug)]
pub struct Apply<'a> {
    /// The kind.
    pub gvk: &'a GroupVersionKind,
    /// The object as it is; `None` when there is none yet.
    pub live: Option<&'a Map>,
    /// What the manager wants, its whole intent, as he wrote it: nothing filled in.
    pub config: &'a Map,
    /// Who applies. Not empty.
    pub manager: &'a str,
    /// `status`, or empty for the object itself.
    pub subresource: &'a str,
    /// Take over fields of other managers instead of failing.
    pub force: bool,
    /// The time to note.
    pub now: Timestamp,
    /// What is known of a kind that a user defined.
    pub custom: Option<Custom<'a>>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The object as it shall be, with its managed fields.
    pub object: Map,
    /// Whether it differs from the live one in more than the time of the manager's entry. If not,
    /// `object` is the live one.
    pub changed: bool,
}

/// Applies a manager's intent: sets its fields, removes those it applied before and no longer does
/// when nobody else owns them, and notes who owns what.
///
/// # Errors
/// `Conflict` with a cause for each field that another manager owns with another value, unless forced;
/// `BadRequest` when the configuration has `metadata.managedFields` or another `apiVersion`, or a list
/// with a key missing or twice.
pub fn apply(request: &Apply<'_>) -> Result<Applied, Status> {
    check(request)?;
    let Apply { gvk, custom, subresource, .. } = *request;
    let written = Written { gvk, custom, subresource };
    let nothing = Map::new();
    let live = request.live.unwrap_or(&nothing);
    let mut managed = managers_of(request, &written)?;
    let before = managed.clone();

    let wanted = field_set(request.config, written.shape()).map_err(malformed)?;
    let mut me = manager(request, wanted.clone());
    let last = managed.entry(&me).filter(|last| !last.fields.is_empty()).cloned();
    managed.set(me.clone());

    let mut object = merge::merge(live, request.config, written.shape());
    if let Some(last) = last {
        object = written.prune(&object, &managed, &last).map_err(malformed)?;
    }
    let mut object = canonical(request.gvk, object)?;
    let differences = written.differences(live, &object, &managed);
    resolve(&mut managed, &me, &differences, request.force)?;

    me.fields = wanted;
    written.strip(&mut me.fields);
    let same = before
        .entry(&me)
        .is_some_and(|entry| entry.fields == me.fields && entry.api_version == me.api_version);
    managed.set(me);
    if request.live.is_some() && same && differences.own.is_empty() {
        return Ok(Applied { object: live.clone(), changed: false });
    }
    managed.write(&mut object);
    Ok(Applied { object, changed: true })
}

/// The object in the form in which the live one is stored: `1000m` and `1` are no difference.
fn canonical(gvk: &GroupVersionKind, object: Map) -> Result<Map, Status> {
    match decode::value(gvk, Value::Object(object)) {
        Ok(decode::Decoded { value: Value::Object(object), .. }) => Ok(object),
        Ok(_) => Err(Status::bad_request("the configuration does not leave an object")),
        Err(error) => Err(malformed(error.to_string())),
    }
}

fn check(request: &Apply<'_>) -> Result<(), Status> {
    let metadata = map_of(request.config, "metadata");
    if metadata.is_some_and(|metadata| !is_empty(metadata, "managedFields")) {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    if request.manager.is_empty() {
        return Err(Status::bad_request("fieldManager is required for apply patch"));
    }
    let (version, expected) = (str_of(request.config, "apiVersion"), request.gvk.api_version());
    if version != expected {
        return Err(Status::bad_request(format!(
            "Incorrect version specified in apply patch. Specified patch version: {version}, expected: {expected}"
        )));
    }
    Ok(())
}

fn malformed(why: String) -> Status {
    Status::bad_request(format!("failed to create typed patch object: {why}"))
}

fn manager(request: &Apply<'_>, fields: FieldSet) -> Manager {
    Manager {
        name: request.manager.into(),
        operation: Operation::Apply,
        api_version: request.gvk.api_version(),
        subresource: request.subresource.into(),
        time: seconds(request.now),
        fields,
    }
}

/// The owners of the live object. One that was never tracked belongs to whoever wrote it before.
fn managers_of(request: &Apply<'_>, written: &Written<'_>) -> Result<Managed, Status> {
    let Some(live) = request.live else { return Ok(Managed::default()) };
    if let Some(managed) = Managed::of(live) {
        return Ok(managed);
    }
    let mut fields = field_set(live, written.shape()).map_err(malformed)?;
    written.strip(&mut fields);
    let before = Manager {
        name: BEFORE_FIRST_APPLY.into(),
        operation: Operation::Update,
        subresource: String::new(),
        ..manager(request, fields)
    };
    Ok(Managed(vec![before]))
}

/// Takes from the other managers what changes under them, or says who stands in the way.
fn resolve(
    managed: &mut Managed,
    me: &Manager,
    differences: &Differences,
    force: bool,
) -> Result<(), Status> {
    let mut conflicts = Vec::new();
    for other in managed.0.iter_mut().filter(|other| !other.is_same(me)) {
        let seen = differences.seen_by(other);
        let written = seen.written();
        let contested = other.fields.intersection(&written);
        conflicts.extend(contested.paths().into_iter().map(|path| (other.to_string(), path)));
        other.fields = other.fields.difference(&written).difference(&seen.removed);
    }
    if force || conflicts.is_empty() { Ok(()) } else { Err(conflict(&conflicts)) }
}

fn conflict(conflicts: &[(String, String)]) -> Status {
    let text = match conflicts {
        [(manager, path)] => format!("1 conflict: conflict with {manager}: {path}"),
        many => {
            let mut managers: Vec<_> = many.iter().map(|(manager, _)| manager).collect();
            managers.sort_unstable();
            managers.dedup();
            let of = |manager: &String| {
                let theirs = many.iter().filter(|(owner, _)| owner == manager);
                let paths: Vec<_> = theirs.map(|(_, path)| format!("\n- {path}")).collect();
                format!("conflicts with {manager}:{}", paths.concat())
            };
            let texts: Vec<_> = managers.into_iter().map(of).collect();
            format!("{} conflicts: {}", many.len(), texts.join("\n"))
        }
    };
    let mut status = Status::failure(Reason::Conflict, format!("Apply failed with {text}"));
    let cause = |(manager, path): &(String, String)| StatusCause {
        reason: "FieldManagerConflict".into(),
        message: format!("conflict with {manager}"),
        field: path.clone(),
    };
    status.details.get_or_insert_default().causes = conflicts.iter().map(cause).collect();
    status
}
