//! The metadata that the server answers for.

use super::Write;
use crate::strategy::Map;
use crate::strategy::json::{map_mut, str_at};
use crate::validation::Errors;
use jiff::Timestamp;
use windlass_core::Object;
use windlass_core::client::Preconditions;
use windlass_core::clock::Env;
use windlass_core::meta::Status;

const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";
/// The longest start of a generated name; five more characters follow.
const LONGEST_PREFIX: usize = 58;

/// A time as the API writes it.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A string of an object's metadata; empty when there is none.
pub(super) fn meta_str<'a>(object: &'a Map, field: &str) -> &'a str {
    str_at(object, &["metadata", field])
}

// === impl Write ===

impl Write<'_> {
    /// Makes name and namespace those of the request; what stands there must not differ.
    pub(super) fn place(&self, object: &mut Map) -> Result<(), Status> {
        let metadata = map_mut(object, "metadata");
        let given = |key: &str| metadata.get(key).and_then(|v| v.as_str()).unwrap_or_default();
        let (name, namespace) = (given("name"), given("namespace"));
        if !self.name.is_empty() && !name.is_empty() && name != self.name {
            return Err(Status::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                self.name
            )));
        }
        if let Some(expected) = self.namespace
            && !namespace.is_empty()
            && namespace != expected
        {
            return Err(Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        if !self.name.is_empty() {
            metadata.insert("name".into(), self.name.into());
        }
        if let Some(namespace) = self.namespace {
            metadata.insert("namespace".into(), namespace.into());
        }
        Ok(())
    }

    /// The writer means this version, if he means one.
    pub(super) fn check_version(&self, new: &Map, current: &Object) -> Result<(), Status> {
        let (version, uid) = (meta_str(new, "resourceVersion"), meta_str(new, "uid"));
        if !uid.is_empty() && *uid != *current.header().uid {
            return Err(self.other_uid(uid, current));
        }
        let mine = current.resource_version();
        match version {
            version if is_no_version(version) => Ok(()),
            version if version.parse() == Ok(mine) => Ok(()),
            version if version.parse::<u64>().is_err() => Err(Status::bad_request(format!(
                "metadata.resourceVersion: Invalid value: {version:?}: must be a number"
            ))),
            _ => Err(self.conflict(MODIFIED)),
        }
    }

    /// An object of some kinds is put in the place of the version only that the writer saw.
    pub(super) fn check_condition(&self, new: &Map) -> Result<(), Status> {
        let entry = self.entry;
        let unconditional = is_no_version(meta_str(new, "resourceVersion"));
        if !unconditional || entry.strategy.allows_unconditional_update() {
            return Ok(());
        }
        let mut errors = Errors::default();
        errors.invalid("metadata.resourceVersion", 0, "must be specified for an update");
        // Kubernetes names the resource here, where else the kind stands.
        Err(Status::invalid(entry.group(), entry.plural(), self.name, errors.into()))
    }

    /// There is no object, and the writer means none that was there.
    pub(super) fn check_absent(&self, new: &Map) -> Result<(), Status> {
        match (meta_str(new, "uid"), meta_str(new, "resourceVersion")) {
            ("", version) if is_no_version(version) => Ok(()),
            ("", _) => Err(self.modified()),
            (uid, _) => Err(self.conflict(&format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            ))),
        }
    }

    /// The deleter means this object.
    pub(super) fn check_preconditions(
        &self,
        wanted: &Preconditions,
        current: &Object,
    ) -> Result<(), Status> {
        if let Some(uid) = &wanted.uid
            && **uid != *current.header().uid
        {
            return Err(self.other_uid(uid, current));
        }
        let version = current.resource_version();
        match &wanted.resource_version {
            Some(wanted) if wanted.parse() != Ok(version) => Err(self.conflict(&format!(
                "Precondition failed: ResourceVersion in precondition: {wanted}, ResourceVersion in object meta: {version}"
            ))),
            _ => Ok(()),
        }
    }

    /// The object was changed more often than this write was tried again.
    pub(super) fn modified(&self) -> Status {
        self.conflict(MODIFIED)
    }

    fn other_uid(&self, uid: &str, current: &Object) -> Status {
        let theirs = &current.header().uid;
        self.conflict(&format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {theirs}"
        ))
    }
}

/// Whether a resource version stands for any.
pub(super) fn is_no_version(version: &str) -> bool {
    matches!(version, "" | "0")
}

/// What only the server says of a new object.
pub(super) fn born(object: &mut Map, env: &Env) {
    let metadata = map_mut(object, "metadata");
    metadata.shift_remove("resourceVersion");
    metadata.insert("uid".into(), env.uuid().into());
    metadata.insert("creationTimestamp".into(), rfc3339(env.clock.now()).into());
}

/// Gives a name to an object that asks for one. Whether it did.
pub(super) fn generate_name(object: &mut Map, env: &Env) -> bool {
    let metadata = map_mut(object, "metadata");
    let given = |key: &str| metadata.get(key).and_then(|v| v.as_str()).unwrap_or_default();
    let prefix = given("generateName");
    if prefix.is_empty() || !given("name").is_empty() {
        return false;
    }
    let end = prefix.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = end.take_while(|end| *end <= LONGEST_PREFIX).last().unwrap_or(0);
    let name = format!("{}{}", &prefix[..end], env.suffix(5));
    metadata.insert("name".into(), name.into());
    true
}
