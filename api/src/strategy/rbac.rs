//! Roles and bindings.

use super::json::{each_mut, fill, is_empty, list_of, map_mut, map_of, maps_of, str_of};
use super::{Map, Strategy};
use crate::validation::format::dns1123_subdomain;
use crate::validation::rules::texts;
use crate::validation::{Errors, Path};

const GROUP: &str = "rbac.authorization.k8s.io";

/// The rules of Roles and ClusterRoles.
pub(super) struct Role {
    /// A Role.
    pub(super) namespaced: bool,
}

/// The rules of RoleBindings and ClusterRoleBindings.
pub(super) struct Binding {
    /// A RoleBinding.
    pub(super) namespaced: bool,
}

// === impl Role ===

impl Strategy for Role {
    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let list = Path::new("rules");
        for (at, rule) in maps_of(object, "rules") {
            let path = list.index(at);
            if list_of(rule, "verbs").is_empty() {
                errors.required(path.child("verbs"), "verbs must contain at least one value");
            }
            if !is_empty(rule, "nonResourceURLs") {
                if self.namespaced {
                    let detail = "namespaced rules cannot apply to non-resource URLs";
                    errors.invalid(
                        path.child("nonResourceURLs"),
                        list_of(rule, "nonResourceURLs"),
                        detail,
                    );
                }
                if ["apiGroups", "resources", "resourceNames"]
                    .iter()
                    .any(|key| !is_empty(rule, key))
                {
                    let detail =
                        "rules cannot apply to both regular resources and non-resource URLs";
                    errors.invalid(
                        path.child("nonResourceURLs"),
                        list_of(rule, "nonResourceURLs"),
                        detail,
                    );
                }
                continue;
            }
            if list_of(rule, "apiGroups").is_empty() {
                let detail = "resource rules must supply at least one api group";
                errors.required(path.child("apiGroups"), detail);
            }
            if list_of(rule, "resources").is_empty() {
                let detail = "resource rules must supply at least one resource";
                errors.required(path.child("resources"), detail);
            }
        }
        errors
    }
}

// === impl Binding ===

impl Strategy for Binding {
    fn default(&self, object: &mut Map) {
        fill(map_mut(object, "roleRef"), "apiGroup", GROUP);
        for subject in each_mut(object, "subjects") {
            if ["User", "Group"].contains(&str_of(subject, "kind")) {
                fill(subject, "apiGroup", GROUP);
            }
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let role = map_of(object, "roleRef").unwrap_or(&empty);
        let path = Path::new("roleRef");
        if str_of(role, "apiGroup") != GROUP {
            errors.not_supported(path.child("apiGroup"), str_of(role, "apiGroup"), &[GROUP]);
        }
        let kinds: &[&str] =
            if self.namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
        if !kinds.contains(&str_of(role, "kind")) {
            errors.not_supported(path.child("kind"), str_of(role, "kind"), kinds);
        }
        if is_empty(role, "name") {
            errors.required(path.child("name"), "");
        }
        let list = Path::new("subjects");
        for (at, one) in maps_of(object, "subjects") {
            subject(one, self.namespaced, &list.index(at), &mut errors);
        }
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        if new.get("roleRef") != old.get("roleRef") {
            let value = new.get("roleRef").cloned().unwrap_or_default();
            errors.invalid("roleRef", value, "cannot change roleRef");
        }
        errors
    }
}

fn subject(subject: &Map, namespaced: bool, path: &Path<'_>, errors: &mut Errors) {
    let name = str_of(subject, "name");
    if name.is_empty() {
        errors.required(path.child("name"), "");
    }
    match str_of(subject, "kind") {
        "ServiceAccount" => {
            if !name.is_empty() {
                texts(path.child("name"), name, &dns1123_subdomain(name), errors);
            }
            if !is_empty(subject, "apiGroup") {
                errors.not_supported(path.child("apiGroup"), str_of(subject, "apiGroup"), &[""]);
            }
            if !namespaced && is_empty(subject, "namespace") {
                errors.required(path.child("namespace"), "");
            }
        }
        "User" | "Group" => {
            if str_of(subject, "apiGroup") != GROUP {
                errors.not_supported(path.child("apiGroup"), str_of(subject, "apiGroup"), &[GROUP]);
            }
        }
        other => {
            errors.not_supported(path.child("kind"), other, &["Group", "ServiceAccount", "User"])
        }
    }
}
