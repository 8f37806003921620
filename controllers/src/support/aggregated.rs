//! Kinds that other servers serve behind the API server.

use super::kinds::Kind;
use serde::Deserialize;
use windlass_core::Result;
use windlass_core::client::Discovery;
use windlass_core::scheme::{GroupVersion, ResourceInfo};

/// What is read of an APIService.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Service {
    spec: Spec,
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    group: String,
    version: String,
    service: Option<Reference>,
}

/// Only that there is one matters here.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Reference {}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    r#type: String,
    status: String,
}

// === impl Service ===

impl Service {
    /// The group version that another server serves.
    pub(crate) fn elsewhere(&self) -> Option<GroupVersion> {
        let Spec { group, version, service } = &self.spec;
        let (group, version) = (group.clone().into(), version.clone().into());
        service.map(|Reference {}| GroupVersion { group, version })
    }

    pub(crate) fn is_available(&self) -> bool {
        let is =
            |condition: &Condition| condition.r#type == "Available" && condition.status == "True";
        self.status.conditions.iter().any(is)
    }
}

/// The kinds of a group version that can do all these verbs, as its server says. That it has none is believed while it is
/// `available` only: one that starts or ends knows no paths yet, or no more.
pub(crate) async fn kinds(
    discovery: &dyn Discovery,
    version: &GroupVersion,
    available: bool,
    verbs: &[&str],
) -> Result<Vec<Kind>> {
    match discovery.resources(version).await {
        Ok(infos) => Ok(infos.iter().filter_map(|info| able(info, verbs)).collect()),
        Err(error) if error.is_not_found() && available => Ok(vec![]),
        Err(error) => Err(error),
    }
}

fn able(info: &ResourceInfo, verbs: &[&str]) -> Option<Kind> {
    verbs.iter().all(|verb| info.has_verb(verb)).then(|| Kind {
        resource: info.gvr.clone(),
        kind: info.kind.to_string(),
        namespaced: info.namespaced,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use windlass_core::scheme;

    fn service(value: Value) -> Service {
        serde_json::from_value(value).expect("an APIService")
    }

    #[test]
    fn only_what_others_serve_counts_once_it_is_there() {
        let local = service(json!({"spec": {"group": "apps", "version": "v1"}}));
        assert_eq!(local.elsewhere(), None);
        let conditions = json!({"conditions": [{"type": "Available", "status": "True"}]});
        let spec = json!({"group": "a.b", "version": "v1", "service": {"name": "x"}});
        let other = service(json!({"spec": spec, "status": conditions}));
        let version = other.elsewhere().expect("another server's");
        assert_eq!((version.to_string().as_str(), other.is_available()), ("a.b/v1", true));
        assert!(!service(json!({"spec": spec})).is_available());
    }

    #[test]
    fn a_kind_counts_when_it_can_do_what_is_asked_of_it() {
        let version = GroupVersion { group: "a.b".into(), version: "v1".into() };
        let list = json!({"resources": [
            {"name": "ships", "kind": "Ship", "namespaced": true, "verbs": ["delete", "list", "watch"]},
            {"name": "lights", "kind": "Light", "namespaced": true, "verbs": ["delete", "list"]},
            {"name": "sights", "kind": "Sight", "verbs": ["get", "list"]},
        ]});
        let infos = scheme::read_resources(&version, list.to_string().as_bytes()).expect("a list");
        let able = |verbs: &[&str]| -> Vec<String> {
            infos.iter().filter_map(|info| able(info, verbs)).map(|kind| kind.kind).collect()
        };
        assert_eq!(able(&["list", "watch", "delete"]), ["Ship"]);
        assert_eq!(able(&["list", "delete"]), ["Ship", "Light"]);
    }
}
