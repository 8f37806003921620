//! What is fuzzed: each takes any bytes, and must neither panic nor take long, nor make much of little.

use serde_json::{Map, Value, json};
use windlass_api::cel::{self, Environment, PER_CALL_LIMIT, RUNTIME_BUDGET, Type, Variable};
use windlass_api::patch;
use windlass_api::schema::protobuf;
use windlass_core::client::{DeleteOptions, ListOptions, WriteOptions};
use windlass_core::meta::{FieldSelector, LabelSelector, parse_duration};
use windlass_core::request::{Target, parse};
use windlass_core::scheme::GroupVersionKind;

/// No patch makes an object longer than this: as long as a body may be, with room for what copies add.
const LARGE: usize = 16 << 20;

/// JSON, merge and strategic merge patches of a pod.
pub(crate) fn patches(bytes: &[u8]) {
    let pod = GroupVersionKind::new("", "v1", "Pod");
    let now = object();
    for patched in
        [patch::json(&now, bytes), patch::merge(&now, bytes), patch::strategic(&now, bytes, &pod)]
    {
        match patched {
            Ok(object) => assert!(Value::Object(object).to_string().len() < LARGE),
            Err(status) => assert!((400..500).contains(&status.code), "{status}"),
        }
    }
}

/// Label and field selectors, durations. What is read is printed, and read again as the same.
pub(crate) fn selectors(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(selector) = LabelSelector::parse(&text) {
        let printed = selector.to_string();
        assert_eq!(LabelSelector::parse(&printed).as_ref(), Ok(&selector), "{printed}");
        selector.matches_with(|_| Some("v"));
    }
    if let Ok(selector) = FieldSelector::parse(&text) {
        selector.matches_with(|_| "v".into());
    }
    parse_duration(&text).ok();
}

/// Objects in protobuf, with and without the envelope that says what they are. What is read is written, and read
/// again as the same.
pub(crate) fn protobuf(bytes: &[u8]) {
    protobuf::open(bytes).ok();
    protobuf::next_frame(bytes).ok();
    protobuf::decode(None, bytes).ok();
    for (version, kind) in [("v1", "Pod"), ("apps/v1", "Deployment"), ("v1", "Secret")] {
        let envelope = protobuf::envelope(version, kind, bytes);
        let Ok((gvk, value)) = protobuf::decode(None, &envelope) else { continue };
        let Ok(written) = protobuf::encode(&gvk, &value) else { continue };
        let again = protobuf::decode(Some(&gvk), &written).expect("what was written is read");
        assert_eq!(again.1, value);
    }
}

/// Request lines and the options in queries.
pub(crate) fn requests(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.splitn(3, ' ');
    let method = parts.next().unwrap_or_default().parse().unwrap_or(http::Method::GET);
    let info = parse(&method, parts.next().unwrap_or_default(), parts.next());
    ListOptions::from_query(&info.query).ok();
    WriteOptions::from_query(&info.query).ok();
    serde_json::from_slice::<DeleteOptions>(bytes).ok();
    if let Target::Resource(target) = info.target {
        for part in [target.name, target.namespace].into_iter().flatten() {
            assert!(!part.contains(['/', '\0']) && part != "..", "{part:?} is no name");
        }
    }
}

/// Expressions, over an object whose fields may be of any type: what compiles ends within its budget, the same way
/// each time.
pub(crate) fn cel(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let variable = Variable { name: "self", ty: Type::Dyn, declared: None };
    let Ok(program) = Environment::new([variable]).compile(&text) else { return };
    let object = Value::Object(object());
    let run = || {
        let mut budget = RUNTIME_BUDGET;
        let value = cel::Value::from_json(&object, None);
        let result = program.eval(vec![("self", value)], &mut budget);
        assert!(RUNTIME_BUDGET - budget <= PER_CALL_LIMIT, "it used more than it may");
        (result.map(|value| value.type_name()), budget)
    };
    assert_eq!(run(), run(), "{text}");
}

/// The pod that is patched.
fn object() -> Map<String, Value> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "labels": {"a": "b"}, "finalizers": ["x", "y"]},
        "spec": {"containers": [
            {"name": "c", "image": "i", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
            {"name": "d", "image": "j", "env": [{"name": "E", "value": "1"}]},
        ], "nodeSelector": {"k": "v"}},
    });
    match pod {
        Value::Object(pod) => pod,
        _ => Map::new(),
    }
}
