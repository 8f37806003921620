//! Role-based access control (`rbac.authorization.k8s.io/v1`), answered from an index by subject that events keep.

mod index;
mod roles;
mod rule;

pub use rule::Rule;

use super::{Attributes, Authorizer, Decision};
use crate::authentication::User;
use async_trait::async_trait;
use index::{Binding, Index, Place};
use parking_lot::RwLock;
use roles::RoleKey;
use serde::Deserialize;
use std::sync::Arc;
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
    pub fn rules_for(&self, user: &User, namespace: &str) -> Vec<Rule> {
        self.index.read().rules(user, namespace).map(|(rule, _)| rule.clone()).collect()
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
            let place = Place::of(change.object());
            let mut index = rbac.index.write();
            match change {
                Change::Deleted(_) => index.remove_binding(&place.uid),
                _ => index.set_binding(&place, &change.entry().view),
            }
        });
        informer.synced()
    }
}

#[async_trait]
impl Authorizer for Rbac {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let (user, namespace) = (attributes.user, attributes.namespace().unwrap_or_default());
        let index = self.index.read();
        let mut rules = index.rules(user, namespace);
        match rules.find(|(rule, _)| rule.allows(attributes)) {
            Some((_, grant)) => Decision::Allow(grant.why.clone()),
            None => Decision::NoOpinion(unknown(&index.missing(user, namespace))),
        }
    }

    fn unlisted(&self, _: &User) -> Option<String> {
        None
    }
}

/// Says which roles are bound and not there.
fn unknown(missing: &[String]) -> String {
    match missing {
        [] => String::new(),
        [one] => format!("RBAC: {one}"),
        several => format!("RBAC: [{}]", several.join(", ")),
    }
}

#[cfg(test)]
mod tests;
