use super::{CertificateApproval, CertificateSigning, CertificateSubjectRestriction};
use crate::admission::testing::Ask;
use crate::authentication::User;
use crate::authorization::{Attributes, Authorizer, Decision};
use crate::server::ApiServer;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::scheme::CERTIFICATESIGNINGREQUESTS as REQUESTS;

/// Lets a user with the name of a verb do that for the signers of one domain, and one with a signer's name for that one.
struct Signers;

#[async_trait]
impl Authorizer for Signers {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let target = attributes.resource.unwrap();
        assert_eq!(&*target.resource.resource, "signers");
        let name = target.name.as_deref().unwrap();
        let all = attributes.user.name == attributes.verb && name == "example.com/*";
        match all || attributes.user.name == name {
            true => Decision::allow(),
            false => Decision::NoOpinion(String::new()),
        }
    }
}

fn request(signer: &str, status: Value) -> Value {
    json!({"metadata": {"name": "x"}, "spec": {"signerName": signer}, "status": status})
}

#[tokio::test]
async fn only_who_may_approves_and_signs() {
    let server = ApiServer::builder().build().await.unwrap();
    let authorizer: Arc<dyn Authorizer> = Arc::new(Signers);
    let approval = CertificateApproval::new(authorizer.clone());
    let signing = CertificateSigning::new(authorizer);
    let user = |name: &str| User::new(name, []);
    let own = "example.com/one";
    for (name, signer, may) in [
        ("approve", own, true),
        (own, own, true),
        ("sign", own, false),
        ("approve", "other.com/one", false),
    ] {
        let old = request(signer, json!({}));
        let ask = Ask::update(REQUESTS, &old, &old).by(user(name));
        assert_eq!(ask.clone().of(&approval, &server).await.refusal(), "", "not through it");
        let refusal = ask.through("approval").of(&approval, &server).await.refusal();
        let why = format!(
            "certificatesigningrequests.certificates.k8s.io \"x\" is forbidden: user not permitted to approve requests with signerName \"{signer}\""
        );
        assert_eq!(refusal, if may { String::new() } else { why }, "{name} {signer}");
    }
    let signed = json!({"certificate": "c"});
    for (name, new, may) in [
        ("sign", signed.clone(), true),
        ("approve", signed, false),
        ("approve", json!({}), true),
        ("approve", json!({"conditions": [{"type": "Failed"}]}), false),
    ] {
        let (old, new) = (request(own, json!({})), request(own, new));
        let ask = Ask::update(REQUESTS, &old, &new).through("status").by(user(name));
        let refusal = ask.of(&signing, &server).await.refusal();
        assert_eq!(refusal.is_empty(), may, "{name} {new}: {refusal}");
    }
}

#[tokio::test]
async fn nobody_asks_to_be_a_master() {
    let server = ApiServer::builder().build().await.unwrap();
    let asked = |group: &str| {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::OrganizationName, group);
        let key = KeyPair::generate().unwrap();
        STANDARD.encode(params.serialize_request(&key).unwrap().pem().unwrap())
    };
    let clients = "kubernetes.io/kube-apiserver-client";
    for (signer, pem, wanted) in [
        (clients, asked("people"), ""),
        (
            clients,
            asked("system:masters"),
            "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
        ),
        ("example.com/one", asked("system:masters"), ""),
        (clients, STANDARD.encode("nothing"), "failed to parse CSR: "),
    ] {
        let request =
            json!({"metadata": {"name": "x"}, "spec": {"signerName": signer, "request": pem}});
        let ask = Ask::create(REQUESTS, &request);
        let refusal = ask.of(&CertificateSubjectRestriction, &server).await.refusal();
        assert_eq!(refusal.is_empty(), wanted.is_empty(), "{refusal}");
        assert!(refusal.contains(wanted), "{refusal}");
    }
}
