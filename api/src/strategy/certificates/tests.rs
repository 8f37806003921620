use crate::authentication::User;
use crate::local::LocalClient;
use crate::pki::{RequestFor, certificate_request};
use crate::server::ApiServer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use windlass_core::client::{ClientExt, Key};
use windlass_core::meta::Reason;
use windlass_core::scheme::CERTIFICATESIGNINGREQUESTS;

fn request() -> Value {
    let (_, pem) =
        certificate_request(RequestFor { user: "ann", ..RequestFor::default() }).unwrap();
    json!({"metadata": {"name": "a"}, "spec": {"request": STANDARD.encode(pem),
        "signerName": "example.com/one", "usages": ["client auth"],
        "username": "system:admin", "uid": "1", "groups": ["system:masters"], "extra": {"a": ["b"]}}})
}

fn condition(kind: &str) -> Value {
    json!({"type": kind, "status": "True", "reason": "R", "message": "m"})
}

async fn made() -> (LocalClient, Key, Value) {
    let server = ApiServer::builder().build().await.unwrap();
    let client = LocalClient::new(server, User::new("ann", ["devs"]));
    let key = Key::cluster(CERTIFICATESIGNINGREQUESTS, "a");
    client.create_from(&Key::cluster(CERTIFICATESIGNINGREQUESTS, ""), &request()).await.unwrap();
    let stored: Value = client.get_as(&key).await.unwrap();
    (client, key, stored)
}

/// Writes a status through a subresource, and says what is stored then, or why it was refused.
async fn write(
    client: &LocalClient,
    key: &Key,
    subresource: &str,
    status: Value,
) -> Result<Value, String> {
    let mut whole: Value = client.get_as(key).await.unwrap();
    whole["status"] = status;
    match client.update_from(&key.clone().subresource(subresource), &whole).await {
        Ok(object) => Ok(object.view::<Value>().unwrap()["status"].take()),
        Err(windlass_core::Error::Status(status)) => {
            assert_eq!(status.reason, Reason::Invalid, "{status:?}");
            Err(status.message)
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn who_asks_is_the_one_who_asks() {
    let (client, key, stored) = made().await;
    let spec = &stored["spec"];
    assert_eq!(spec["username"], "ann");
    assert_eq!(spec["groups"], json!(["devs", "system:authenticated"]));
    assert_eq!((spec.get("uid"), spec.get("extra")), (None, None));
    let mut forged = stored;
    forged["spec"]["username"] = "system:admin".into();
    forged["spec"]["groups"] = json!(["system:masters"]);
    let updated = client.update_from(&key, &forged).await.unwrap();
    assert_eq!(updated.view::<Value>().unwrap()["spec"]["username"], "ann", "nor later");
}

#[tokio::test]
async fn a_status_approves_nothing() {
    let (client, key, _) = made().await;
    let wanted = json!({"conditions": [condition("Approved")]});
    let status = write(&client, &key, "status", wanted.clone()).await.unwrap();
    assert_eq!(status.get("conditions"), None, "{status}");
    let status = write(&client, &key, "approval", wanted).await.unwrap();
    assert_eq!(status["conditions"][0]["type"], "Approved");
    // Nor does it take an approval back.
    let status = write(&client, &key, "status", json!({})).await.unwrap();
    assert_eq!(status["conditions"][0]["type"], "Approved");
}

#[tokio::test]
async fn what_is_settled_stays() {
    let (client, key, _) = made().await;
    let denied = json!({"conditions": [condition("Denied")]});
    write(&client, &key, "approval", denied.clone()).await.unwrap();
    for wanted in [json!({}), json!({"conditions": [condition("Approved")]})] {
        let why = write(&client, &key, "approval", wanted).await.unwrap_err();
        assert!(why.contains("updates may not remove a condition of type \"Denied\""), "{why}");
    }
    let both = json!({"conditions": [condition("Denied"), condition("Approved")]});
    let why = write(&client, &key, "approval", both).await.unwrap_err();
    assert!(why.contains("mutually exclusive"), "{why}");
    let failed = json!({"conditions": [condition("Denied"), condition("Failed")]});
    write(&client, &key, "status", failed).await.unwrap();
    for part in ["approval", "status"] {
        let why = write(&client, &key, part, denied.clone()).await.unwrap_err();
        assert!(why.contains("remove a condition of type \"Failed\""), "{part}: {why}");
    }
    let mut unsure = condition("Failed");
    unsure["status"] = "False".into();
    let unsure = json!({"conditions": [condition("Denied"), unsure]});
    let why = write(&client, &key, "status", unsure).await.unwrap_err();
    assert!(why.contains("supported values: \"True\""), "{why}");
}

#[tokio::test]
async fn a_certificate_is_set_once() {
    let (client, key, _) = made().await;
    let approved = |certificate: &str| {
        let certificate = STANDARD.encode(certificate);
        json!({"conditions": [condition("Approved")], "certificate": certificate})
    };
    let status = write(&client, &key, "approval", approved("one")).await.unwrap();
    assert_eq!(status.get("certificate"), None, "not through the approval");
    write(&client, &key, "status", approved("one")).await.unwrap();
    write(&client, &key, "status", approved("one")).await.unwrap();
    let bare = json!({"conditions": [condition("Approved")]});
    for other in [approved("two"), bare] {
        let why = write(&client, &key, "status", other).await.unwrap_err();
        assert!(why.contains("may not modify existing certificate content"), "{why}");
    }
}
