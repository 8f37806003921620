use super::*;
use serde_json::{Value, json};

fn stored(value: Value) -> Bytes {
    let Value::Object(map) = value else { panic!("an object") };
    canonical(map)
}

fn pod() -> Value {
    json!({"spec": {"nodeName": "n"}, "kind": "Pod", "apiVersion": "v1", "metadata": {
        "name": "a", "namespace": "b", "resourceVersion": "1", "labels": {"z": "1", "app": "web"}, "finalizers": ["f"],
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", "controller": true}]}})
}

#[test]
fn the_version_is_spliced_in() {
    let object = Object::from_stored(stored(pod()), 42).expect("canonical");
    let wire: Value = serde_json::from_slice(&object.to_json()).expect("JSON");
    let mut expected = pod();
    expected["metadata"]["resourceVersion"] = "42".into();
    assert_eq!(wire, expected);
    assert_eq!(object.chunks().concat(), object.to_json());
    let mut put = bytes::BytesMut::new();
    object.put_wire(&mut put);
    assert_eq!(put, object.to_json());
    assert_eq!(object.wire_len(), put.len());
    assert_eq!(object.view::<Value>().expect("a view"), expected);
}

#[test]
fn stored_bytes_are_not_copied() {
    let bytes = stored(pod());
    let object = Object::from_stored(bytes.clone(), 2).expect("canonical");
    assert_eq!(object.stored().as_ptr(), bytes.as_ptr());
    assert_eq!(object.chunks()[0].as_ptr(), bytes.as_ptr());
}

#[test]
fn empty_metadata_takes_a_version_too() {
    let object =
        Object::from_stored(stored(json!({"kind": "X", "metadata": {}})), 7).expect("canonical");
    assert_eq!(&object.to_json()[..], br#"{"kind":"X","metadata":{"resourceVersion":"7"}}"#);
}

#[test]
fn the_header_knows_what_caches_need() {
    let object = Object::from_wire(pod().to_string().into()).expect("an object");
    let header = object.header();
    assert_eq!((object.name(), object.namespace(), header.resource_version), ("a", "b", 1));
    assert_eq!(header.label("app"), Some("web"));
    assert_eq!(header.controller().map(|owner| &*owner.name), Some("r"));
    assert!(!header.deleting);
}

#[test]
fn views_are_small_structs_or_typed_kinds() {
    #[derive(serde::Deserialize)]
    struct Bound {
        spec: Spec,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Spec {
        node_name: String,
    }
    let object = Object::from_stored(stored(pod()), 3).expect("canonical");
    assert_eq!(object.view::<Bound>().expect("a view").spec.node_name, "n");
    assert!(object.view::<crate::apis::core::v1::Pod>().is_ok());
    assert!(object.view::<crate::apis::core::v1::ConfigMap>().is_err());
    assert!(object.view::<Vec<u8>>().is_err());
}

#[test]
fn text_that_looks_like_metadata_is_left_alone() {
    let trap = r#"{"metadata":{"resourceVersion":"666"}}"#;
    let mut hostile = pod();
    hostile["metadata"]["annotations"] =
        json!({"last-applied": trap, "\"metadata\":{": "\"metadata\":{"});
    hostile["metadata"]["name"] = "\"metadata\":{".into();
    hostile["spec"] = json!({"template": {"metadata": {"resourceVersion": "inner"}}});
    let object = Object::from_stored(stored(hostile.clone()), 42).expect("canonical");
    hostile["metadata"]["resourceVersion"] = "42".into();
    let wire: Value = serde_json::from_slice(&object.to_json()).expect("JSON");
    assert_eq!((wire, object.resource_version()), (hostile, 42));
}

#[test]
fn what_was_cut_off_is_not_whole() {
    let tricky =
        json!({"metadata": {"name": "a"}, "data": {"k": "{\"\\", "l": "}}"}, "n": [{}, {}]});
    let json = stored(tricky);
    let is_whole = |json| Object::from_stored(json, 1).expect("canonical").is_whole();
    assert!(is_whole(json.clone()));
    let behind = json.windows(6).position(|w| w == b"\"data\"").expect("data");
    assert!((behind..json.len()).all(|end| !is_whole(json.slice(..end))));
}

#[test]
fn what_is_not_canonical_is_refused() {
    let inner_first = br#"{"kind":"X","spec":{"template":{"metadata":{}}},"metadata":{}}"#;
    assert!(Object::from_stored(Bytes::from_static(inner_first), 1).is_err());
    assert!(Object::from_stored(Bytes::from_static(b"{\"metadata\":null}"), 1).is_err());
    assert!(Object::from_stored(Bytes::from_static(b"{\"kind\":\"X\"}"), 1).is_err());
    assert!(Object::from_wire(Bytes::from_static(b"[]")).is_err());
}

#[test]
fn items_of_a_list_share_its_bytes() {
    let json: Bytes =
        json!({"metadata": {"resourceVersion": "9"}, "items": [pod(), pod()]}).to_string().into();
    let list = ObjectList::from_wire(&json).expect("a list");
    assert_eq!((list.items.len(), list.meta.resource_version.as_str()), (2, "9"));
    assert!(json.as_ptr_range().contains(&list.items[1].stored().as_ptr()));
}

#[test]
fn debug_keeps_secrets() {
    let secret = json!({"kind": "Secret", "metadata": {"name": "a"}, "data": {"token": "hunter2"}});
    let object = Object::from_wire(secret.to_string().into()).expect("an object");
    let shown = format!("{object:?}");
    assert!(shown.contains("Secret") && !shown.contains("hunter2"), "{shown}");
    let patch = crate::client::Patch::merge(&secret);
    assert!(!format!("{patch:?}").contains("hunter2"));
}
