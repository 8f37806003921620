use super::approving::rights;
use super::cleaning::ends;
use super::signing::{Step, plan};
use super::view::CsrView;
use crate::support::testing::at;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde_json::{Value, json};

const CLIENT: &str = include_str!("tests/client.csr");
const CLIENT_NO_NAME: &str = include_str!("tests/clientnoname.csr");
const NODE: &str = include_str!("tests/node.csr");
const NODE_TWO: &str = include_str!("tests/nodetwo.csr");
const NODE_NAME: &str = include_str!("tests/nodename.csr");
const NODE_DNS: &str = include_str!("tests/nodedns.csr");
const NODE_MAIL: &str = include_str!("tests/nodemail.csr");
const NODE_NAMES: &str = include_str!("tests/nodenames.csr");
const NODE_URI: &str = include_str!("tests/nodeuri.csr");

const YEAR: SignedDuration = SignedDuration::from_hours(24 * 365);

fn csr(signer: &str, request: &str, usages: &[&str], status: Value) -> CsrView {
    serde_json::from_value(json!({
        "spec": {"request": STANDARD.encode(request), "signerName": format!("kubernetes.io/{signer}"),
            "usages": usages, "username": "system:node:w"},
        "status": status,
    }))
    .unwrap()
}

fn approved() -> Value {
    json!({"conditions": [{"type": "Approved", "status": "True", "lastUpdateTime": at(0).to_string()}]})
}

#[test]
fn signers_take_what_kubernetes_signers_take() {
    let (client, serving) =
        (&["digital signature", "client auth"][..], &["digital signature", "server auth"][..]);
    let (kubelet, kubelet_serving) = ("kube-apiserver-client-kubelet", "kubelet-serving");
    for (signer, request, usages, refusal) in [
        ("kube-apiserver-client", CLIENT, client, ""),
        (
            "kube-apiserver-client",
            CLIENT,
            serving,
            "invalid usage for client certificate: server auth",
        ),
        (
            "kube-apiserver-client",
            CLIENT,
            &["digital signature"],
            "missing required usage for client certificate: client auth",
        ),
        ("kube-apiserver-client", CLIENT_NO_NAME, client, "subject common name is required"),
        ("kube-apiserver-client", "rubbish", client, "PEM block type must be CERTIFICATE REQUEST"),
        (kubelet, NODE, client, ""),
        (kubelet, NODE, &["client auth", "key encipherment", "digital signature"], ""),
        (
            kubelet,
            NODE,
            &["client auth"],
            "usages did not match [client auth digital signature key encipherment]",
        ),
        (
            kubelet,
            NODE,
            serving,
            "usages did not match [client auth digital signature key encipherment]",
        ),
        (kubelet, CLIENT, client, "subject organization is not system:nodes"),
        (kubelet, NODE_TWO, client, "subject organization is not system:nodes"),
        (kubelet, NODE_NAME, client, "subject common name does not begin with system:node: "),
        (kubelet, NODE_NAMES, client, "more than one common name"),
        (kubelet_serving, NODE_NAMES, serving, "more than one common name"),
        (kubelet, NODE_DNS, client, "DNS subjectAltNames are not allowed"),
        (kubelet_serving, NODE_DNS, serving, ""),
        (kubelet_serving, NODE, serving, "DNS or IP subjectAltName is required"),
        (kubelet_serving, NODE_MAIL, serving, "Email subjectAltNames are not allowed"),
        (kubelet_serving, NODE_URI, serving, "URI subjectAltNames are not allowed"),
        (
            kubelet_serving,
            NODE_DNS,
            client,
            "usages did not match [digital signature key encipherment server auth]",
        ),
        ("legacy-unknown", NODE_URI, &["code signing"], ""),
    ] {
        let expected = match refusal {
            "" => Step::Sign(at(-300), at(0) + YEAR - SignedDuration::from_mins(5)),
            why => Step::Fail(why.into()),
        };
        let asked = csr(signer, request, usages, approved());
        assert_eq!(plan(&asked, YEAR, at(0)), expected, "{signer} {usages:?}");
    }
    let other = csr("someone", CLIENT, client, approved());
    assert_eq!(plan(&other, YEAR, at(0)), Step::Nothing, "no signer of Kubernetes'");
}

#[test]
fn only_what_is_approved_is_signed_and_once() {
    let conditions = |kinds: &[&str]| {
        let all: Vec<_> =
            kinds.iter().map(|kind| json!({"type": kind, "status": "True"})).collect();
        json!({"conditions": all})
    };
    for (status, signs) in [
        (json!({}), false),
        (conditions(&["Approved"]), true),
        (conditions(&["Denied"]), false),
        (conditions(&["Approved", "Failed"]), false),
        (
            json!({"certificate": "eA==", "conditions": [{"type": "Approved", "status": "True"}]}),
            false,
        ),
    ] {
        let asked = csr("kube-apiserver-client", CLIENT, &["client auth"], status.clone());
        assert_eq!(plan(&asked, YEAR, at(0)) != Step::Nothing, signs, "{status}");
    }
    let mut asked = csr("kube-apiserver-client", CLIENT, &["client auth"], approved());
    for (seconds, expected) in
        [(3600, 3600), (60, 600), (1 << 40, YEAR.as_secs() - 300), (36_000, 35_700)]
    {
        asked.spec.expiration_seconds = Some(seconds);
        assert_eq!(plan(&asked, YEAR, at(0)), Step::Sign(at(-300), at(expected)), "{seconds}");
    }
}

#[test]
fn a_kubelets_own_client_certificate_is_approved_by_machine() {
    let client = &["digital signature", "client auth"];
    let kubelet = "kube-apiserver-client-kubelet";
    let names =
        |csr: &CsrView| rights(csr).iter().map(|right| right.subresource).collect::<Vec<_>>();
    let own = csr(kubelet, NODE, client, json!({}));
    assert_eq!(names(&own), ["selfnodeclient", "nodeclient"]);
    let mut for_another = own.clone();
    for_another.spec.username = "system:bootstrap:abcdef".into();
    assert_eq!(names(&for_another), ["nodeclient"]);
    for other in [
        csr("kubelet-serving", NODE_DNS, &["digital signature", "server auth"], json!({})),
        csr("kube-apiserver-client", NODE, client, json!({})),
        csr(kubelet, CLIENT, client, json!({})),
        csr(kubelet, NODE_NAMES, client, json!({})),
        csr(kubelet, NODE, client, approved()),
        csr(kubelet, NODE, client, json!({"conditions": [{"type": "Denied", "status": "True"}]})),
    ] {
        assert!(names(&other).is_empty(), "{other:?}");
    }
}

#[test]
fn settled_requests_stay_for_an_hour() {
    let asked = |status: Value| csr("kube-apiserver-client", CLIENT, &["client auth"], status);
    let with = |kind: &str| json!({"conditions": [{"type": kind, "status": "True", "lastUpdateTime": at(60).to_string()}]});
    let mut issued = with("Approved");
    issued["certificate"] = "eA==".into();
    let created = at(0);
    for (status, expected) in [
        (json!({}), 24 * 3600),
        (with("Approved"), 24 * 3600),
        (with("Denied"), 3660),
        (with("Failed"), 3660),
        (issued, 3660),
    ] {
        assert_eq!(ends(&asked(status.clone()), created), at(expected).as_second(), "{status}");
    }
}
