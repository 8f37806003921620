//! Which account a namespace lacks.

use crate::support::ops::Op;
use serde_json::json;
use windlass_core::client::Key;
use windlass_core::object::Header;
use windlass_core::scheme;

pub(super) const NAME: &str = "default";

/// Makes the account of a namespace that stays, unless it is there.
pub(super) fn plan(namespace: &Header, has_account: bool) -> Option<Op> {
    let key = Key::new(scheme::SERVICEACCOUNTS, &*namespace.name, NAME);
    let metadata = json!({"name": NAME, "namespace": namespace.name});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
    (!namespace.deleting && !has_account).then(|| Op::Create(key, account))
}
