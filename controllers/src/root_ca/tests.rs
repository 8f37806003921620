use super::plan::{MapView, plan};
use crate::support::ops::Op;
use crate::support::testing::{cases, entry};
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::cache::HeaderOnly;

#[derive(Deserialize)]
struct Case {
    name: String,
    map: Option<Value>,
    pem: String,
    create: Option<Value>,
    patch: Option<Value>,
}

#[test]
fn the_map_holds_the_authority_and_nothing_else() {
    let namespace = entry::<HeaderOnly>(json!({"metadata": {"name": "ns"}}));
    for case in cases::<Case>(include_str!("tests/cases.yaml")) {
        let map: Option<MapView> =
            case.map.map(|data| serde_json::from_value(json!({"data": data})).unwrap());
        let found = match plan(namespace.object.header(), map.as_ref(), &case.pem) {
            Some(Op::Create(_, body)) => (Some(body["data"].clone()), None),
            Some(Op::Patch(_, patch)) => (None, Some(patch["data"].clone())),
            None => (None, None),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, (case.create, case.patch), "{}", case.name);
    }
}
