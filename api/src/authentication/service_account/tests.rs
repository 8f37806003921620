use super::keys::Form;
use super::*;
use crate::local::LocalClient;
use crate::server::ApiServer;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
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
    use windlass_core::client::{DeleteOptions, Patch, PatchType, WriteOptions, Writer};
    let (tokens, client, token) = with_kept_token().await;
    let (user, audiences) = tokens.user(&token, &[]).await.expect("known");
    assert_eq!(user.name, "system:serviceaccount:default:bot");
    assert!(user.is_in("system:serviceaccounts:default") && user.is_in(AUTHENTICATED));
    assert_eq!(audiences, ["us"]);
    assert!(tokens.user(&token, &["them"]).await.is_err(), "meant for the server only");
    let foreign = keys("us").sign(&serde_json::json!({"iss": legacy::ISSUER})).expect("signed");
    assert!(tokens.user(&foreign, &[]).await.is_err(), "another key");
    let secret = Key::new(scheme::SECRETS, "default", "kept");
    for (label, good) in [(Some("2030-01-01"), false), (None, true)] {
        let labels = serde_json::json!({"metadata": {"labels": {"kubernetes.io/legacy-token-invalid-since": label}}});
        let patch = Patch { kind: PatchType::Merge, body: labels.to_string().into() };
        client.patch(&secret, patch, &WriteOptions::default()).await.expect("labelled");
        assert_eq!(tokens.user(&token, &[]).await.is_ok(), good, "{label:?}");
    }
    client.delete(&secret, &DeleteOptions::default()).await.expect("deleted");
    assert!(tokens.user(&token, &[]).await.is_err(), "its Secret is gone");
}

#[tokio::test(start_paused = true)]
async fn the_use_of_a_kept_token_is_noted_and_an_invalid_one_refused() {
    use windlass_core::client::{Patch, WriteOptions, Writer};
    use windlass_core::component::{Ready, Shutdown};
    let (tokens, client, token) = with_kept_token().await;
    let (uses, client) = (Arc::new(TokenUses::default()), Arc::new(client));
    let (clock, ready, shutdown) = (tokens.clock.clone(), Ready::default(), Shutdown::new());
    let namespace = serde_json::json!({"metadata": {"name": "kube-system"}}).to_string().into();
    let key = Key::cluster(scheme::NAMESPACES, "");
    client.create(&key, namespace, &WriteOptions::default()).await.expect("a namespace");
    let writes = uses.component(client.clone(), clock.clone());
    let running = tokio::spawn(writes.run(ready.clone(), shutdown.clone()));
    ready.wait().await;
    let name = "kube-apiserver-legacy-service-account-token-tracking";
    let map = Key::new(scheme::CONFIGMAPS, "kube-system", name);
    let map: serde_json::Value = client.get(&map).await.expect("a map").view().expect("json");
    let today = clock.now().strftime("%Y-%m-%d").to_string();
    assert_eq!(map["data"]["since"], today.as_str());

    let tokens = tokens.noting(uses);
    tokens.user(&token, &[]).await.expect("known");
    let secret = Key::new(scheme::SECRETS, "default", "kept");
    let label = async || {
        let found = client.get(&secret).await.expect("there");
        found.header().label("kubernetes.io/legacy-token-last-used").map(str::to_owned)
    };
    let noted = async {
        while label().await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), noted).await.expect("noted");
    assert_eq!(label().await, Some(today));

    let labels = serde_json::json!({"kubernetes.io/legacy-token-invalid-since": "2020-01-01"});
    let patch = Patch::merge(&serde_json::json!({"metadata": {"labels": labels}}));
    client.patch(&secret, patch, &WriteOptions::default()).await.expect("marked");
    assert!(tokens.user(&token, &[]).await.is_err());
    shutdown.cancel();
    running.await.expect("no panic").expect("it ends well");
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

const RSA: (&str, &str) = (include_str!("tests/rsa.key"), include_str!("tests/rsa.pub"));
const RSA_CERTIFICATE: &str = include_str!("tests/rsa.crt");

fn pair() -> (String, String) {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    (pair.serialize_pem(), pair.public_key_pem())
}

#[test]
fn keys_are_changed_without_refusing_a_token() {
    let (old, new) = (pair(), pair());
    let before = TokenKeys::new("us", &old.0, &old.1).expect("usable");
    let token = before.sign(&claims()).expect("signed");
    // First the new one is known, then it signs, then the old one goes.
    let known =
        TokenKeys::new("us", &old.0, &old.1).expect("usable").accept(&new.1).expect("usable");
    let changed =
        TokenKeys::new("us", &new.0, &new.1).expect("usable").accept(&old.1).expect("usable");
    let after = TokenKeys::new("us", &new.0, &new.1).expect("usable");
    let later = changed.sign(&claims()).expect("signed");
    for (keys, reads_old, reads_new) in [
        (&before, true, false),
        (&known, true, true),
        (&changed, true, true),
        (&after, false, true),
    ] {
        assert_eq!(keys.read(&token, &["us"], at(150)).is_ok(), reads_old);
        assert_eq!(keys.read(&later, &["us"], at(150)).is_ok(), reads_new);
    }
    assert_eq!(changed.published().len(), 2);
    let twice = changed.accept(&new.1).expect("usable");
    assert_eq!(twice.published().len(), 2, "one that is known already");
}

#[test]
fn rsa_keys_sign_and_read_too() {
    let keys = TokenKeys::new("us", RSA.0, RSA.1).expect("usable");
    let token = keys.sign(&claims()).expect("signed");
    let head = jsonwebtoken::decode_header(&token).expect("a head");
    assert_eq!(head.alg, Algorithm::RS256);
    assert_eq!(keys.read(&token, &["us"], at(150)).expect("valid"), claims());
    let (private, public) = pair();
    let mixed = TokenKeys::new("us", &private, &public).expect("usable");
    let mixed = mixed.accept(RSA_CERTIFICATE).expect("a certificate has a key");
    assert_eq!(mixed.read(&token, &["us"], at(150)).expect("valid"), claims());
    assert_eq!(mixed.algorithms().into_iter().collect::<Vec<_>>(), ["ES256", "RS256"]);
    let published = crate::authentication::OpenId::new(&mixed, "127.0.0.1:6443").keys;
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_slice(&published).expect("a key set");
    let key = set.find(&head.kid.expect("a key id")).expect("it is published");
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&["us"]);
    rules.validate_exp = false;
    let key = DecodingKey::from_jwk(key).expect("usable");
    assert_eq!(
        jsonwebtoken::decode::<Claims>(&token, &key, &rules).expect("it fits").claims,
        claims()
    );
    assert!(TokenKeys::new("us", RSA.0, &public).is_err(), "an RSA key does not sign as ECDSA");
}

/// The public key as a shared secret: a token that says of itself it was signed so must not be believed.
#[test]
fn a_public_key_is_no_secret() {
    let keys = TokenKeys::new("us", RSA.0, RSA.1).expect("usable");
    let secret = jsonwebtoken::EncodingKey::from_secret(RSA.1.as_bytes());
    let head = jsonwebtoken::Header::new(Algorithm::HS256);
    let forged = jsonwebtoken::encode(&head, &claims(), &secret).expect("signed");
    assert!(keys.read(&forged, &["us"], at(150)).is_err());
}

#[test]
fn an_issuer_may_change_its_name() {
    let (private, public) = pair();
    let old = TokenKeys::new("old", &private, &public).expect("usable");
    let mut said = claims();
    said.iss = "old".into();
    let token = old.sign(&said).expect("signed");
    let new = TokenKeys::new("new", &private, &public).expect("usable");
    assert!(new.read(&token, &["us"], at(150)).is_err());
    assert_eq!(new.form(&token), None);
    let both = new.accept_issuer("old").for_audiences(vec!["us".into()]);
    assert!(both.read(&token, &["us"], at(150)).is_ok());
    assert_eq!(both.form(&token), Some(Form::Bound));
    assert_eq!((both.issuer(), both.audiences()), ("new", &["us".to_owned()][..]));
}

/// A token goes with what it is bound to: a pod, a secret, a node, and its account.
#[tokio::test]
async fn a_bound_token_ends_with_what_it_is_bound_to() {
    use serde_json::json;
    use windlass_core::client::{ClientExt, DeleteOptions, Writer};
    let server = ApiServer::builder().build().await.expect("a server");
    let client = LocalClient::new(server.clone(), User::admin());
    let namespace = json!({"metadata": {"name": "default"}});
    client.create_from(&Key::cluster(scheme::NAMESPACES, ""), &namespace).await.expect("made");
    let make = async |key: Key, object: serde_json::Value| {
        let made: serde_json::Value =
            client.create_from(&key, &object).await.expect("made").view().expect("JSON");
        let text = |field: &str| made["metadata"][field].as_str().expect("it has one").to_owned();
        Bound { name: text("name"), uid: text("uid") }
    };
    let here = |resource| Key::new(resource, "default", "");
    let account = make(here(scheme::SERVICEACCOUNTS), json!({"metadata": {"name": "bot"}})).await;
    let pod =
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let pod = make(here(scheme::PODS), pod).await;
    let secret = make(here(scheme::SECRETS), json!({"metadata": {"name": "s"}})).await;
    let node = make(Key::cluster(scheme::NODES, ""), json!({"metadata": {"name": "n"}})).await;
    let keys = Arc::new(keys("us"));
    let clock = server.env().clock.clone();
    let now = clock.now().as_second();
    let token = |private: Private| {
        let kubernetes =
            Private { namespace: "default".into(), serviceaccount: account.clone(), ..private };
        let said = Claims {
            exp: now + 600,
            iat: now,
            nbf: now,
            kubernetes,
            sub: "system:serviceaccount:default:bot".into(),
            ..claims()
        };
        keys.sign(&said).expect("signed")
    };
    let gone = Bound { uid: "another".into(), ..pod.clone() };
    let of_pod = token(Private { pod: Some(pod), node: Some(gone.clone()), ..Private::default() });
    let of_secret = token(Private { secret: Some(secret), ..Private::default() });
    let of_node = token(Private { node: Some(node), ..Private::default() });
    let of_gone = token(Private { pod: Some(gone), ..Private::default() });
    let free = token(Private::default());
    let tokens = ServiceAccountTokens::new(keys.clone(), Arc::new(server.objects().clone()), clock);
    let good = async |token: &String| tokens.user(token, &[]).await.is_ok();
    for token in [&of_pod, &of_secret, &of_node, &free] {
        assert!(good(token).await);
    }
    assert!(!good(&of_gone).await, "another pod of that name");
    let (user, _) = tokens.user(&of_pod, &[]).await.expect("good");
    assert_eq!(user.extra["authentication.kubernetes.io/pod-name"], ["p"]);
    let away = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    for (key, token) in [
        (Key::new(scheme::PODS, "default", "p"), &of_pod),
        (Key::new(scheme::SECRETS, "default", "s"), &of_secret),
        (Key::cluster(scheme::NODES, "n"), &of_node),
        (Key::new(scheme::SERVICEACCOUNTS, "default", "bot"), &free),
    ] {
        client.delete(&key, &away).await.expect("deleted");
        assert!(!good(token).await, "{key} is gone");
    }
}
