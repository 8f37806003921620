use super::plan::plan;
use crate::support::ops::Op;
use crate::support::testing::{cases, entry};
use serde::Deserialize;
use serde_json::json;
use windlass_core::cache::HeaderOnly;
use windlass_core::client::Key;
use windlass_core::scheme;

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    deleting: bool,
    finalizers: Vec<String>,
    #[serde(default)]
    in_use: bool,
    left: Option<Vec<String>>,
}

#[test]
fn the_finalizer_goes_last() {
    for case in cases::<Case>(include_str!("tests/finalizers.yaml")) {
        let deleted = case.deleting.then_some("2027-01-15T08:00:00Z");
        let object =
            entry::<HeaderOnly>(json!({"metadata": {"name": "c", "deletionTimestamp": deleted,
            "finalizers": case.finalizers}}));
        let key = Key::new(scheme::PERSISTENTVOLUMECLAIMS, "ns", "c");
        let left = match plan(key, object.object.header(), "x/y", case.in_use) {
            Some(Op::Patch(_, patch)) => Some(patch["metadata"]["finalizers"].clone()),
            None => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(left, case.left.map(|left| json!(left)), "{}", case.name);
    }
}
