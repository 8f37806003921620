use super::approving::rights;
use super::cleaning::ends;
use super::signing::{Step, plan};
use super::view::CsrView;
use crate::support::testing::{at, cases};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

const YEAR: SignedDuration = SignedDuration::from_hours(24 * 365);

/// A request as the data files have it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Given {
    user: Option<String>,
    signer: String,
    request: String,
    usages: Vec<String>,
    seconds: Option<i64>,
    status: Option<Value>,
}

impl Given {
    fn csr(&self) -> CsrView {
        let user = self.user.as_deref().unwrap_or("system:node:w");
        let spec = json!({"request": STANDARD.encode(request(&self.request)), "usages": self.usages, "username": user,
            "signerName": format!("kubernetes.io/{}", self.signer), "expirationSeconds": self.seconds});
        let status = self.status.clone().unwrap_or(json!({}));
        serde_json::from_value(json!({"spec": spec, "status": status})).unwrap()
    }
}

fn request(name: &str) -> &'static str {
    match name {
        "client" => include_str!("tests/client.csr"),
        "clientnoname" => include_str!("tests/clientnoname.csr"),
        "node" => include_str!("tests/node.csr"),
        "nodetwo" => include_str!("tests/nodetwo.csr"),
        "nodename" => include_str!("tests/nodename.csr"),
        "nodedns" => include_str!("tests/nodedns.csr"),
        "nodemail" => include_str!("tests/nodemail.csr"),
        "nodenames" => include_str!("tests/nodenames.csr"),
        "nodeuri" => include_str!("tests/nodeuri.csr"),
        "rubbish" => "rubbish",
        other => panic!("there is no {other}.csr"),
    }
}

#[derive(Deserialize)]
struct Signing {
    name: String,
    #[serde(flatten)]
    given: Given,
    fails: Option<String>,
    holds: Option<i64>,
}

#[test]
fn signers_take_what_kubernetes_signers_take() {
    for Signing { name, mut given, fails, holds } in cases(include_str!("tests/signing.yaml")) {
        let approved = json!({"conditions": [{"type": "Approved", "status": "True"}]});
        given.status.get_or_insert(approved);
        let wanted = match (fails, holds) {
            (Some(why), _) => Step::Fail(why),
            (None, Some(seconds)) => Step::Sign(at(-300), at(seconds)),
            (None, None) => Step::Nothing,
        };
        assert_eq!(plan(&given.csr(), YEAR, at(0)), wanted, "{name}");
    }
}

#[derive(Deserialize)]
struct Approving {
    name: String,
    #[serde(flatten)]
    given: Given,
    #[serde(default)]
    rights: Vec<String>,
}

#[test]
fn a_kubelets_own_client_certificate_is_approved_by_machine() {
    for case in cases::<Approving>(include_str!("tests/approving.yaml")) {
        let found = rights(&case.given.csr());
        let found: Vec<_> = found.iter().map(|right| right.subresource).collect();
        assert_eq!(found, case.rights, "{}", case.name);
    }
}

#[derive(Deserialize)]
struct Cleaning {
    name: String,
    #[serde(flatten)]
    given: Given,
    ends: i64,
}

#[test]
fn settled_requests_stay_for_an_hour() {
    for case in cases::<Cleaning>(include_str!("tests/cleaning.yaml")) {
        let given = Given { request: "client".into(), ..case.given };
        assert_eq!(ends(&given.csr(), at(0)), at(case.ends).as_second(), "{}", case.name);
    }
}
