use super::PersistentVolumeClaimResize;
use crate::admission::testing::Ask;
use crate::authentication::User;
use crate::local::LocalClient;
use crate::server::ApiServer;
use serde_json::{Value, json};
use windlass_core::client::{ClientExt, Key};
use windlass_core::scheme;

#[tokio::test]
async fn claims_grow_where_they_may() {
    let server = ApiServer::builder().build().await.unwrap();
    let client = LocalClient::new(server.clone(), User::admin());
    for (name, grows) in [("soft", true), ("hard", false)] {
        let class =
            json!({"metadata": {"name": name}, "provisioner": "p", "allowVolumeExpansion": grows});
        client.create_from(&Key::cluster(scheme::STORAGECLASSES, ""), &class).await.unwrap();
    }
    let claim = |class: &str, size: &str, phase: &str| -> Value {
        json!({"metadata": {"name": "x"}, "status": {"phase": phase},
            "spec": {"storageClassName": class, "resources": {"requests": {"storage": size}}}})
    };
    let class = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    let cases = [
        ("soft", "1Gi", "2Gi", "Bound", ""),
        ("soft", "2Gi", "1Gi", "Pending", ""),
        ("soft", "1Gi", "1024Mi", "Pending", ""),
        ("soft", "1Gi", "2Gi", "Pending", "Only bound persistent volume claims can be expanded"),
        ("hard", "1Gi", "2Gi", "Bound", class),
        ("", "1Gi", "2Gi", "Bound", class),
        ("none", "1Gi", "2Gi", "Bound", class),
    ];
    for (name, from, to, phase, wanted) in cases {
        let ask = Ask::update(
            scheme::PERSISTENTVOLUMECLAIMS,
            &claim(name, from, phase),
            &claim(name, to, phase),
        );
        let refusal = ask.of(&PersistentVolumeClaimResize, &server).await.refusal();
        let why = refusal.strip_prefix("persistentvolumeclaims \"x\" is forbidden: ");
        assert_eq!(why.unwrap_or_default(), wanted, "{name} {from} {to} {phase}");
    }
}
