//! The rules of a sum.

use windlass_core::apis::rbac::v1::{ClusterRole, PolicyRule};
use windlass_core::meta::LabelSelector;

/// The rules of all roles that a sum selects, each once, in the order of the roles' names; `None` when it is no sum or has
/// these rules already.
pub(super) fn plan(sum: &ClusterRole, roles: &[ClusterRole]) -> Option<Vec<PolicyRule>> {
    let selectors = sum.aggregation_rule.as_ref()?.cluster_role_selectors.iter().flatten();
    let selectors: Vec<_> =
        selectors.filter_map(|selector| LabelSelector::from_api(selector).ok()).collect();
    let selected = |role: &&ClusterRole| {
        let labels = role.metadata.labels.as_ref();
        let get = |key: &str| labels.and_then(|labels| labels.get(key)).map(String::as_str);
        role.metadata.name != sum.metadata.name
            && selectors.iter().any(|selector| selector.matches_with(get))
    };
    let mut rules: Vec<PolicyRule> = vec![];
    for rule in roles.iter().filter(selected).flat_map(|role| role.rules.iter().flatten()) {
        if !rules.contains(rule) {
            rules.push(rule.clone());
        }
    }
    (sum.rules.clone().unwrap_or_default() != rules).then_some(rules)
}
