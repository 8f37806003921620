//! Roles by name, grants by subject.

use super::Rule;
use crate::authentication::User;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use windlass_core::Object;

/// A role: its namespace, empty for a cluster role, and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RoleKey {
    namespace: String,
    name: String,
}

/// What a binding says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Binding {
    #[serde(default)]
    subjects: Option<Vec<Subject>>,
    role_ref: RoleRef,
}

#[derive(Deserialize)]
struct Subject {
    kind: String,
    #[serde(default)]
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct RoleRef {
    kind: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    User(String),
    Group(String),
}

struct Grant {
    binding: String,
    // Where it holds: everywhere when empty.
    namespace: String,
    role: RoleKey,
}

#[derive(Default)]
pub(super) struct Index {
    roles: FxHashMap<RoleKey, Vec<Rule>>,
    grants: FxHashMap<Holder, Vec<Grant>>,
    holders: FxHashMap<String, Vec<Holder>>,
}

// === impl RoleKey ===

impl RoleKey {
    pub(super) fn of(object: &Object) -> Self {
        Self { namespace: object.namespace().to_owned(), name: object.name().to_owned() }
    }
}

// === impl Index ===

impl Index {
    pub(super) fn set_role(&mut self, key: RoleKey, rules: Vec<Rule>) {
        self.roles.insert(key, rules);
    }

    pub(super) fn remove_role(&mut self, key: &RoleKey) {
        self.roles.remove(key);
    }

    pub(super) fn set_binding(&mut self, uid: &str, namespace: &str, binding: &Binding) {
        let role_namespace = if binding.role_ref.kind == "Role" { namespace } else { "" };
        let role =
            RoleKey { namespace: role_namespace.into(), name: binding.role_ref.name.clone() };
        for subject in binding.subjects.iter().flatten() {
            let holder = subject.holder();
            let grant =
                Grant { binding: uid.into(), namespace: namespace.into(), role: role.clone() };
            self.grants.entry(holder.clone()).or_default().push(grant);
            self.holders.entry(uid.into()).or_default().push(holder);
        }
    }

    pub(super) fn remove_binding(&mut self, uid: &str) {
        for holder in self.holders.remove(uid).unwrap_or_default() {
            if let Some(grants) = self.grants.get_mut(&holder) {
                grants.retain(|grant| grant.binding != uid);
                if grants.is_empty() {
                    self.grants.remove(&holder);
                }
            }
        }
    }

    /// The rules that hold for a user in a namespace.
    pub(super) fn rules(&self, user: &User, namespace: &str) -> impl Iterator<Item = &Rule> {
        let groups = user.groups.iter().map(|group| Holder::Group(group.clone()));
        let holders = [Holder::User(user.name.clone())].into_iter().chain(groups);
        let grants = holders.filter_map(|holder| self.grants.get(&holder)).flatten();
        grants
            .filter(move |grant| grant.namespace.is_empty() || grant.namespace == namespace)
            .filter_map(|grant| self.roles.get(&grant.role))
            .flatten()
    }
}

// === impl Subject ===

impl Subject {
    fn holder(&self) -> Holder {
        match self.kind.as_str() {
            "Group" => Holder::Group(self.name.clone()),
            "ServiceAccount" => {
                Holder::User(format!("system:serviceaccount:{}:{}", self.namespace, self.name))
            }
            _ => Holder::User(self.name.clone()),
        }
    }
}
