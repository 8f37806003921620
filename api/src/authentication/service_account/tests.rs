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
    assert!(keys.issued(&token) && !super::tests::keys("others").issued(&token));
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
