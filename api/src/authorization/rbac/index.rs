//! Roles by name, grants by subject and namespace.

use super::Rule;
use crate::authentication::User;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use std::sync::Arc;
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
    role: RoleKey,
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
    roles: FxHashMap<RoleKey, Vec<Rule>>,
    users: FxHashMap<String, Grants>,
    groups: FxHashMap<String, Grants>,
    /// To whom a binding gives something, and where.
    bindings: FxHashMap<String, (String, Vec<Holder>)>,
}

// === impl RoleKey ===

impl RoleKey {
    pub(super) fn of(object: &Object) -> Self {
        Self { namespace: object.namespace().to_owned(), name: object.name().to_owned() }
    }
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
        self.roles.insert(key, rules);
    }

    pub(super) fn remove_role(&mut self, key: &RoleKey) {
        self.roles.remove(key);
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
            let grant = Grant { binding: place.uid.clone(), role: role.clone(), why: why.into() };
            self.grants(&holder).at(&place.namespace).push(grant);
            holders.push(holder);
        }
        self.bindings.insert(place.uid.clone(), (place.namespace.clone(), holders));
    }

    pub(super) fn remove_binding(&mut self, uid: &str) {
        let Some((namespace, holders)) = self.bindings.remove(uid) else { return };
        for holder in holders {
            let grants = self.grants(&holder);
            grants.remove(uid, &namespace);
            if grants.everywhere.is_empty() && grants.namespaces.is_empty() {
                match &holder {
                    Holder::User(name) => self.users.remove(name),
                    Holder::Group(name) => self.groups.remove(name),
                };
            }
        }
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

    /// The rules that hold for a user in a namespace, each with the grant it comes from.
    pub(super) fn rules<'a>(
        &'a self,
        user: &'a User,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Rule, &'a Grant)> {
        self.held(user, namespace).flat_map(|grant| {
            let rules = self.roles.get(&grant.role).into_iter().flatten();
            rules.map(move |rule| (rule, grant))
        })
    }

    /// The roles that a user's bindings name and nobody has made, in the words of errors.
    pub(super) fn missing(&self, user: &User, namespace: &str) -> Vec<String> {
        let missing = self.held(user, namespace).filter(|g| !self.roles.contains_key(&g.role));
        missing.map(|grant| grant.role.not_found()).collect()
    }
}

impl RoleKey {
    fn not_found(&self) -> String {
        let kind = if self.namespace.is_empty() { "clusterrole" } else { "role" };
        format!("{kind}.rbac.authorization.k8s.io {:?} not found", self.name)
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

    fn remove(&mut self, binding: &str, namespace: &str) {
        let grants = self.at(namespace);
        grants.retain(|grant| grant.binding != binding);
        if grants.is_empty() {
            self.namespaces.remove(namespace);
        }
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
