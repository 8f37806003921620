//! The roles and bindings of every cluster, from tables.

pub(super) mod reconcile;

use crate::authorization::Rule;
use reconcile::AUTOUPDATE;
use serde_json::{Value, json};

const ROLES: [&str; 2] =
    [include_str!("../../data/cluster-roles.txt"), include_str!("../../data/controller-roles.txt")];
const BINDINGS: &str = include_str!("../../data/cluster-role-bindings.txt");

/// The roles that are the sum of others, with what they add up.
const SUMS: [(&str, &[&str]); 3] =
    [("view", &["view"]), ("edit", &["view", "edit"]), ("admin", &["view", "edit", "admin"])];

pub(super) fn roles() -> impl Iterator<Item = Value> {
    let listed = listed();
    let sums: Vec<_> = SUMS.iter().map(|(name, parts)| sum(name, parts, &listed)).collect();
    listed.into_iter().map(|(name, rules)| role(&name, &rules)).chain(sums)
}

pub(super) fn bindings() -> impl Iterator<Item = Value> {
    let listed = listed().into_iter();
    let controllers = listed.filter_map(|(role, _)| controller_binding(&role));
    bindings_of(BINDINGS).chain(controllers)
}

/// A controller's role is its account's, and that of the one user who may stand for them all.
fn controller_binding(role: &str) -> Option<Value> {
    let account = role.strip_prefix("system:controller:")?;
    Some(json!({
        "metadata": metadata(role, &[]),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [
            {"kind": "ServiceAccount", "name": account, "namespace": "kube-system"},
            {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "system:kube-controller-manager"},
        ],
    }))
}

/// The roles of every cluster.
#[cfg(test)]
pub(crate) fn default_roles() -> Vec<Value> {
    roles().collect()
}

/// The bindings of every cluster.
#[cfg(test)]
pub(crate) fn default_bindings() -> Vec<Value> {
    bindings().collect()
}

/// What every node may do; of secrets and the like the node authorizer says which.
pub(crate) fn node_rules() -> Vec<Rule> {
    let node = listed().into_iter().find(|(name, _)| name == "system:node");
    node.map(|(_, rules)| rules).unwrap_or_default()
}

/// The bindings of a table.
pub(super) fn bindings_of(table: &'static str) -> impl Iterator<Item = Value> {
    lines(table).filter_map(|line| {
        let mut parts = line.split('|').map(str::trim);
        let (name, role, kind, subjects) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let subject = |name| json!({"kind": kind, "apiGroup": "rbac.authorization.k8s.io", "name": name});
        Some(json!({
            "metadata": metadata(name, &[]),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": subjects.split(',').filter(|name| !name.is_empty()).map(subject).collect::<Vec<_>>(),
        }))
    })
}

fn listed() -> Vec<(String, Vec<Rule>)> {
    let mut roles: Vec<(String, Vec<Rule>)> = Vec::new();
    for line in ROLES.into_iter().flat_map(lines) {
        match (line.strip_prefix("  "), roles.last_mut()) {
            (Some(text), Some((_, rules))) => rules.push(rule(text)),
            _ => roles.push((line.to_owned(), Vec::new())),
        }
    }
    roles
}

fn rule(text: &str) -> Rule {
    let word = |word: &str| if word == "core" { String::new() } else { word.to_owned() };
    let mut parts =
        text.split('|').map(|part| part.trim().split(',').map(word).collect::<Vec<_>>());
    let (verbs, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match parts.next() {
        None => Rule { verbs, non_resource_urls: second, ..Rule::default() },
        Some(resources) => {
            let resource_names = parts.next().unwrap_or_default();
            Rule { verbs, api_groups: second, resources, resource_names, ..Rule::default() }
        }
    }
}

fn role(name: &str, rules: &[Rule]) -> Value {
    let target = name.strip_prefix("system:aggregate-to-");
    let label = target.map(|to| (format!("rbac.authorization.k8s.io/aggregate-to-{to}"), "true"));
    let labels: Vec<_> = label.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    json!({"metadata": metadata(name, &labels), "rules": rules})
}

fn sum(name: &str, parts: &[&str], listed: &[(String, Vec<Rule>)]) -> Value {
    let is_part =
        |role: &str| parts.iter().any(|part| role == format!("system:aggregate-to-{part}"));
    let rules: Vec<_> =
        listed.iter().filter(|(role, _)| is_part(role)).flat_map(|(_, rules)| rules).collect();
    let selector = |part: &&str| json!({"matchLabels": {format!("rbac.authorization.k8s.io/aggregate-to-{part}"): "true"}});
    json!({
        "metadata": metadata(name, &[]), "rules": rules,
        "aggregationRule": {"clusterRoleSelectors": parts.iter().map(selector).collect::<Vec<_>>()},
    })
}

fn metadata(name: &str, labels: &[(&str, &str)]) -> Value {
    let mut all = json!({"kubernetes.io/bootstrapping": "rbac-defaults"});
    labels.iter().for_each(|(key, value)| all[*key] = (*value).into());
    json!({"name": name, "labels": all, "annotations": {AUTOUPDATE: "true"}})
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_read_whole() {
        let roles: Vec<_> = roles().collect();
        let find =
            |name: &str| roles.iter().find(|role| role["metadata"]["name"] == name).expect(name);
        assert_eq!(find("cluster-admin")["rules"][1]["nonResourceURLs"], json!(["*"]));
        assert_eq!(find("system:node")["rules"][2]["apiGroups"], json!([""]));
        let signer = &find("system:certificates.k8s.io:legacy-unknown-approver")["rules"][0];
        assert_eq!(signer["resourceNames"], json!(["kubernetes.io/legacy-unknown"]));
        let counts = ["view", "edit", "admin"]
            .map(|name| find(name)["rules"].as_array().map_or(0, Vec::len));
        assert!(counts[0] < counts[1] && counts[1] < counts[2], "{counts:?}");
        let controllers = roles.iter().filter_map(|role| role["metadata"]["name"].as_str());
        let controllers = controllers.filter(|name| name.starts_with("system:controller:"));
        assert_eq!(bindings().count(), lines(BINDINGS).count() + controllers.count());
    }
}
