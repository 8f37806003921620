use super::*;

/// Says which selectors it was told of.
struct Told;

#[async_trait]
impl Authorizer for Told {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let told = attributes.selectors.map(|all| format!("{} | {}", all.fields, all.labels));
        Decision::Allow(told.unwrap_or_default().into())
    }
}

async fn ask(of: Of, spec: Value) -> Result<Value, String> {
    let access = Access { authorizer: Arc::new(Told), of };
    let spec: Spec = serde_json::from_value(spec).expect("a spec");
    let decided = access.decide(&User::new("ann", []), &spec, "here").await;
    decided.map_err(|status| status.message)
}

fn pods(more: Value) -> Value {
    let mut about = json!({"namespace": "here", "verb": "list", "resource": "pods"});
    for (key, value) in more.as_object().expect("a map") {
        about[key] = value.clone();
    }
    json!({"resourceAttributes": about})
}

#[tokio::test]
async fn selectors_are_told_however_they_are_written() {
    let piece = |key: &str, operator: &str, values: &[&str]| json!({"key": key, "operator": operator, "values": values});
    let of = |field: &str, given: Value| pods(json!({field: given}));
    for (spec, told) in [
        (pods(json!({})), ""),
        (
            of("fieldSelector", json!({"rawSelector": "spec.nodeName=n,a!=b"})),
            "spec.nodeName=n,a!=b | ",
        ),
        (
            of(
                "fieldSelector",
                json!({"requirements": [piece("a", "In", &["b"]), piece("c", "NotIn", &["d"]),
                piece("e", "In", &["f", "g"]), piece("h", "Exists", &[])]}),
            ),
            "a=b,c!=d | ",
        ),
        (of("labelSelector", json!({"rawSelector": "a in (b,c),!d"})), " | a in (b,c),!d"),
        (
            of(
                "labelSelector",
                json!({"requirements": [piece("a", "NotIn", &["b"]), piece("c", "Exists", &[])]}),
            ),
            " | a!=b,c",
        ),
        (of("labelSelector", json!({"rawSelector": "a in"})), " | "),
    ] {
        let status = ask(Of::Anyone, spec.clone()).await.expect("decided");
        assert_eq!(status["reason"].as_str().unwrap_or_default(), told, "{spec}");
    }
    let both = json!({"rawSelector": "a=b", "requirements": [piece("a", "In", &["b"])]});
    for bad in [both, json!({})] {
        for field in ["fieldSelector", "labelSelector"] {
            let why = ask(Of::Anyone, of(field, bad.clone())).await.expect_err("refused");
            assert!(why.starts_with(&format!("spec.resourceAttributes.{field}.")), "{why}");
        }
    }
}

#[tokio::test]
async fn a_review_of_a_namespace_is_about_nothing_else() {
    let path = json!({"nonResourceAttributes": {"path": "/metrics", "verb": "get"}});
    assert!(ask(Of::Anyone, path.clone()).await.is_ok());
    let why = ask(Of::AnyoneHere, path).await.expect_err("refused");
    assert!(why.contains("nonResourceAttributes: disallowed"), "{why}");
    assert!(ask(Of::AnyoneHere, pods(json!({}))).await.is_ok());
    assert!(ask(Of::AnyoneHere, pods(json!({"namespace": "there"}))).await.is_err());
}

#[test]
fn a_review_says_of_whom_it_speaks() {
    let check = |of: Of, spec: Value| of.check(&serde_json::from_value(spec).expect("a spec"));
    for of in [Of::Anyone, Of::AnyoneHere] {
        assert!(check(of, json!({"user": "ann"})).is_ok());
        assert!(check(of, json!({"groups": ["devs"]})).is_ok());
        let refused = check(of, pods(json!({}))).expect_err("of nobody");
        assert_eq!(refused.code, 422);
        assert!(refused.message.contains("at least one of user or group"), "{}", refused.message);
    }
    assert!(check(Of::Oneself, pods(json!({}))).is_ok());
}
