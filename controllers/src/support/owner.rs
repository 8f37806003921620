//! References to owners.

use windlass_core::apis::meta::v1::{ObjectMeta, OwnerReference};
use windlass_core::events::Reference;
use windlass_core::object::Header;
use windlass_core::scheme::GroupVersionKind;

/// A reference to the controller `name`.
pub(crate) fn controller_ref(gvk: &GroupVersionKind, name: &str, uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: gvk.api_version(),
        kind: gvk.kind.to_string(),
        name: name.into(),
        uid: uid.into(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The metadata of an object that `owner` controls.
pub(crate) fn owned_meta(
    gvk: &GroupVersionKind,
    owner: &ObjectMeta,
    name: impl Into<String>,
) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.into()).filter(|name: &String| !name.is_empty()),
        namespace: owner.namespace.clone(),
        owner_references: Some(vec![controller_ref(gvk, name_of(owner), uid_of(owner))]),
        ..ObjectMeta::default()
    }
}

/// `metadata.name`, empty when there is none.
pub(crate) fn name_of(meta: &ObjectMeta) -> &str {
    meta.name.as_deref().unwrap_or_default()
}

/// `metadata.namespace`, empty when there is none.
pub(crate) fn namespace_of(meta: &ObjectMeta) -> &str {
    meta.namespace.as_deref().unwrap_or_default()
}

/// `metadata.uid`, empty when there is none.
pub(crate) fn uid_of(meta: &ObjectMeta) -> &str {
    meta.uid.as_deref().unwrap_or_default()
}

/// What an event about an object refers to.
pub(crate) fn reference(gvk: &GroupVersionKind, meta: &ObjectMeta) -> Reference {
    Reference {
        api_version: gvk.api_version(),
        kind: gvk.kind.to_string(),
        namespace: namespace_of(meta).into(),
        name: name_of(meta).into(),
        uid: uid_of(meta).into(),
        field_path: String::new(),
    }
}

/// What an event about a cached object refers to.
pub(crate) fn reference_of(gvk: &GroupVersionKind, header: &Header) -> Reference {
    Reference {
        api_version: gvk.api_version(),
        kind: gvk.kind.to_string(),
        namespace: header.namespace.to_string(),
        name: header.name.to_string(),
        uid: header.uid.to_string(),
        field_path: String::new(),
    }
}
