use super::OwnerReferencesPermissionEnforcement;
use crate::admission::testing::Ask;
use crate::authentication::User;
use crate::authorization::{Attributes, Authorizer, Decision};
use crate::server::ApiServer;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::scheme;

/// Lets users do the verb that is their name.
struct ByName;

#[async_trait]
impl Authorizer for ByName {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let target = attributes.resource.unwrap();
        let what = match &target.subresource {
            Some(part) => format!("{} {}/{part}", attributes.verb, target.resource.resource),
            None => format!("{} {}", attributes.verb, target.resource.resource),
        };
        match attributes.user.name.split(',').any(|may| may == what) {
            true => Decision::allow(),
            false => Decision::NoOpinion("no".into()),
        }
    }
}

#[tokio::test]
async fn owners_are_set_by_who_may() {
    let server = ApiServer::builder().build().await.unwrap();
    let plugin = OwnerReferencesPermissionEnforcement::new(Arc::new(ByName));
    let owned = |blocks: &str| -> Value {
        let owner = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": "u", "blockOwnerDeletion": blocks == "blocks"});
        let owners = if blocks.is_empty() { json!([]) } else { json!([owner]) };
        json!({"metadata": {"name": "x", "ownerReferences": owners}})
    };
    let finalizers = "update deployments/finalizers";
    let both = format!("delete pods,{finalizers}");
    let cannot_delete = "cannot set an ownerRef on a resource you can't delete: no, <nil>";
    let cannot_block = "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: no, <nil>";
    for (user, old, new, wanted) in [
        ("", None, "owned", ""),
        ("", None, "blocks", cannot_block),
        (finalizers, None, "blocks", ""),
        ("", Some(""), "", ""),
        ("", Some("owned"), "owned", ""),
        ("", Some(""), "owned", cannot_delete),
        ("delete pods", Some(""), "owned", ""),
        ("delete pods", Some("owned"), "blocks", cannot_block),
        (&both, Some("owned"), "blocks", ""),
        ("delete pods", Some("blocks"), "owned", ""),
    ] {
        let ask = match old {
            Some(old) => Ask::update(scheme::PODS, &owned(old), &owned(new)),
            None => Ask::create(scheme::PODS, &owned(new)),
        };
        let refusal = ask.by(User::new(user, [])).of(&plugin, &server).await.refusal();
        let why = refusal.strip_prefix("pods \"x\" is forbidden: ").unwrap_or_default();
        assert_eq!(why, wanted, "{user}: {old:?} {new}");
    }
    let unknown = json!({"metadata": {"name": "x", "ownerReferences": [{"apiVersion": "v9", "kind": "No", "blockOwnerDeletion": true}]}});
    let refusal = Ask::create(scheme::PODS, &unknown).of(&plugin, &server).await.refusal();
    assert!(refusal.contains("cannot find RESTMapping for APIVersion v9 Kind No"), "{refusal}");
}
