use crate::admission::testing::Ask;
use crate::admission::{Admission, DefaultIngressClass, DefaultStorageClass};
use crate::authentication::User;
use crate::local::LocalClient;
use crate::server::ApiServer;
use serde_json::{Value, json};
use windlass_core::client::{ClientExt, Key, Reader};
use windlass_core::scheme::{self, GroupVersionResource};

const STORAGE: &str = "storageclass.kubernetes.io/is-default-class";
const INGRESS: &str = "ingressclass.kubernetes.io/is-default-class";

/// The class that an object with this spec and these annotations gets.
async fn class(
    plugin: &dyn Admission,
    resource: &GroupVersionResource,
    classes: &[Value],
    spec: Value,
    annotations: Value,
) -> Value {
    let server = ApiServer::builder().build().await.unwrap();
    let client = LocalClient::new(server.clone(), User::admin());
    for class in classes {
        let key = match class.get("provisioner") {
            Some(_) => Key::cluster(scheme::STORAGECLASSES, ""),
            None => Key::cluster(scheme::INGRESSCLASSES, ""),
        };
        client.create_from(&key, class).await.unwrap();
        // Only one of each: the cache shows it once a newest read has gone through.
        client
            .get(&Key::cluster(key.resource, class["metadata"]["name"].as_str().unwrap()))
            .await
            .unwrap();
    }
    let object = json!({"metadata": {"name": "x", "annotations": annotations}, "spec": spec});
    let answer = Ask::create(resource.clone(), &object).of(plugin, &server).await;
    let spec = &answer.result.unwrap()["spec"];
    spec.get("storageClassName").or(spec.get("ingressClassName")).cloned().unwrap_or_default()
}

#[tokio::test]
async fn claims_and_ingresses_get_the_default_class() {
    let storage = |name: &str, default: &str| json!({"metadata": {"name": name, "annotations": {STORAGE: default}}, "provisioner": "p"});
    let both = [storage("b", "true"), storage("a", "true"), storage("c", "false")];
    let claims = scheme::PERSISTENTVOLUMECLAIMS;
    let beta = json!({"volume.beta.kubernetes.io/storage-class": "own"});
    for (classes, spec, annotations, wanted) in [
        (&both[..], json!({}), json!({}), json!("a")),
        (&both[2..], json!({}), json!({}), Value::Null),
        (&both, json!({"storageClassName": ""}), json!({}), json!("")),
        (&both, json!({"storageClassName": "own"}), json!({}), json!("own")),
        (&both, json!({}), beta, Value::Null),
    ] {
        let found = class(&DefaultStorageClass, &claims, classes, spec.clone(), annotations).await;
        assert_eq!(found, wanted, "{spec}");
    }
    let ingress = json!({"metadata": {"name": "i", "annotations": {INGRESS: "true"}}, "spec": {"controller": "example.com/c"}});
    let old = json!({"kubernetes.io/ingress.class": "nginx"});
    for (spec, annotations, wanted) in [
        (json!({}), json!({}), json!("i")),
        (json!({"ingressClassName": "own"}), json!({}), json!("own")),
        (json!({}), old, Value::Null),
    ] {
        let classes = std::slice::from_ref(&ingress);
        let found =
            class(&DefaultIngressClass, &scheme::INGRESSES, classes, spec.clone(), annotations)
                .await;
        assert_eq!(found, wanted, "{spec}");
    }
}
