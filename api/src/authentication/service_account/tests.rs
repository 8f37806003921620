use super::*;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};

fn keys(issuer: &str) -> TokenKeys {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    TokenKeys::new(issuer, &pair.serialize_pem(), &pair.public_key_pem()).expect("usable")
}

fn claims() -> Claims {
    Claims {
        aud: vec!["us".into()],
        exp: 200,
        iat: 100,
        nbf: 100,
        iss: "us".into(),
        jti: "1".into(),
        kubernetes: Private { namespace: "a".into(), ..Private::default() },
        sub: "system:serviceaccount:a:b".into(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

#[test]
fn a_token_holds_in_its_time_for_its_audience() {
    let keys = keys("us");
    let token = keys.sign(&claims()).expect("signed");
    assert_eq!(keys.read(&token, &["us"], at(150)).expect("valid"), claims());
    for (audience, second) in [("us", 99), ("us", 200), ("them", 150)] {
        assert!(keys.read(&token, &[audience], at(second)).is_err(), "{audience} {second}");
    }
    assert_eq!(keys.form(&token), Some(Form::Bound));
    assert_eq!(self::keys("others").form(&token), None);
}

#[test]
fn foreign_and_tampered_tokens_are_refused() {
    let (ours, theirs) = (keys("us"), keys("us"));
    let token = theirs.sign(&claims()).expect("signed");
    assert!(ours.read(&token, &["us"], at(150)).is_err(), "another key");
    let own = ours.sign(&claims()).expect("signed");
    let (head, signature) = own.rsplit_once('.').expect("three parts");
    for bad in
        [format!("{head}."), format!("{head}.{}", &signature[2..]), String::new(), "a.b.c".into()]
    {
        assert!(ours.read(&bad, &["us"], at(150)).is_err(), "{bad}");
    }
    // {"alg":"none"}
    let none = format!("eyJhbGciOiJub25lIn0.{}.", own.split('.').nth(1).expect("claims"));
    assert!(ours.read(&none, &["us"], at(150)).is_err());
}

/// A server with an account, and a Secret that keeps a token for it.
async fn with_kept_token() -> (ServiceAccountTokens, crate::local::LocalClient, String) {
    use serde_json::json;
    use windlass_core::client::{WriteOptions, Writer};
    let server = crate::server::ApiServer::builder().build().await.expect("a server");
    let client = crate::local::LocalClient::new(server.clone(), User::admin());
    let create = async |resource, object: serde_json::Value| {
        let key = Key::new(resource, "default", "");
        let bytes = object.to_string().into();
        client.create(&key, bytes, &WriteOptions::default()).await.expect("created")
    };
    let namespace = json!({"metadata": {"name": "default"}}).to_string().into();
    let key = Key::cluster(scheme::NAMESPACES, "");
    client.create(&key, namespace, &WriteOptions::default()).await.expect("a namespace");
    let account = create(scheme::SERVICEACCOUNTS, json!({"metadata": {"name": "bot"}})).await;
    let keys = keys("us");
    let token = keys
        .sign(&json!({
            "iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:default:bot",
            "kubernetes.io/serviceaccount/namespace": "default",
            "kubernetes.io/serviceaccount/secret.name": "kept",
            "kubernetes.io/serviceaccount/service-account.name": "bot",
            "kubernetes.io/serviceaccount/service-account.uid": account.header().uid,
        }))
        .expect("signed");
    create(scheme::SECRETS, json!({"metadata": {"name": "kept"}, "stringData": {"token": token}}))
        .await;
    let clock = server.env().clock.clone();
    let objects = Arc::new(server.objects().clone());
    (ServiceAccountTokens::new(Arc::new(keys), objects, clock), client, token)
}

#[tokio::test]
async fn a_kept_token_goes_with_its_secret() {
    use windlass_core::client::{DeleteOptions, Writer};
    let (tokens, client, token) = with_kept_token().await;
    let (user, audiences) = tokens.user(&token, &[]).await.expect("known");
    assert_eq!(user.name, "system:serviceaccount:default:bot");
    assert!(user.is_in("system:serviceaccounts:default") && user.is_in(AUTHENTICATED));
    assert_eq!(audiences, ["us"]);
    assert!(tokens.user(&token, &["them"]).await.is_err(), "meant for the server only");
    let foreign = keys("us").sign(&serde_json::json!({"iss": legacy::ISSUER})).expect("signed");
    assert!(tokens.user(&foreign, &[]).await.is_err(), "another key");
    let secret = Key::new(scheme::SECRETS, "default", "kept");
    client.delete(&secret, &DeleteOptions::default()).await.expect("deleted");
    assert!(tokens.user(&token, &[]).await.is_err(), "its Secret is gone");
}

#[test]
fn others_check_a_token_by_the_published_key() {
    let keys = keys("us");
    let token = keys.sign(&claims()).expect("signed");
    let published = crate::authentication::OpenId::new(&keys, "127.0.0.1:6443").keys;
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_slice(&published).expect("a key set");
    let head = jsonwebtoken::decode_header(&token).expect("a head");
    let key = set.find(&head.kid.expect("a key id")).expect("it is published");
    let mut rules = Validation::new(Algorithm::ES256);
    rules.set_audience(&["us"]);
    rules.validate_exp = false;
    let key = DecodingKey::from_jwk(key).expect("usable");
    let read = jsonwebtoken::decode::<Claims>(&token, &key, &rules).expect("it fits");
    assert_eq!(read.claims, claims());
}
