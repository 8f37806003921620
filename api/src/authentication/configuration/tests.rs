use super::*;
use crate::authentication::User;
use serde_json::{Value, json};

const HEAD: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n";

fn issuer(url: &str, more: Value) -> Value {
    let mut jwt = json!({"issuer": {"url": url, "audiences": ["windlass"]},
        "claimMappings": {"username": {"claim": "sub", "prefix": "one:"}}});
    for (key, value) in more.as_object().unwrap() {
        jwt[key] = value.clone();
    }
    jwt
}

fn parse(jwt: Vec<Value>) -> Result<AuthenticationConfiguration> {
    AuthenticationConfiguration::parse(&format!("{HEAD}jwt: {}\n", json!(jwt)))
}

fn user(options: &OidcOptions, claims: Value) -> std::result::Result<User, String> {
    options.rules.user(&options.mappings, claims.as_object().unwrap())
}

#[test]
fn several_providers_map_claims_by_expressions() {
    let all = parse(vec![
        issuer("https://one.example", json!({})),
        issuer(
            "https://two.example",
            json!({
                "claimMappings": {
                    "username": {"expression": "'two:' + claims.sub"},
                    "groups": {"expression": "claims.roles.split(',')"},
                    "uid": {"expression": "claims.sub"},
                    "extra": [{"key": "example.com/tenant", "valueExpression": "claims.tenant"}]},
                "claimValidationRules": [
                    {"claim": "hd", "requiredValue": "example.com"},
                    {"expression": "claims.exp - claims.nbf <= 86400", "message": "it holds too long"}],
                "userValidationRules": [{"expression":
                    "!user.username.startsWith('two:system:') && user.groups.all(g, !g.startsWith('system:'))"}],
            }),
        ),
    ])
    .unwrap();
    let [one, two] = all.issuers.as_slice() else { panic!("two") };
    assert_eq!(user(one, json!({"sub": "ann"})).unwrap().name, "one:ann");
    assert_eq!(two.required["hd"], "example.com");
    let claims = |sub: &str, roles: &str, exp: i64| json!({"sub": sub, "roles": roles, "tenant": "t", "nbf": 0, "exp": exp});
    let known = user(two, claims("7", "devs,ops", 600)).unwrap();
    assert_eq!((known.name.as_str(), known.uid.as_str()), ("two:7", "7"));
    assert_eq!(known.groups, ["devs", "ops", "system:authenticated"]);
    assert_eq!(known.extra["example.com/tenant"], ["t"]);
    for (claims, why) in [
        (claims("7", "devs", 90_000), "it holds too long"),
        (claims("system:admin", "devs", 600), "is not true"),
        (claims("7", "system:masters", 600), "is not true"),
        (json!({"sub": "7", "nbf": 0, "exp": 1}), "no such key"),
        (json!({"sub": 7, "roles": "", "nbf": 0, "exp": 1}), "oidc: "),
    ] {
        let refusal = user(two, claims.clone()).unwrap_err();
        assert!(refusal.contains(why), "{claims}: {refusal}");
    }
}

#[test]
fn what_can_not_be_is_named() {
    let mapped = |mappings: Value| json!({"claimMappings": mappings});
    let sub = json!({"claim": "sub", "prefix": ""});
    for (more, field, why) in [
        (
            mapped(json!({"username": {"claim": "sub"}})),
            "claimMappings.username",
            "prefix is required",
        ),
        (mapped(json!({"username": {}})), "claimMappings.username", "is required"),
        (
            mapped(json!({"username": {"expression": "claims.sub +"}})),
            "claimMappings.username.expression",
            "compilation failed",
        ),
        (
            mapped(json!({"username": {"expression": "1"}})),
            "claimMappings.username.expression",
            "must evaluate to a string but got int",
        ),
        (
            mapped(json!({"username": {"expression": "claims.email"}})),
            "claimMappings.username.expression",
            "claims.email_verified must be used",
        ),
        (
            mapped(
                json!({"username": sub, "extra": [{"key": "k8s.io/a", "valueExpression": "'a'"}]}),
            ),
            "claimMappings.extra[0].key",
            "reserved",
        ),
        (json!({"claimValidationRules": [{}]}), "claimValidationRules[0]", "either"),
        (
            json!({"userValidationRules": [{"expression": "'a'"}]}),
            "userValidationRules[0].expression",
            "must evaluate to bool",
        ),
        (json!({"issuer": {"url": "https://a", "audiences": []}}), "issuer.audiences", "needed"),
        (
            json!({"issuer": {"url": "https://a", "audiences": ["a", "b"]}}),
            "issuer.audienceMatchPolicy",
            "MatchAny",
        ),
    ] {
        let told = parse(vec![issuer("https://one.example", more.clone())]).unwrap_err();
        assert_eq!(told.field, format!("jwt[0].{field}"), "{more}: {told}");
        assert!(told.why.contains(why), "{more}: {told}");
    }
    let twice = vec![issuer("https://a", json!({})), issuer("https://a", json!({}))];
    assert!(parse(twice).unwrap_err().why.contains("twice"));
    let other = "apiVersion: apiserver.config.k8s.io/v1\nkind: Other\n";
    assert!(AuthenticationConfiguration::parse(other).is_err());
    assert!(AuthenticationConfiguration::parse(&format!("{HEAD}jwts: []\n")).is_err());
}

#[test]
fn anonymous_requests_have_their_paths() {
    for (text, wanted) in [
        ("", None),
        ("anonymous: {enabled: false}", Some(Anonymous::Nowhere)),
        ("anonymous: {enabled: true}", Some(Anonymous::Everywhere)),
        (
            "anonymous: {enabled: true, conditions: [{path: /livez}]}",
            Some(Anonymous::Paths(vec!["/livez".into()])),
        ),
    ] {
        let all = AuthenticationConfiguration::parse(&format!("{HEAD}{text}\n")).unwrap();
        assert_eq!(all.anonymous, wanted, "{text}");
    }
}

#[test]
fn what_the_guide_shows_is_read() {
    let guide = include_str!("../../../../docs/security.md");
    let all = guide.split("```yaml\n").filter_map(|part| part.split("```").next());
    let own = all.filter(|text| text.contains("kind: AuthenticationConfiguration"));
    let read: Vec<_> = own.map(|text| AuthenticationConfiguration::parse(text).unwrap()).collect();
    let [one] = read.as_slice() else { panic!("one example") };
    let claims = json!({"sub": "7", "hd": "example.com", "groups": ["devs"]});
    assert_eq!(user(&one.issuers[0], claims).unwrap().name, "staff:7");
    let other = json!({"sub": "7", "hd": "example.org", "groups": []});
    assert_eq!(user(&one.issuers[0], other).unwrap_err(), "oidc: staff only");
}
