use super::plan::{MapView, plan};
use crate::support::ops::Op;
use crate::support::testing::entry;
use serde_json::json;
use windlass_core::cache::HeaderOnly;

#[test]
fn the_map_holds_the_authority_and_nothing_else() {
    let namespace = entry::<HeaderOnly>(json!({"metadata": {"name": "ns"}}));
    let map = |data| serde_json::from_value::<MapView>(json!({"data": data})).unwrap();
    let run = |map: Option<MapView>, pem: &str| plan(namespace.object.header(), map.as_ref(), pem);
    assert!(
        matches!(run(None, "PEM"), Some(Op::Create(_, body)) if body["data"]["ca.crt"] == "PEM")
    );
    assert_eq!(run(Some(map(json!({"ca.crt": "PEM"}))), "PEM"), None);
    assert_eq!(run(None, ""), None, "no authority, no map");
    let Some(Op::Patch(_, patch)) = run(Some(map(json!({"ca.crt": "old", "x": "y"}))), "PEM")
    else {
        panic!()
    };
    assert_eq!(patch, json!({"data": {"ca.crt": "PEM", "x": null}}));
}
