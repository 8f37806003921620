//! Role-based access control (`rbac.authorization.k8s.io/v1`), answered from an index by subject that events keep.

mod index;
mod rule;

pub use rule::Rule;

use super::{Attributes, Authorizer, Decision};
use async_trait::async_trait;
use index::{Binding, Index, RoleKey};
use parking_lot::RwLock;
use serde::Deserialize;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::cache::{Change, InformerFactory};
use windlass_core::component::Ready;
use windlass_core::scheme;

/// Decides by roles and bindings. Knows none until it [follows](Rbac::follow) them.
#[derive(Default)]
pub struct Rbac {
    index: RwLock<Index>,
}

#[derive(Deserialize)]
struct RoleView {
    #[serde(default)]
    rules: Option<Vec<Rule>>,
}

// === impl Rbac ===

impl Rbac {
    /// Keeps the index up to date from informers. What is returned is set once each of them is complete.
    pub fn follow(self: &Arc<Self>, informers: &InformerFactory) -> [Ready; 4] {
        [
            self.follow_roles(informers, scheme::ROLES),
            self.follow_roles(informers, scheme::CLUSTERROLES),
            self.follow_bindings(informers, scheme::ROLEBINDINGS),
            self.follow_bindings(informers, scheme::CLUSTERROLEBINDINGS),
        ]
    }

    /// All rules that hold for a user in a namespace (for the cluster when it is empty).
    #[must_use]
    pub fn rules_for(&self, user: &crate::authentication::User, namespace: &str) -> Vec<Rule> {
        self.index.read().rules(user, namespace).cloned().collect()
    }

    fn follow_roles(
        self: &Arc<Self>,
        informers: &InformerFactory,
        resource: scheme::GroupVersionResource,
    ) -> Ready {
        let (rbac, informer) = (self.clone(), informers.informer::<RoleView>(resource));
        informer.on_change(move |change| {
            let key = RoleKey::of(change.object());
            let mut index = rbac.index.write();
            match change {
                Change::Deleted(_) => index.remove_role(&key),
                _ => index.set_role(key, change.entry().view.rules.clone().unwrap_or_default()),
            }
        });
        informer.synced()
    }

    fn follow_bindings(
        self: &Arc<Self>,
        informers: &InformerFactory,
        resource: scheme::GroupVersionResource,
    ) -> Ready {
        let (rbac, informer) = (self.clone(), informers.informer::<Binding>(resource));
        informer.on_change(move |change| {
            let (uid, namespace) = place(change.object());
            let mut index = rbac.index.write();
            index.remove_binding(&uid);
            if !matches!(change, Change::Deleted(_)) {
                index.set_binding(&uid, &namespace, &change.entry().view);
            }
        });
        informer.synced()
    }
}

#[async_trait]
impl Authorizer for Rbac {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let index = self.index.read();
        let allowed = index
            .rules(attributes.user, attributes.namespace().unwrap_or_default())
            .any(|rule| rule.allows(attributes));
        if allowed { Decision::Allow } else { Decision::NoOpinion(String::new()) }
    }
}

fn place(object: &Object) -> (String, String) {
    (object.header().uid.to_string(), object.namespace().to_owned())
}

#[cfg(test)]
mod tests;
