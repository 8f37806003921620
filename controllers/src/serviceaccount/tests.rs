use super::plan::plan;
use crate::support::testing::entry;
use serde_json::json;
use windlass_core::cache::HeaderOnly;

#[test]
fn a_namespace_that_stays_has_an_account() {
    let here = entry::<HeaderOnly>(json!({"metadata": {"name": "ns"}}));
    let goes = entry::<HeaderOnly>(
        json!({"metadata": {"name": "ns", "deletionTimestamp": "2027-01-15T08:00:00Z"}}),
    );
    for (namespace, has, makes) in
        [(&here, false, true), (&here, true, false), (&goes, false, false)]
    {
        assert_eq!(plan(namespace.object.header(), has).is_some(), makes, "{has}");
    }
}
