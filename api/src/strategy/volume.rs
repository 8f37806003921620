//! PersistentVolumes, claims and StorageClasses.

use super::json::{
    fill, fill_nil, is_empty, is_nil, list_of, map_at, map_mut, map_of, restore, str_of, value_at,
};
use super::{Map, Strategy};
use crate::validation::format::dns1123_subdomain;
use crate::validation::rules::{label_selector, none_or, quantity, texts};
use crate::validation::{Errors, Path};
use serde_json::{Value, json};
use windlass_core::meta::Quantity;

/// The rules of PersistentVolumeClaims.
pub(super) struct Claim;

/// The rules of PersistentVolumes.
pub(super) struct Volume;

/// The rules of StorageClasses.
pub(super) struct StorageClass;

const SPEC: Path<'static> = Path::new("spec");
const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
/// Fields of a volume's spec that say nothing of where its data lies.
const PLAIN: [&str; 10] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
    "",
];
const CLAIM_FIXED: &str = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";

/// Fills in the spec of a claim, also of one in a template.
pub(super) fn default_claim(claim: &mut Map) {
    fill(map_mut(claim, "spec"), "volumeMode", "Filesystem");
}

/// What is wrong with the spec of a claim.
pub(super) fn validate_claim(spec: &Map, path: &Path<'_>, errors: &mut Errors) {
    access_modes(spec, path, "at least 1 access mode is required", errors);
    let request = value_at(spec, &["resources", "requests", "storage"]);
    let at = path.child("resources");
    match request {
        None => errors.required(at.child("requests").key("storage"), ""),
        Some(amount) if !positive(amount) => {
            let detail = "must be greater than zero";
            errors.invalid(at.child("requests").key("storage"), amount.clone(), detail);
        }
        Some(_) => {}
    }
    let class = str_of(spec, "storageClassName");
    if !class.is_empty() {
        texts(path.child("storageClassName"), class, &dns1123_subdomain(class), errors);
    }
    if let Some(selector) = map_of(spec, "selector") {
        label_selector(selector, &path.child("selector"), errors);
    }
    none_or(spec, "volumeMode", &["Block", "Filesystem"], path, errors);
}

// === impl Claim ===

impl Strategy for Claim {
    fn default(&self, object: &mut Map) {
        default_claim(object);
    }

    fn prepare_for_create(&self, object: &mut Map) {
        object.insert("status".into(), json!({"phase": "Pending"}));
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        validate_claim(map_of(object, "spec").unwrap_or(&empty), &SPEC, &mut errors);
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let (new, old_spec) =
            (map_of(new, "spec").unwrap_or(&empty), map_of(old, "spec").unwrap_or(&empty));
        let mut allowed = new.clone();
        if is_empty(old_spec, "volumeName") {
            restore(&mut allowed, old_spec, "volumeName");
        }
        restore(&mut allowed, old_spec, "volumeAttributesClassName");
        if is_nil(old_spec, "storageClassName") {
            restore(&mut allowed, old_spec, "storageClassName");
        }
        let resources = ["resources", "requests", "storage"];
        let (now, before) = (value_at(new, &resources), value_at(old_spec, &resources));
        let less = now.and_then(quantity) < before.and_then(quantity);
        let status = value_at(old, &["status", "capacity", "storage"]).and_then(quantity);
        let was_given = status.is_none_or(|given| now.and_then(quantity) < Some(given));
        if less && was_given {
            let detail = "field can not be less than status.capacity";
            errors.forbidden("spec.resources.requests.storage", detail);
        } else {
            restore(&mut allowed, old_spec, "resources");
        }
        if allowed != *old_spec && !less {
            errors.forbidden(SPEC, CLAIM_FIXED);
        }
        errors
    }

    fn warnings(&self, object: &Map) -> Vec<String> {
        let class = "volume.beta.kubernetes.io/storage-class";
        let annotations = map_at(object, &["metadata", "annotations"]);
        if annotations.is_some_and(|annotations| annotations.contains_key(class)) {
            return vec![format!(
                "metadata.annotations[{class}]: deprecated since v1.8; use \"storageClassName\" attribute instead"
            )];
        }
        Vec::new()
    }
}

// === impl Volume ===

impl Strategy for Volume {
    fn default(&self, object: &mut Map) {
        let spec = map_mut(object, "spec");
        fill(spec, "persistentVolumeReclaimPolicy", "Retain");
        fill(spec, "volumeMode", "Filesystem");
        if let Some(path) = super::json::existing_mut(spec, "hostPath") {
            fill_nil(path, "type", "");
        }
    }

    fn prepare_for_create(&self, object: &mut Map) {
        object.insert("status".into(), json!({"phase": "Pending"}));
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let spec = map_of(object, "spec").unwrap_or(&empty);
        access_modes(spec, &SPEC, "", &mut errors);
        let capacity = map_of(spec, "capacity");
        if capacity.is_none_or(Map::is_empty) {
            errors.required(SPEC.child("capacity"), "");
        }
        for (name, amount) in capacity.into_iter().flatten() {
            let list = SPEC.child("capacity");
            if name != "storage" {
                errors.not_supported(list, name, &["storage"]);
            } else if !positive(amount) {
                errors.invalid(list.key(name), amount.clone(), "must be greater than zero");
            }
        }
        let policies = ["Delete", "Recycle", "Retain"];
        none_or(spec, "persistentVolumeReclaimPolicy", &policies, &SPEC, &mut errors);
        none_or(spec, "volumeMode", &["Block", "Filesystem"], &SPEC, &mut errors);
        source(spec, &mut errors);
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let (new, old) =
            (map_of(new, "spec").unwrap_or(&empty), map_of(old, "spec").unwrap_or(&empty));
        let moved = |key: &&String| !PLAIN.contains(&key.as_str());
        if new.keys().chain(old.keys()).filter(moved).any(|key| new.get(key) != old.get(key)) {
            let detail = "spec.persistentvolumesource is immutable after creation";
            errors.forbidden("spec.persistentvolumesource", detail);
        }
        crate::validation::rules::immutable(new, old, "volumeMode", &SPEC, &mut errors);
        if !is_nil(old, "nodeAffinity") {
            crate::validation::rules::immutable(new, old, "nodeAffinity", &SPEC, &mut errors);
        }
        errors
    }
}

// === impl StorageClass ===

impl Strategy for StorageClass {
    fn default(&self, object: &mut Map) {
        fill_nil(object, "reclaimPolicy", "Delete");
        fill_nil(object, "volumeBindingMode", "Immediate");
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let root = Path::ROOT;
        let provisioner = str_of(object, "provisioner").to_lowercase();
        match provisioner.as_str() {
            "" => errors.required("provisioner", ""),
            name => {
                let found = crate::validation::format::qualified_name(name);
                texts("provisioner", name, &found, &mut errors);
            }
        }
        none_or(object, "reclaimPolicy", &["Delete", "Retain"], &root, &mut errors);
        let modes = ["Immediate", "WaitForFirstConsumer"];
        none_or(object, "volumeBindingMode", &modes, &root, &mut errors);
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        if map_of(new, "parameters") != map_of(old, "parameters") {
            errors.forbidden("parameters", "updates to parameters are forbidden.");
        }
        if new.get("provisioner") != old.get("provisioner") {
            errors.forbidden("provisioner", "updates to provisioner are forbidden.");
        }
        if new.get("reclaimPolicy") != old.get("reclaimPolicy") {
            errors.forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden.");
        }
        let path = Path::ROOT;
        crate::validation::rules::immutable(new, old, "volumeBindingMode", &path, &mut errors);
        errors
    }
}

fn access_modes(spec: &Map, path: &Path<'_>, detail: &str, errors: &mut Errors) {
    let list = path.child("accessModes");
    let modes = list_of(spec, "accessModes");
    if modes.is_empty() {
        errors.required(list, detail);
    }
    for mode in modes.iter().filter_map(Value::as_str) {
        if !MODES.contains(&mode) {
            errors.not_supported(list, mode, &MODES);
        }
    }
    if modes.len() > 1 && modes.iter().any(|mode| mode == "ReadWriteOncePod") {
        let detail = "may not use ReadWriteOncePod with other access modes";
        errors.forbidden(list, detail);
    }
}

fn source(spec: &Map, errors: &mut Errors) {
    let mut sources =
        spec.iter().filter(|(key, value)| !PLAIN.contains(&key.as_str()) && !value.is_null());
    let Some((kind, source)) = sources.next() else {
        return errors.required(SPEC, "must specify a volume type");
    };
    for (other, _) in sources {
        errors.forbidden(SPEC.child(other), "may not specify more than 1 volume type");
    }
    let source = source.as_object().cloned().unwrap_or_default();
    let at = SPEC.child(kind);
    let needed: &[&str] = match kind.as_str() {
        "hostPath" | "local" => &["path"],
        "nfs" => &["server", "path"],
        "csi" => &["driver", "volumeHandle"],
        _ => &[],
    };
    for key in needed {
        if is_empty(&source, key) {
            errors.required(at.child(key), "");
        }
    }
    if kind == "local" && is_nil(spec, "nodeAffinity") {
        let detail = "Local volume requires node affinity";
        errors.required("metadata.annotations", detail);
    }
}

fn positive(amount: &Value) -> bool {
    quantity(amount).is_some_and(|amount| amount > Quantity::default())
}
