use super::signature::detached;
use super::signing::plan;
use super::token::Token;
use crate::support::testing::{at, entry};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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

#[test]
fn a_token_signs_in_its_time() {
    let name = "bootstrap-token-abcdef";
    let later = at(60).to_string();
    for (name, more, signs, over) in [
        (name, vec![], true, false),
        (name, vec![("expiration", later.as_str())], true, false),
        (name, vec![("expiration", "2020-01-01T00:00:00Z")], false, true),
        (name, vec![("expiration", "soon")], false, true),
        (name, vec![("usage-bootstrap-signing", "false")], false, false),
        (name, vec![("token-secret", "")], false, false),
        ("bootstrap-token-other", vec![], false, false),
        ("abcdef", vec![], false, false),
    ] {
        let token = token(name, &more);
        assert_eq!((token.signs(at(0)), token.is_over(at(0))), (signs, over), "{name} {more:?}");
    }
    assert!(token(name, &[("expiration", &later)]).is_over(at(60)));
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
