use proptest::prelude::*;
use rand::{SeedableRng, rngs::SmallRng};
use serde_json::{Map, Value, json};
use windlass_core::scheme::{GroupVersionKind, Scheme};

use super::*;

fn gvk(group: &'static str, version: &'static str, kind: &'static str) -> GroupVersionKind {
    GroupVersionKind::new(group, version, kind)
}

fn pod() -> MessageRef {
    Schema::builtin().kind(&gvk("", "v1", "Pod")).unwrap()
}

fn strict(kind: &GroupVersionKind, body: &Value) -> decode::Decoded {
    decode::strict(kind, body.to_string().as_bytes()).unwrap()
}

fn error(kind: &GroupVersionKind, body: &str) -> String {
    decode::strict(kind, body.as_bytes()).unwrap_err().to_string()
}

const POD: GroupVersionKind = GroupVersionKind::new("", "v1", "Pod");
const CONFIG_MAP: GroupVersionKind = GroupVersionKind::new("", "v1", "ConfigMap");

#[test]
fn every_built_in_kind_and_its_list_has_a_message() {
    for info in Scheme::builtin().iter() {
        let message = Schema::builtin().kind(&info.gvk());
        assert!(message.is_some(), "{}", info.gvr);
        for subresource in info.subresources.iter().filter(|sub| !sub.gvk.kind.ends_with("Options"))
        {
            assert!(Schema::builtin().kind(&subresource.gvk).is_some(), "{}", subresource.gvk);
        }
        if info.has_verb("list") {
            let list = info.gvr.group_version().with_kind(info.list_kind());
            let items = Schema::builtin().kind(&list).and_then(|list| list.field("items"));
            assert_eq!(
                items.and_then(Field::message).map(|m| m.name),
                message.map(|m| m.name),
                "{list}"
            );
        }
    }
}

#[test]
fn fields_are_found_through_inlined_parts() {
    let spec = pod().field("spec").and_then(Field::message).unwrap();
    let volume = spec.field("volumes").and_then(Field::message).unwrap();
    assert_eq!(volume.definition(), "io.k8s.api.core.v1.Volume");
    let empty_dir = volume.field("emptyDir").and_then(Field::message).unwrap();
    assert_eq!(empty_dir.field("sizeLimit").unwrap().ty, Type::Quantity);
    assert!(volume.field("volumeSource").is_none());
    assert!(Schema::builtin().messages().all(|message| message.fields().len() <= 128));
}

#[test]
fn merge_markers_are_those_of_the_api() {
    let spec = pod().field("spec").and_then(Field::message).unwrap();
    let containers = spec.field("containers").unwrap();
    assert_eq!(containers.merge.list_type, ListType::Map);
    assert_eq!(containers.merge.list_map_keys().collect::<Vec<_>>(), ["name"]);
    assert!(containers.merge.patch_strategy.merge && containers.is_granular());
    assert_eq!(containers.merge.patch_merge_key, Some("name"));
    let ports = containers.message().unwrap().field("ports").unwrap();
    assert_eq!(ports.merge.list_map_keys().collect::<Vec<_>>(), ["containerPort", "protocol"]);
    assert_eq!(ports.merge.patch_merge_key, Some("containerPort"));
    assert!(spec.field("volumes").unwrap().merge.patch_strategy.retain_keys);
    assert!(!spec.field("nodeSelector").unwrap().is_granular());
    assert!(!spec.field("tolerations").unwrap().is_granular());
    assert!(spec.field("securityContext").unwrap().is_granular());
    let selector =
        Schema::builtin().message("io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector").unwrap();
    assert!(selector.atomic);
}

#[test]
fn options_are_kinds_of_every_group() {
    let schema = Schema::builtin();
    for group in ["", "apps"] {
        assert_eq!(schema.kind(&gvk(group, "v1", "PatchOptions")).unwrap().name, "PatchOptions");
    }
    assert!(schema.kind(&gvk("example.com", "v1", "DeleteOptions")).is_some());
    assert!(schema.kind(&gvk("example.com", "v1", "Status")).is_none());
    assert!(schema.kind(&gvk("", "v1", "PodSpec")).is_none(), "a part is no kind");
}

#[test]
fn keys_come_in_order_and_empty_values_go() {
    let body = json!({
        "spec": {"containers": [{"image": "nginx", "name": "web", "env": [], "tty": false, "resources": {"limits": {"memory": "1024Mi", "cpu": 0.5}}}],
                 "nodeName": "", "terminationGracePeriodSeconds": 0, "volumes": null},
        "metadata": {"creationTimestamp": null, "labels": {"b": "2", "a": "1"}, "name": "web"},
        "kind": "Pod", "apiVersion": "v1",
    });
    let decoded = strict(&POD, &body);
    assert_eq!(
        decoded.value.to_string(),
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","labels":{"a":"1","b":"2"}},"spec":{"containers":[{"name":"web","image":"nginx","resources":{"limits":{"cpu":"500m","memory":"1Gi"}}}],"terminationGracePeriodSeconds":0},"status":{}}"#
    );
    assert_eq!(decoded.strict, Vec::<String>::new());
    assert_eq!(
        decode::value(&POD, decoded.value.clone()).unwrap(),
        decoded,
        "a second time changes nothing"
    );
}

#[test]
fn what_a_body_does_not_say_of_itself_is_added_in_front() {
    let decoded = strict(&CONFIG_MAP, &json!({"data": {"a": "b"}, "metadata": {"name": "x"}}));
    assert_eq!(
        decoded.value.to_string(),
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"b"}}"#
    );
}

#[test]
fn unknown_and_duplicate_fields_are_reported_in_the_words_of_kubernetes() {
    let body = r#"{"metadata":{"name":"a","nope":1,"labels":{"x":"1","x":"2"}},
        "spec":{"containers":[{"name":"c"},{"name":"d","image":"i","image":"j","bad":{"deep":1}}],"nope":[]}}"#;
    let decoded = decode::strict(&POD, body.as_bytes()).unwrap();
    assert_eq!(
        decoded.strict,
        [
            r#"unknown field "metadata.nope""#,
            r#"duplicate field "metadata.labels.x""#,
            r#"duplicate field "spec.containers[1].image""#,
            r#"unknown field "spec.containers[1].bad""#,
            r#"unknown field "spec.nope""#,
        ]
    );
    assert_eq!(decoded.value["metadata"]["labels"]["x"], "2");
    assert!(decoded.value["spec"].get("nope").is_none());
    let error =
        decode::strict(&CONFIG_MAP, br#"{"data":{},"data":{"a":"b"}}"#).unwrap().strict_error();
    assert_eq!(error.as_deref(), Some(r#"strict decoding error: duplicate field "data""#));
}

#[test]
fn type_errors_are_those_of_go() {
    for (kind, body, expected) in [
        (
            CONFIG_MAP,
            r#"{"data":[]}"#,
            "array into Go struct field ConfigMap.data of type map[string]string",
        ),
        (
            CONFIG_MAP,
            r#"{"data":{"a":1}}"#,
            "number into Go struct field ConfigMap.data of type string",
        ),
        (CONFIG_MAP, "[]", "array into Go value of type v1.ConfigMap"),
        (
            POD,
            r#"{"spec":{"containers":"x"}}"#,
            "string into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            POD,
            r#"{"spec":{"containers":["x"]}}"#,
            "string into Go struct field PodSpec.spec.containers of type v1.Container",
        ),
        (
            POD,
            r#"{"spec":{"containers":[{"name":7}]}}"#,
            "number into Go struct field Container.spec.containers.name of type string",
        ),
        (
            POD,
            r#"{"spec":{"restartPolicy":1}}"#,
            "number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
        ),
        (
            POD,
            r#"{"spec":{"priority":1.5}}"#,
            "number 1.5 into Go struct field PodSpec.spec.priority of type int32",
        ),
        (
            POD,
            r#"{"spec":{"priority":3000000000}}"#,
            "number 3000000000 into Go struct field PodSpec.spec.priority of type int32",
        ),
        (
            POD,
            r#"{"spec":{"hostNetwork":"yes"}}"#,
            "string into Go struct field PodSpec.spec.hostNetwork of type bool",
        ),
        (
            POD,
            r#"{"metadata":{"labels":{"a":true}}}"#,
            "bool into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            POD,
            r#"{"metadata":{"creationTimestamp":5}}"#,
            "number into Go struct field ObjectMeta.metadata.creationTimestamp of type string",
        ),
        (
            gvk("", "v1", "Service"),
            r#"{"spec":{"ports":[{"targetPort":true}]}}"#,
            "bool into Go struct field ServicePort.spec.ports.targetPort of type int32",
        ),
        (
            gvk("", "v1", "Node"),
            r#"{"status":{"capacity":[]}}"#,
            "array into Go struct field NodeStatus.status.capacity of type v1.ResourceList",
        ),
    ] {
        assert_eq!(error(&kind, body), format!("json: cannot unmarshal {expected}"));
    }
}

#[test]
fn values_that_do_not_parse_are_refused() {
    let quantity = r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"fast"}}}]}}"#;
    assert!(error(&POD, quantity).starts_with("quantities must match the regular expression"));
    let suffix = r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"1ki"}}}]}}"#;
    assert_eq!(error(&POD, suffix), "unable to parse quantity's suffix");
    assert!(
        error(&POD, r#"{"metadata":{"creationTimestamp":"today"}}"#)
            .starts_with(r#"parsing time "today" as "#)
    );
    assert_eq!(
        error(&gvk("", "v1", "Secret"), r#"{"data":{"a":"b$=="}}"#),
        "illegal base64 data at input byte 1"
    );
    assert!(error(&POD, "{").contains("EOF"));
    assert!(error(&POD, "{}x").contains("trailing"));
    let deep = format!(r#"{{"data":{}1{}}}"#, r#"{"x":"#.repeat(1000), "}".repeat(1000));
    assert!(error(&gvk("apps", "v1", "ControllerRevision"), &deep).contains("recursion limit"));
}

#[test]
fn an_apply_configuration_keeps_what_it_names() {
    let body = br#"{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{}},"spec":{"nodeName":"","containers":[{"name":"c","resources":{"limits":{"cpu":"0.5"}}}],"x":1}}"#;
    let decoded = decode::partial(&POD, body).unwrap();
    assert_eq!(
        decoded.value,
        json!({"apiVersion":"v1","kind":"Pod","metadata":{"labels":{}},"spec":{"nodeName":"","containers":[{"name":"c","resources":{"limits":{"cpu":"0.5"}}}]}})
    );
    assert_eq!(decoded.strict, [r#"unknown field "spec.x""#]);
}

#[test]
fn a_kind_that_is_not_built_in_keeps_everything() {
    let kind = gvk("example.com", "v1", "Gizmo");
    let body = br#"{"spec":{"b":null,"a":[1,{"x":1.5,"x":2}]},"metadata":{"name":"g"},"kind":"Gizmo","apiVersion":"example.com/v1"}"#;
    let decoded = decode::strict(&kind, body).unwrap();
    assert_eq!(
        decoded.value.to_string(),
        r#"{"apiVersion":"example.com/v1","kind":"Gizmo","metadata":{"name":"g"},"spec":{"b":null,"a":[1,{"x":2}]}}"#
    );
    assert_eq!(decoded.strict, [r#"duplicate field "spec.a[1].x""#]);
}

#[test]
fn json_schemas_have_three_shapes() {
    let kind = gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let schema = json!({"type": "object", "properties": {
        "a": {"type": "array", "items": {"type": "string", "default": {"free": [1, null]}}},
        "b": {"additionalProperties": true, "x-kubernetes-int-or-string": true, "$ref": "r", "minimum": 1.5},
        "c": {"additionalProperties": {"type": "integer"}, "items": [{"type": "string"}], "dependencies": {"d": ["e"], "f": {"type": "null"}}},
    }});
    let body = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x"}, "spec": {"group": "g", "scope": "Cluster",
        "names": {"plural": "p", "kind": "K"}, "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}});
    let decoded = strict(&kind, &body);
    assert_eq!(decoded.strict, Vec::<String>::new());
    assert_eq!(decoded.value["spec"]["versions"][0]["schema"]["openAPIV3Schema"], schema);
}

#[test]
fn quantities_take_their_canonical_form() {
    for (given, canonical) in [
        ("1", "1"),
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"),
        ("1000", "1k"),
        ("1500", "1500"),
        ("1e3", "1e3"),
        ("1E3", "1e3"),
        ("12e6", "12e6"),
        ("1000Ki", "1000Ki"),
        ("0", "0"),
        ("0Gi", "0"),
        ("-0.5", "-500m"),
        ("+2", "2"),
        ("0.1n", "1n"),
        ("100k", "100k"),
        ("128974848", "128974848"),
        ("129M", "129M"),
        (".5", "500m"),
        ("5.", "5"),
        ("1.1Ki", "1126400m"),
    ] {
        assert_eq!(quantity::canonical(given).as_deref(), Ok(canonical), "{given}");
    }
    for bad in ["", "x", "1x", "1.2.3", "--1", "1 Gi", ".", "e3"] {
        assert_eq!(quantity::canonical(bad), Err(quantity::QuantityError::Format), "{bad}");
    }
}

#[test]
fn times_are_written_in_utc() {
    let time = time::parse("2024-02-29T23:30:00.5+01:00").unwrap();
    assert_eq!(
        (time::seconds(time), time::micros(time)),
        ("2024-02-29T22:30:00Z".into(), "2024-02-29T22:30:00.500000Z".into())
    );
    assert!(time::parse("2024-02-30T00:00:00Z").is_none());
    assert!(time::parse("2024-02-20 00:00:00Z").is_none());
    assert!(time::parse("2024-02-20").is_none());
}

/// JSON of any shape, with keys that fields have.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9]{0,3}".prop_map(Value::from),
    ];
    let keys = "metadata|spec|status|name|labels|data|containers|items|template|nope";
    leaf.prop_recursive(6, 40, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(keys, inner, 0..5)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn decoding_twice_changes_nothing(seed: u64, kind in proptest::sample::select(generate::kinds())) {
        let message = Schema::builtin().kind(&kind).unwrap();
        let object = generate::generate(&mut SmallRng::seed_from_u64(seed), message, &mut 100);
        let once = decode::strict(&kind, object.to_string().as_bytes()).unwrap();
        prop_assert_eq!(&once.strict, &Vec::<String>::new());
        let twice = decode::strict(&kind, once.value.to_string().as_bytes()).unwrap();
        prop_assert_eq!(twice.value.to_string(), once.value.to_string());
    }

    #[test]
    fn any_json_is_decoded_or_refused(body in any_json(), kind in proptest::sample::select(generate::kinds())) {
        let text = body.to_string();
        if let Ok(decoded) = decode::strict(&kind, text.as_bytes()) {
            prop_assert!(decoded.value.is_object());
            prop_assert!(protobuf::encode(&kind, &decoded.value).is_ok());
            prop_assert_eq!(decode::value(&kind, body).unwrap().value, decoded.value);
        }
    }
}

#[test]
fn every_stored_object_starts_the_same_way() {
    for info in Scheme::builtin().iter().filter(|info| info.has_verb("list")) {
        let body = r#"{"metadata":{"name":"x"}}"#;
        let text = decode::strict(&info.gvk(), body.as_bytes()).unwrap().value.to_string();
        let start = format!(
            r#"{{"apiVersion":"{}","kind":"{}","metadata":{{"#,
            info.gvk().api_version(),
            info.kind
        );
        assert!(text.starts_with(&start), "{text}");
    }
    let body = br#"{"apiVersion":"example.com/v1","kind":"Gizmo","spec":1,"metadata":{}}"#;
    let custom = decode::strict(&gvk("example.com", "v1", "Gizmo"), body).unwrap();
    assert!(
        custom
            .value
            .to_string()
            .starts_with(r#"{"apiVersion":"example.com/v1","kind":"Gizmo","metadata":{}"#)
    );
}

#[test]
fn null_is_the_empty_object_and_what_is_no_object_is_refused() {
    assert_eq!(
        decode::strict(&CONFIG_MAP, b"null").unwrap().value,
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}})
    );
    let error = decode::schemaless(b"[1]").unwrap_err().to_string();
    assert_eq!(error, "json: cannot unmarshal array into Go value of type map[string]interface {}");
}

#[test]
fn an_object_that_patches_nested_too_deeply_is_refused() {
    let wrap = |name: &str, value| Value::Object(Map::from_iter([(name.to_owned(), value)]));
    let data = (0..1000).fold(json!(1), |data, _| wrap("x", data));
    let revision = gvk("apps", "v1", "ControllerRevision");
    let error = decode::value(&revision, wrap("data", data)).unwrap_err();
    assert!(matches!(error, decode::DecodeError::Depth));
}
