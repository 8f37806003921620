use proptest::prelude::*;
use rand::{SeedableRng, rngs::SmallRng};
use serde_json::json;

use super::*;
use crate::schema::{
    decode as json_decode,
    generate::{generate, kinds},
};

const CONFIG_MAP: GroupVersionKind = GroupVersionKind::new("", "v1", "ConfigMap");

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn objects_survive_both_ways(seed: u64, kind in proptest::sample::select(kinds())) {
        let message = Schema::builtin().kind(&kind).unwrap();
        let object = generate(&mut SmallRng::seed_from_u64(seed), message, &mut 200);
        let object = json_decode::value(&kind, object).unwrap().value;
        let bytes = encode(&kind, &object).unwrap();
        prop_assert_eq!(&transcode_object(&kind, object.to_string().as_bytes()).unwrap(), &bytes);
        let (decoded_kind, decoded) = decode(None, &bytes).unwrap();
        prop_assert_eq!(&decoded_kind, &kind);
        prop_assert_eq!(&decoded, &object);
        prop_assert_eq!(decoded.to_string(), object.to_string(), "the order of keys is the same");
        prop_assert_eq!(encode(&kind, &decoded).unwrap(), bytes);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>, kind in proptest::sample::select(kinds())) {
        let enveloped = envelope(&kind.api_version(), &kind.kind, &bytes);
        if let Ok((_, object)) = decode(None, &enveloped) {
            prop_assert!(encode(&kind, &object).is_ok());
        }
    }
}

/// Written out by hand from the wire format: tag, length, content.
#[test]
fn a_config_map_is_these_bytes() {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"b": "2", "a": "1"}, "immutable": false});
    let meta = [
        b"\x0a\x01x".as_slice(),                     // name
        b"\x12\x00\x1a\x00\x22\x00\x2a\x00\x32\x00", // generateName, namespace, selfLink, uid, resourceVersion
        b"\x38\x00",                                 // generation
        b"\x42\x00",                                 // creationTimestamp
    ]
    .concat();
    let data = b"\x12\x06\x0a\x01a\x12\x011\x12\x06\x0a\x01b\x12\x012";
    let immutable = b"\x20\x00";
    let raw = [b"\x0a\x11".as_slice(), &meta, data, immutable].concat();
    let expected = [
        b"k8s\0".as_slice(),
        b"\x0a\x0f\x0a\x02v1\x12\x09ConfigMap",
        &[0x12, 37],
        &raw,
        b"\x1a\x00\x22\x00",
    ]
    .concat();
    assert_eq!(raw.len(), 37);
    assert_eq!(encode(&CONFIG_MAP, &object).unwrap(), expected);
    assert_eq!(decode(None, &expected).unwrap(), (CONFIG_MAP, object));
}

#[test]
fn an_inlined_part_and_a_negative_number_are_these_bytes() {
    let volume = Schema::builtin().message("io.k8s.api.core.v1.Volume").unwrap();
    let object = json!({"name": "v", "emptyDir": {}});
    let bytes = encode_message(volume, &object).unwrap();
    assert_eq!(bytes, b"\x0a\x01v\x12\x04\x12\x02\x0a\x00");
    assert_eq!(decode_message(volume, &bytes).unwrap(), object);
    let probe = Schema::builtin().message("io.k8s.api.core.v1.TCPSocketAction").unwrap();
    let object = json!({"port": -1});
    let bytes = encode_message(probe, &object).unwrap();
    assert_eq!(
        bytes,
        b"\x0a\x0f\x08\x00\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x1a\x00\x12\x00"
    );
    assert_eq!(decode_message(probe, &bytes).unwrap(), object);
}

#[test]
fn a_pointer_to_zero_is_kept_and_a_plain_zero_is_not() {
    let spec = Schema::builtin().message("io.k8s.api.apps.v1.DeploymentSpec").unwrap();
    let bytes = encode_message(spec, &json!({"replicas": 0, "minReadySeconds": 0})).unwrap();
    let decoded = decode_message(spec, &bytes).unwrap();
    assert_eq!(decoded["replicas"], 0);
    assert!(decoded.get("minReadySeconds").is_none());
}

#[test]
fn delete_options_are_read_in_the_envelope_of_any_version() {
    let gvk = GroupVersionKind::new("apps", "v1", "DeleteOptions");
    let bytes = envelope("apps/v1", "DeleteOptions", b"\x08\x05\x22\x0aForeground");
    let (kind, options) = decode(None, &bytes).unwrap();
    assert_eq!(kind, gvk);
    assert_eq!(options["gracePeriodSeconds"], 5);
    assert_eq!(options["propagationPolicy"], "Foreground");
}

#[test]
fn a_list_is_made_of_encoded_items() {
    let list = GroupVersionKind::new("", "v1", "ConfigMapList");
    let items: Vec<Value> = ["a", "b"].map(|name| json!({"metadata": {"name": name}})).into();
    let message = Schema::builtin().kind(&CONFIG_MAP).unwrap();
    let raws: Vec<_> =
        items.iter().map(|item| transcode(message, item.to_string().as_bytes()).unwrap()).collect();
    let metadata = json!({"resourceVersion": "7"});
    let frame = ListFrame::new(&list, &metadata, raws.iter().map(Vec::len)).unwrap();
    let raws = raws.iter().flat_map(|raw| [ListFrame::item(raw.len()), raw.clone()]);
    let bytes = [frame.head, raws.collect::<Vec<_>>().concat(), frame.tail.to_vec()].concat();
    let whole =
        json!({"apiVersion": "v1", "kind": "ConfigMapList", "metadata": metadata, "items": items});
    assert_eq!(bytes, encode(&list, &whole).unwrap());
    assert_eq!(decode(None, &bytes).unwrap().1, whole);
}

#[test]
fn frames_are_taken_off_a_stream_one_by_one() {
    let object = encode(&CONFIG_MAP, &json!({"metadata": {"name": "x"}})).unwrap();
    let frame = watch_frame("ADDED", &object);
    assert_eq!(&frame[..4], &u32::try_from(frame.len() - 4).unwrap().to_be_bytes());
    assert_eq!(&frame[4..11], b"\x0a\x05ADDED");
    let mut stream = frame.clone();
    stream.extend(watch_frame("BOOKMARK", &object));
    for cut in 0..frame.len() {
        assert_eq!(next_frame(&stream[..cut]).unwrap(), None);
    }
    let (kind, first, taken) = next_frame(&stream).unwrap().unwrap();
    assert_eq!((kind.as_str(), first.as_slice(), taken), ("ADDED", object.as_slice(), frame.len()));
    assert_eq!(next_frame(&stream[taken..]).unwrap().unwrap().0, "BOOKMARK");
    assert!(next_frame(&[0xff; 8]).is_err());
}

#[test]
fn packed_numbers_and_unknown_fields_are_read() {
    let context = Schema::builtin().message("io.k8s.api.core.v1.PodSecurityContext").unwrap();
    let groups = context.field("supplementalGroups").unwrap().number;
    assert_eq!(groups, 4);
    let decoded =
        decode_message(context, b"\x22\x03\x01\xac\x02\xa0\x7f\x01\xa5\x7f\x00\x00\x00\x00")
            .unwrap();
    assert_eq!(decoded, json!({"supplementalGroups": [1, 300]}));
}

#[test]
fn malformed_bytes_are_refused() {
    assert!(matches!(decode(None, b"{}"), Err(DecodeError::Magic)));
    assert!(matches!(decode(None, b"k8s\0\x0a\x20"), Err(DecodeError::Truncated)));
    let crd = GroupVersionKind::new("example.com", "v1", "Gizmo");
    assert!(
        matches!(decode(None, &envelope("example.com/v1", "Gizmo", b"")), Err(DecodeError::Kind(kind)) if kind == crd)
    );
    assert!(matches!(encode(&crd, &json!({})), Err(EncodeError::Kind(_))));
    let error = encode(&CONFIG_MAP, &json!({"data": {"a": 1}})).unwrap_err();
    assert_eq!(
        error.to_string(),
        "field data of ConfigMap cannot be written in protobuf: a number where a string belongs"
    );
}

#[test]
fn nesting_is_bounded() {
    let schema = json_decode::schema_props();
    let mut bytes = Vec::new();
    for _ in 0..5000 {
        let mut writer = wire::Writer::default();
        writer.bytes(28, &bytes); // not
        bytes = writer.into_bytes();
    }
    assert!(matches!(decode_message(schema, &bytes), Err(DecodeError::Malformed(_))));
}

#[test]
fn what_is_encoded_keeps_no_room() {
    let json = json!({"metadata": {"name": "a", "labels": {"a": "b"}}, "spec": {"terminationGracePeriodSeconds": 1}});
    let pod = Schema::builtin().kind(&GroupVersionKind::new("", "v1", "Pod")).unwrap();
    let bytes = transcode(pod, json.to_string().as_bytes()).unwrap();
    assert_eq!(bytes.capacity(), bytes.len());
}
