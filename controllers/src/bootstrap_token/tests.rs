use super::signature::detached;
use super::signing::plan;
use super::token::Token;
use crate::support::testing::{at, cases, entry};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use windlass_core::cache::HeaderOnly;

fn token(name: &str, more: &[(&str, &str)]) -> Token {
    let mut data = BTreeMap::from([
        ("token-id", "abcdef"),
        ("token-secret", "0123456789abcdef"),
        ("usage-bootstrap-signing", "true"),
    ]);
    data.extend(more.iter().copied());
    let data: BTreeMap<_, _> = data.into_iter().map(|(k, v)| (k, STANDARD.encode(v))).collect();
    let secret = json!({"metadata": {"name": name, "namespace": "kube-system"}, "data": data});
    Token::of(&entry::<HeaderOnly>(secret).object).unwrap()
}

#[derive(Deserialize)]
struct Case {
    name: String,
    secret: Option<String>,
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    signs: bool,
    #[serde(default)]
    over: bool,
}

#[test]
fn a_token_signs_in_its_time() {
    for case in cases::<Case>(include_str!("tests/tokens.yaml")) {
        let name = case.secret.unwrap_or("bootstrap-token-abcdef".into());
        let more: Vec<_> = case.data.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let token = token(&name, &more);
        let found = (token.signs(at(0)), token.is_over(at(0)));
        assert_eq!(found, (case.signs, case.over), "{}", case.name);
    }
    let later = at(60).to_string();
    let token = token("bootstrap-token-abcdef", &[("expiration", &later)]);
    assert!(!token.is_over(at(59)) && token.is_over(at(60)));
}

#[test]
fn signatures_follow_the_tokens() {
    // As `openssl dgst -sha256 -hmac` makes it.
    let signed = detached("payload", "abcdef", "0123456789abcdef");
    assert_eq!(
        signed,
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9..pQpAf41KnbpDpf53Otu_ufAeAbWD9CSytTS_WpoG4Mc"
    );
    let data = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    let token = token("bootstrap-token-abcdef", &[]);
    let bare = data(&[("kubeconfig", "payload"), ("jws-kubeconfig-gone00", "x")]);
    let change = plan(&bare, &[&token]).unwrap();
    let expected =
        json!({"data": {"jws-kubeconfig-abcdef": signed, "jws-kubeconfig-gone00": Value::Null}});
    assert_eq!(change, expected);
    let right = data(&[("kubeconfig", "payload"), ("jws-kubeconfig-abcdef", &signed)]);
    assert_eq!(plan(&right, &[&token]), None);
    assert_eq!(plan(&data(&[]), &[&token]), None, "there is nothing to sign");
}
