use super::plan::plan;
use crate::support::ops::Op;
use crate::support::testing::entry;
use serde_json::json;
use windlass_core::cache::HeaderOnly;
use windlass_core::client::Key;
use windlass_core::scheme;

#[test]
fn the_finalizer_goes_last() {
    let run = |deleting: bool, finalizers: &[&str], in_use: bool| {
        let deleted = deleting.then_some("2027-01-15T08:00:00Z");
        let object = entry::<HeaderOnly>(
            json!({"metadata": {"name": "c", "deletionTimestamp": deleted, "finalizers": finalizers}}),
        );
        match plan(
            Key::new(scheme::PERSISTENTVOLUMECLAIMS, "ns", "c"),
            object.object.header(),
            "x/y",
            in_use,
        ) {
            Some(Op::Patch(_, patch)) => Some(patch["metadata"]["finalizers"].clone()),
            _ => None,
        }
    };
    assert_eq!(run(false, &[], false), Some(json!(["x/y"])));
    assert_eq!(run(false, &["x/y"], true), None);
    assert_eq!(run(true, &["x/y", "a/b"], true), None);
    assert_eq!(run(true, &["x/y", "a/b"], false), Some(json!(["a/b"])));
    assert_eq!(run(true, &[], false), None);
}
