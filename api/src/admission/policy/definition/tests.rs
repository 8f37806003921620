use super::*;
use crate::admission::expression::Input;
use crate::admission::testing::Ask;
use crate::admission::view::View;
use crate::server::ApiServer;
use serde_json::{Value, json};
use windlass_core::scheme::CONFIGMAPS;

fn objects(version: &str, spec: Value) -> Objects {
    let object = json!({"apiVersion": "v1", "kind": "X",
        "metadata": {"name": "x", "resourceVersion": version}, "spec": spec});
    let object = Object::from_wire(object.to_string().into()).unwrap();
    [("x".to_owned(), Arc::new(object))].into()
}

#[tokio::test]
async fn nobody_gets_past_what_cannot_be_read() {
    let bound = objects("1", json!({"policyName": "x", "validationActions": ["Warn"]}));
    let mut policies = Policies::default();
    let broken = |version| objects(version, json!({"validations": 5}));
    let [Bound { policy, .. }] = &policies.make(&broken("2"), &bound)[..] else {
        panic!("one policy")
    };
    let server = ApiServer::builder().build().await.unwrap();
    let map = json!({"metadata": {"name": "x", "namespace": "ns"}});
    let ask = Ask::create(CONFIGMAPS, &map);
    let held = ask.with(&server, async |request| {
        let view = View::of(request).unwrap();
        let entry = policy.matcher.takes(&view, request).await.unwrap().expect("it is about all");
        let input = Input::of(&view, &entry, request).await.unwrap();
        policy.conditions.hold(&input, None)
    });
    let why = held.await.expect_err("undecidable");
    assert!(why.contains("the policy can't be read"), "{why}");

    let whole = objects("3", json!({"validations": [{"expression": "true"}]}));
    assert_eq!(policies.make(&whole, &bound)[0].policy.validations.len(), 1);
    let stays = policies.make(&broken("4"), &bound);
    assert_eq!(stays[0].policy.validations.len(), 1, "as it was before");
}

#[test]
fn what_is_bound_unreadably_is_bound_everywhere() {
    let whole = objects("1", json!({"validations": [{"expression": "true"}]}));
    let binding = objects("2", json!({"policyName": "x", "validationActions": ["Bark"]}));
    let bound = Policies::default().make(&whole, &binding);
    assert_eq!(bound[0].bindings[0].actions, [Action::Deny]);
}
