//! Roles by name, grants by subject and namespace.

use super::Rule;
use super::roles::{RoleId, RoleKey, Roles};
use crate::authentication::User;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use smallvec::SmallVec;
use std::sync::Arc;
use windlass_core::Object;

/// What a binding says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Binding {
    #[serde(default)]
    subjects: Option<Vec<Subject>>,
    role_ref: RoleRef,
}

/// The binding itself: its uid, name and namespace (empty for a cluster's).
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) uid: String,
    pub(super) namespace: String,
    pub(super) name: String,
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

/// A role that somebody has by a binding.
pub(super) struct Grant {
    binding: String,
    role: RoleId,
    /// What is said when it allows something: `RBAC: allowed by …`.
    pub(super) why: Arc<str>,
}

/// What one subject has.
#[derive(Default)]
struct Grants {
    everywhere: Vec<Grant>,
    namespaces: FxHashMap<String, Vec<Grant>>,
}

#[derive(Default)]
pub(super) struct Index {
    roles: Roles,
    users: FxHashMap<String, Grants>,
    groups: FxHashMap<String, Grants>,
    /// To whom a binding gives something, and where.
    bindings: FxHashMap<String, (String, Vec<Holder>)>,
}

// === impl Place ===

impl Place {
    pub(super) fn of(object: &Object) -> Self {
        let uid = object.header().uid.to_string();
        Self { uid, namespace: object.namespace().to_owned(), name: object.name().to_owned() }
    }
}

// === impl Index ===

impl Index {
    pub(super) fn set_role(&mut self, key: RoleKey, rules: Vec<Rule>) {
        let id = self.roles.hold(key);
        // It is held once for its rules, and once for each grant.
        if self.roles.at(id).rules.replace(rules).is_some() {
            self.roles.release(id);
        }
    }

    pub(super) fn remove_role(&mut self, key: &RoleKey) {
        if let Some(id) = self.roles.find(key)
            && self.roles.at(id).rules.take().is_some()
        {
            self.roles.release(id);
        }
    }

    /// Puts a binding in the place of what it said before.
    pub(super) fn set_binding(&mut self, place: &Place, binding: &Binding) {
        self.remove_binding(&place.uid);
        let in_place = binding.role_ref.kind == "Role";
        let role = RoleKey {
            namespace: if in_place { place.namespace.clone() } else { String::new() },
            name: binding.role_ref.name.clone(),
        };
        let mut holders = Vec::new();
        for subject in binding.subjects.iter().flatten() {
            let Some(holder) = subject.holder(&place.namespace) else { continue };
            let why = format!("RBAC: allowed by {}", place.describe(&binding.role_ref, subject));
            let role = self.roles.hold(role.clone());
            let grant = Grant { binding: place.uid.clone(), role, why: why.into() };
            self.grants(&holder).at(&place.namespace).push(grant);
            holders.push(holder);
        }
        self.bindings.insert(place.uid.clone(), (place.namespace.clone(), holders));
    }

    pub(super) fn remove_binding(&mut self, uid: &str) {
        let Some((namespace, holders)) = self.bindings.remove(uid) else { return };
        for holder in holders {
            let grants = self.grants(&holder);
            let removed = grants.remove(uid, &namespace);
            if grants.everywhere.is_empty() && grants.namespaces.is_empty() {
                match &holder {
                    Holder::User(name) => self.users.remove(name),
                    Holder::Group(name) => self.groups.remove(name),
                };
            }
            removed.into_iter().for_each(|role| self.roles.release(role));
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty()
            && self.groups.is_empty()
            && self.bindings.is_empty()
            && self.roles.len() == 0
    }

    fn grants(&mut self, holder: &Holder) -> &mut Grants {
        match holder {
            Holder::User(name) => self.users.entry(name.clone()).or_default(),
            Holder::Group(name) => self.groups.entry(name.clone()).or_default(),
        }
    }

    /// What a user has in a namespace (in the cluster when it is empty): what holds everywhere first, as Kubernetes looks
    /// for it.
    fn held<'a>(&'a self, user: &'a User, namespace: &'a str) -> impl Iterator<Item = &'a Grant> {
        let subjects = move || {
            let groups = user.groups.iter().filter_map(|group| self.groups.get(group));
            self.users.get(&user.name).into_iter().chain(groups)
        };
        let here = subjects().filter_map(|grants| grants.namespaces.get(namespace)).flatten();
        subjects().flat_map(|grants| &grants.everywhere).chain(here)
    }

    /// The rules that hold for a user in a namespace, each with the first grant it comes from: many bindings give the same
    /// role.
    pub(super) fn rules<'a>(
        &'a self,
        user: &'a User,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Rule, &'a Grant)> {
        let mut seen = SmallVec::<[RoleId; 16]>::new();
        let mut is_new = move |grant: &&Grant| {
            let new = !seen.contains(&grant.role);
            if new {
                seen.push(grant.role);
            }
            new
        };
        self.held(user, namespace).filter(move |grant| is_new(grant)).flat_map(|grant| {
            let rules = self.roles.get(grant.role).rules.iter().flatten();
            rules.map(move |rule| (rule, grant))
        })
    }

    /// The roles that a user's bindings name and nobody has made, in the words of errors.
    pub(super) fn missing(&self, user: &User, namespace: &str) -> Vec<String> {
        let roles = self.held(user, namespace).map(|grant| self.roles.get(grant.role));
        roles.filter(|role| role.rules.is_none()).map(|role| role.key.not_found()).collect()
    }
}

// === impl Grants ===

impl Grants {
    fn at(&mut self, namespace: &str) -> &mut Vec<Grant> {
        match namespace {
            "" => &mut self.everywhere,
            namespace => self.namespaces.entry(namespace.to_owned()).or_default(),
        }
    }

    /// Takes away what a binding gave; the roles that were given.
    fn remove(&mut self, binding: &str, namespace: &str) -> Vec<RoleId> {
        let grants = self.at(namespace);
        let removed = grants.extract_if(.., |grant| grant.binding == binding);
        let removed = removed.map(|grant| grant.role).collect();
        if grants.is_empty() {
            self.namespaces.remove(namespace);
        }
        removed
    }
}

// === impl Place ===

impl Place {
    /// A binding in the words of decisions.
    fn describe(&self, role: &RoleRef, subject: &Subject) -> String {
        let (kind, name) = match self.namespace.as_str() {
            "" => ("ClusterRoleBinding", self.name.clone()),
            namespace => ("RoleBinding", format!("{}/{namespace}", self.name)),
        };
        let who = match subject.kind.as_str() {
            "ServiceAccount" => {
                format!("{}/{}", subject.name, subject.namespace_or(&self.namespace))
            }
            _ => subject.name.clone(),
        };
        format!("{kind} {name:?} of {} {:?} to {} {who:?}", role.kind, role.name, subject.kind)
    }
}

// === impl Subject ===

impl Subject {
    fn namespace_or<'a>(&'a self, own: &'a str) -> &'a str {
        if self.namespace.is_empty() { own } else { &self.namespace }
    }

    /// Whom it means, in a binding of this namespace; nobody when it is of no known kind.
    fn holder(&self, namespace: &str) -> Option<Holder> {
        match (self.kind.as_str(), self.namespace_or(namespace)) {
            ("User", _) => Some(Holder::User(self.name.clone())),
            ("Group", _) => Some(Holder::Group(self.name.clone())),
            ("ServiceAccount", "") => None,
            ("ServiceAccount", namespace) => {
                Some(Holder::User(format!("system:serviceaccount:{namespace}:{}", self.name)))
            }
            _ => None,
        }
    }
}
