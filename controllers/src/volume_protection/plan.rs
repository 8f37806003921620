//! Whether a finalizer is there, has to come, or may go.

use crate::support::ops::Op;
use serde_json::json;
use windlass_core::client::Key;
use windlass_core::object::Header;

pub(super) const OF_CLAIMS: &str = "kubernetes.io/pvc-protection";
pub(super) const OF_VOLUMES: &str = "kubernetes.io/pv-protection";

/// Puts the finalizer on what stays, takes it from what goes and is not in use.
pub(super) fn plan(key: Key, header: &Header, finalizer: &str, in_use: bool) -> Option<Op> {
    let mut finalizers: Vec<&str> =
        header.finalizers.iter().map(|finalizer| &**finalizer).collect();
    let has = finalizers.contains(&finalizer);
    match (header.deleting, has) {
        (false, false) => finalizers.push(finalizer),
        (true, true) if !in_use => finalizers.retain(|known| *known != finalizer),
        _ => return None,
    }
    let version = header.resource_version.to_string();
    Some(Op::Patch(
        key,
        json!({"metadata": {"resourceVersion": version, "finalizers": finalizers}}),
    ))
}
