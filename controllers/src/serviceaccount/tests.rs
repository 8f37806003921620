use super::plan::plan;
use crate::support::ops::Op;
use crate::support::testing::{cases, entry};
use serde::Deserialize;
use serde_json::json;
use windlass_core::cache::HeaderOnly;

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    deleting: bool,
    #[serde(default)]
    has: bool,
    makes: bool,
}

#[test]
fn a_namespace_that_stays_has_an_account() {
    for case in cases::<Case>(include_str!("tests/cases.yaml")) {
        let deleted = case.deleting.then_some("2027-01-15T08:00:00Z");
        let namespace =
            entry::<HeaderOnly>(json!({"metadata": {"name": "ns", "deletionTimestamp": deleted}}));
        let made = match plan(namespace.object.header(), case.has) {
            Some(Op::Create(key, _)) => Some(key.to_string()),
            None => None,
            other => panic!("{other:?}"),
        };
        let wanted = case.makes.then_some("serviceaccounts/ns/default");
        assert_eq!(made.as_deref(), wanted, "{}", case.name);
    }
}
