//! Roles under numbers: a grant names its role by one, and a decision looks at each role once.

use super::Rule;
use rustc_hash::FxHashMap;
use windlass_core::Object;

/// A role: its namespace, empty for a cluster role, and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RoleKey {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// The number of a role.
pub(super) type RoleId = usize;

/// A role, or the place of one that grants name and nobody has made.
pub(super) struct Role {
    pub(super) key: RoleKey,
    /// None while it is not there.
    pub(super) rules: Option<Vec<Rule>>,
    holds: usize,
}

#[derive(Default)]
pub(super) struct Roles {
    ids: FxHashMap<RoleKey, RoleId>,
    all: Vec<Role>,
    free: Vec<RoleId>,
}

// === impl RoleKey ===

impl RoleKey {
    pub(super) fn of(object: &Object) -> Self {
        Self { namespace: object.namespace().to_owned(), name: object.name().to_owned() }
    }

    pub(super) fn not_found(&self) -> String {
        let kind = if self.namespace.is_empty() { "clusterrole" } else { "role" };
        format!("{kind}.rbac.authorization.k8s.io {:?} not found", self.name)
    }
}

// === impl Roles ===

impl Roles {
    /// The number of a role, which is kept until it is released as often as it was held.
    pub(super) fn hold(&mut self, key: RoleKey) -> RoleId {
        if let Some(id) = self.find(&key) {
            self.all[id].holds += 1;
            return id;
        }
        let role = Role { key: key.clone(), rules: None, holds: 1 };
        let id = match self.free.pop() {
            Some(id) => {
                self.all[id] = role;
                id
            }
            None => {
                self.all.push(role);
                self.all.len() - 1
            }
        };
        self.ids.insert(key, id);
        id
    }

    pub(super) fn release(&mut self, id: RoleId) {
        let role = &mut self.all[id];
        role.holds -= 1;
        if role.holds == 0 {
            self.ids.remove(&role.key);
            role.rules = None;
            self.free.push(id);
        }
    }

    pub(super) fn find(&self, key: &RoleKey) -> Option<RoleId> {
        self.ids.get(key).copied()
    }

    pub(super) fn get(&self, id: RoleId) -> &Role {
        &self.all[id]
    }

    pub(super) fn at(&mut self, id: RoleId) -> &mut Role {
        &mut self.all[id]
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}
