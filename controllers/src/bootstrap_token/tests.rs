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

#[derive(Deserialize)]
struct Signature {
    name: String,
    data: BTreeMap<String, String>,
    #[serde(default)]
    token: bool,
    change: Option<Value>,
}

#[test]
fn signatures_follow_the_tokens() {
    let token = token("bootstrap-token-abcdef", &[]);
    for case in cases::<Signature>(include_str!("tests/signatures.yaml")) {
        let tokens: Vec<_> = case.token.then_some(&token).into_iter().collect();
        let wanted = case.change.map(|change| json!({"data": change}));
        assert_eq!(plan(&case.data, &tokens), wanted, "{}", case.name);
    }
}
