//! Taints and tolerations (API reference, "Toleration").

use crate::views::{Taint, Toleration};
use windlass_core::meta::Interned;

/// Whether a toleration covers a taint.
pub(crate) fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = toleration.effect.is_empty() || toleration.effect == taint.effect;
    let key = toleration.key == taint.key
        || (toleration.key.is_empty() && toleration.operator == "Exists");
    let value = toleration.operator == "Exists" || toleration.value == taint.value;
    effect && key && value
}

impl From<&windlass_core::apis::core::v1::Toleration> for Toleration {
    fn from(api: &windlass_core::apis::core::v1::Toleration) -> Self {
        let text = |text: &Option<String>| Interned::from(text.as_deref().unwrap_or_default());
        Self {
            key: text(&api.key),
            operator: text(&api.operator),
            value: text(&api.value),
            effect: text(&api.effect),
            toleration_seconds: api.toleration_seconds,
        }
    }
}
