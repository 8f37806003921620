use std::{collections::HashSet, sync::Arc};

use serde_json::{Value, json};
use windlass_core::scheme::{GroupVersion, ResourceInfo, Scheme};

use super::*;

fn resources() -> Vec<Arc<ResourceInfo>> {
    Scheme::builtin().iter().cloned().collect()
}

fn some(groups: &[&str]) -> OpenApi {
    OpenApi::new(
        resources().into_iter().filter(|info| groups.contains(&&*info.gvr.group)).collect(),
    )
}

fn read(document: &Document) -> Value {
    serde_json::from_slice(&document.plain().unwrap()).unwrap()
}

fn v3(open_api: &OpenApi, group: &'static str, version: &'static str) -> Value {
    read(&open_api.v3(&GroupVersion::new(group, version)).unwrap())
}

/// All references of a document, and whether what they name is there.
fn dangling(document: &Value) -> Vec<String> {
    let mut open = vec![document];
    let mut missing = Vec::new();
    while let Some(value) = open.pop() {
        match value {
            Value::Object(object) => {
                if let Some(target) = object.get("$ref").and_then(Value::as_str) {
                    let pointer = target.strip_prefix('#').unwrap();
                    missing.extend(document.pointer(pointer).is_none().then(|| target.to_owned()));
                }
                open.extend(object.values());
            }
            Value::Array(list) => open.extend(list),
            _ => {}
        }
    }
    missing
}

#[test]
fn every_kind_has_a_definition_with_its_name() {
    let all = definitions::builtin(&resources());
    for info in resources() {
        let name = definitions::name(&info.gvk());
        let definition = all.get(&name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(definition[definitions::GVK], json!([definitions::gvk(&info.gvk())]), "{name}");
    }
    assert!(all.contains_key("io.k8s.api.core.v1.PodList"));
    assert!(!all.contains_key("io.k8s.api.authentication.v1.TokenReviewList"));
}

#[test]
fn the_index_names_each_version_with_the_hash_of_its_document() {
    let open_api = some(&["", "apps", "autoscaling"]);
    let index = read(&open_api.v3_index());
    let paths: Vec<_> = index["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["api/v1", "apis/apps/v1", "apis/autoscaling/v1", "apis/autoscaling/v2"]);
    let apps = open_api.v3(&GroupVersion::new("apps", "v1")).unwrap();
    let url = format!("/openapi/v3/apis/apps/v1?hash={}", apps.hash());
    assert_eq!(index["paths"]["apis/apps/v1"]["serverRelativeURL"], url);
    assert!(open_api.v3(&GroupVersion::new("batch", "v1")).is_none());
    assert!(
        Arc::ptr_eq(&apps, &open_api.v3(&GroupVersion::new("apps", "v1")).unwrap()),
        "built once"
    );
}

#[test]
fn a_v3_document_is_whole_and_no_more() {
    let document = v3(&some(&["apps"]), "apps", "v1");
    assert_eq!(dangling(&document), Vec::<String>::new());
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert!(schemas.contains_key("io.k8s.api.core.v1.PodSpec"));
    assert!(!schemas.contains_key("io.k8s.api.core.v1.Node"));
    let patch =
        &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    assert_eq!(patch["x-kubernetes-action"], "patch");
    assert_eq!(
        patch[definitions::GVK],
        json!({"group": "apps", "kind": "Deployment", "version": "v1"})
    );
    assert!(
        patch["requestBody"]["content"].get("application/strategic-merge-patch+json").is_some()
    );
    let parameters: HashSet<_> = patch["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    assert!(parameters.is_superset(&HashSet::from([
        "name",
        "namespace",
        "dryRun",
        "fieldManager",
        "fieldValidation",
        "force"
    ])));
}

#[test]
fn definitions_carry_merge_markers_and_requirements() {
    let document = v3(&some(&[""]), "", "v1");
    let schema = |name: &str| {
        document["components"]["schemas"][format!("io.k8s.api.core.v1.{name}")].clone()
    };
    let containers = &schema("PodSpec")["properties"]["containers"];
    assert_eq!(containers["x-kubernetes-list-type"], "map");
    assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
    assert_eq!(containers["x-kubernetes-patch-strategy"], "merge");
    assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    assert_eq!(
        containers["items"],
        json!({"allOf": [{"$ref": "#/components/schemas/io.k8s.api.core.v1.Container"}]})
    );
    assert_eq!(
        schema("PodSpec")["properties"]["volumes"]["x-kubernetes-patch-strategy"],
        "merge,retainKeys"
    );
    assert_eq!(schema("PodSpec")["required"], json!(["containers"]));
    assert_eq!(schema("SecretKeySelector")["x-kubernetes-map-type"], "atomic");
    assert_eq!(schema("ConfigMap").get("required"), None, "nobody must send metadata");
    assert!(
        schema("Pod")["description"]
            .as_str()
            .unwrap()
            .starts_with("Pod is a collection of containers")
    );
    let shared = |name: &str| {
        document["components"]["schemas"][format!("io.k8s.apimachinery.pkg.{name}")].clone()
    };
    assert_eq!(shared("util.intstr.IntOrString")["format"], "int-or-string");
    assert_eq!(
        shared("api.resource.Quantity")["oneOf"],
        json!([{"type": "string"}, {"type": "number"}])
    );
    assert_eq!(shared("apis.meta.v1.Time")["format"], "date-time");
}

#[test]
fn operations_have_the_identifiers_clients_are_generated_from() {
    let operations = operations::all(&resources());
    let mut ids = HashSet::new();
    for operation in &operations {
        assert!(ids.insert(operation.id.as_str()), "{} twice", operation.id);
    }
    for id in [
        "listCoreV1NamespacedPod",
        "listCoreV1PodForAllNamespaces",
        "createAppsV1NamespacedDeployment",
        "readAppsV1NamespacedDeploymentStatus",
        "replaceRbacAuthorizationV1ClusterRole",
        "deleteBatchV1CollectionNamespacedJob",
        "patchCoreV1Node",
        "connectCoreV1GetNamespacedPodExec",
        "createCoreV1NamespacedPodEviction",
    ] {
        assert!(ids.contains(id), "{id}");
    }
}

#[test]
fn swagger_names_everything_in_words_it_has() {
    let open_api = some(&["", "apiextensions.k8s.io"]);
    let document = read(&open_api.v2());
    assert_eq!(dangling(&document), Vec::<String>::new());
    assert!(document.to_string().starts_with(r#"{"swagger":"2.0""#));
    assert!(!document.to_string().contains(r#""oneOf":["#));
    let port = &document["definitions"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"];
    assert_eq!((&port["type"], &port["format"]), (&json!("string"), &json!("int-or-string")));
    let list = &document["paths"]["/api/v1/namespaces/{namespace}/pods"]["get"];
    assert_eq!(
        list["responses"]["200"]["schema"]["$ref"],
        "#/definitions/io.k8s.api.core.v1.PodList"
    );
}

#[test]
fn custom_kinds_come_and_go() {
    let open_api = some(&["scheduling.k8s.io"]);
    let before = (open_api.v3_index().etag.clone(), open_api.v2().etag.clone());
    let mut info = ResourceInfo::clone(&resources()[2]);
    info.gvr =
        windlass_core::scheme::GroupVersionResource::new("stable.example.com", "v1", "crontabs");
    info.kind = "CronTab".into();
    info.storage = info.gvr.group_version();
    let schema = json!({"type": "object", "description": "A cron tab.", "properties": {"spec": {"type": "object", "nullable": true, "properties": {
        "cronSpec": {"type": "string"}, "port": {"x-kubernetes-int-or-string": true}}}}});
    let (resource, schema) = (info.gvr.clone(), Some(schema.to_string().into()));
    let kind = CustomKind { info: Arc::new(info), list_kind: "CronTabList".into(), schema };
    open_api.put(kind);
    let document = v3(&open_api, "stable.example.com", "v1");
    assert_eq!(dangling(&document), Vec::<String>::new());
    let definition = &document["components"]["schemas"]["com.example.stable.v1.CronTab"];
    assert_eq!(definition["properties"]["spec"]["properties"]["cronSpec"]["type"], "string");
    assert_eq!(definition[definitions::GVK][0]["kind"], "CronTab");
    let patch = &document["paths"]["/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}"]
        ["patch"];
    assert!(
        patch["requestBody"]["content"].get("application/strategic-merge-patch+json").is_none()
    );
    let v2 = read(&open_api.v2());
    assert_eq!(dangling(&v2), Vec::<String>::new());
    let spec = &v2["definitions"]["com.example.stable.v1.CronTab"]["properties"]["spec"];
    assert_eq!(spec, &json!({}), "a client would refuse null if it knew a type");
    assert_ne!(open_api.v3_index().etag, before.0);
    open_api.remove(&resource);
    assert_eq!((open_api.v3_index().etag.clone(), open_api.v2().etag.clone()), before);
}

#[test]
fn kinds_without_a_schema_may_hold_anything() {
    let mut info = ResourceInfo::clone(&resources()[2]);
    info.gvr = windlass_core::scheme::GroupVersionResource::new("example.com", "v1", "gizmos");
    info.kind = "Gizmo".into();
    let open_api = OpenApi::new(vec![Arc::new(info)]);
    let v2 = read(&open_api.v2());
    assert_eq!(dangling(&v2), Vec::<String>::new());
    assert_eq!(dangling(&v3(&open_api, "example.com", "v1")), Vec::<String>::new());
    let gizmo = &v2["definitions"]["com.example.v1.Gizmo"];
    assert_eq!(gizmo["x-kubernetes-preserve-unknown-fields"], true);
}

/// Written out by hand from gnostic's schema.
#[test]
fn swagger_in_protobuf_is_these_bytes() {
    let document = json!({
        "swagger": "2.0",
        "info": {"title": "K", "version": "v"},
        "paths": {"/a": {"get": {"operationId": "g", "x-kubernetes-action": "get",
            "parameters": [{"name": "n", "in": "path", "type": "string", "required": true}]}}},
        "definitions": {"d": {"type": "array", "items": {"$ref": "#/definitions/d"}, "required": ["r"]}},
    });
    let action = b"\x6a\x1e\x0a\x13x-kubernetes-action\x12\x07\x12\x05\"get\"";
    let parameter = b"\x42\x19\x0a\x17\x12\x15\x22\x13\x08\x01\x12\x04path\x22\x01n\x2a\x06string";
    let operation = [b"\x2a\x01g".as_slice(), parameter, action].concat();
    let item = [&[0x12, u8::try_from(operation.len()).unwrap()][..], &operation].concat();
    let path = [b"\x0a\x02/a\x12".as_slice(), &[u8::try_from(item.len()).unwrap()], &item].concat();
    let paths = [&[0x12, u8::try_from(path.len()).unwrap()][..], &path].concat();
    let definition =
        b"\x9a\x01\x01r\xb2\x01\x07\x0a\x05array\xba\x01\x13\x0a\x11\x0a\x0f#/definitions/d";
    let named =
        [b"\x0a\x01d\x12".as_slice(), &[u8::try_from(definition.len()).unwrap()], definition]
            .concat();
    let definitions = [&[0x0a, u8::try_from(named.len()).unwrap()][..], &named].concat();
    let expected = [
        b"\x0a\x032.0\x12\x06\x0a\x01K\x12\x01v".as_slice(),
        &[0x42, u8::try_from(paths.len()).unwrap()],
        &paths,
        &[0x4a, u8::try_from(definitions.len()).unwrap()],
        &definitions,
    ]
    .concat();
    assert_eq!(gnostic::encode(&document), expected);
}
