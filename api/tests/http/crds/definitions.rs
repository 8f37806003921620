use super::*;

#[tokio::test]
async fn a_definition_is_completed_and_established() {
    let http = Http::start().await;
    assert_eq!(http.get(CARS).await.code, StatusCode::NOT_FOUND);
    let definition = define(&http, &cars()).await;
    let names = &definition["spec"]["names"];
    assert_eq!((&names["singular"], &names["listKind"]), (&json!("car"), &json!("CarList")));
    assert_eq!(definition["spec"]["conversion"], json!({"strategy": "None"}));
    assert_eq!(definition["status"]["acceptedNames"]["plural"], "cars");
    assert_eq!(definition["status"]["storedVersions"], json!(["v1"]));
    assert!(holds(&definition, "NamesAccepted"));
    assert_eq!(definition["metadata"]["generation"], 1);
    let list = http.get(CARS).await;
    assert_eq!((list.code, &list.json()["kind"]), (StatusCode::OK, &json!("CarList")));
}

/// What is wrong, and what is said of it.
type Wrong = (&'static str, Value, &'static str);

#[tokio::test]
async fn definitions_are_validated() {
    let http = Http::start().await;
    let version = "/spec/versions/0";
    let wrong: &[Wrong] = &[
        (
            "/metadata/name",
            json!("vans.example.com"),
            "metadata.name: Invalid value: \"vans.example.com\": must be spec.names.plural+\".\"+spec.group",
        ),
        (
            "/spec/group",
            json!("example"),
            "spec.group: Invalid value: \"example\": should be a domain with at least one dot",
        ),
        (
            "/spec/scope",
            json!("World"),
            "spec.scope: Unsupported value: \"World\": supported values: \"Cluster\", \"Namespaced\"",
        ),
        ("/spec/names/kind", json!(""), "spec.names.kind: Required value"),
        (
            "/spec/names/kind",
            json!("C_ar"),
            "spec.names.kind: Invalid value: \"C_ar\": may have mixed case, but should otherwise match: ",
        ),
        (
            "/spec/names/listKind",
            json!("Car"),
            "spec.names.listKind: Invalid value: \"Car\": kind and listKind may not be the same",
        ),
        (
            "/spec/names/shortNames",
            json!(["A"]),
            "spec.names.shortNames[0]: Invalid value: \"A\": ",
        ),
        (
            "/spec/preserveUnknownFields",
            json!(true),
            "spec.preserveUnknownFields: Invalid value: true: must be false",
        ),
        ("/spec/versions", json!([]), "must have exactly one version marked as storage version"),
        ("/spec/versions/0/name", json!("1"), "spec.versions[0].name: Invalid value: \"1\": "),
        (
            "/spec/versions/0/storage",
            json!(false),
            "must have exactly one version marked as storage version",
        ),
        (
            "/spec/versions/0/schema",
            json!(null),
            "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required",
        ),
        (
            "/spec/versions/0/deprecationWarning",
            json!("old"),
            "spec.versions[0].deprecationWarning: Invalid value: \"old\": can only be set for deprecated versions",
        ),
        (
            "/spec/versions/0/subresources/scale/specReplicasPath",
            json!(".status.a"),
            "specReplicasPath: Invalid value: \".status.a\": should be a json path under .spec",
        ),
        (
            "/spec/versions/0/subresources/scale/specReplicasPath",
            json!(".spec.a[0]"),
            "should be a simple json path without array notation",
        ),
        (
            "/spec/versions/0/additionalPrinterColumns/0/type",
            json!("colour"),
            "additionalPrinterColumns[0].type: Unsupported value: \"colour\"",
        ),
        (
            "/spec/versions/0/additionalPrinterColumns/0/jsonPath",
            json!("spec"),
            "additionalPrinterColumns[0].jsonPath: Invalid value: \"spec\": must be a simple json path starting with .",
        ),
        (
            "/spec/versions/0/additionalPrinterColumns/0/jsonPath",
            json!(".a[?(@.b"),
            "is an invalid path: ",
        ),
        (
            "/spec/versions/0/selectableFields/0/jsonPath",
            json!(".spec.nope"),
            "selectableFields[0].jsonPath: Invalid value: \".spec.nope\": is an invalid path: does not refer to a valid field",
        ),
        (
            "/spec/versions/0/selectableFields/0/jsonPath",
            json!(".metadata.name"),
            "must not point to fields in metadata",
        ),
        (
            "/spec/versions/0/selectableFields/0/jsonPath",
            json!(".spec.free"),
            "but it is of type object",
        ),
        (
            "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/size",
            json!({"minimum": 1}),
            "spec.validation.openAPIV3Schema.properties[spec].properties[size].type: Required value",
        ),
        (
            "/spec/conversion",
            json!({"strategy": "Magic"}),
            "spec.conversion.strategy: Unsupported value: \"Magic\"",
        ),
        (
            "/spec/conversion",
            json!({"strategy": "Webhook"}),
            "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
        ),
        (
            "/spec/conversion",
            json!({"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}}),
            "should not be set when strategy is not set to Webhook",
        ),
        (
            "/spec/conversion",
            json!({"strategy": "Webhook", "webhook": {"clientConfig": {"url": "http://a"}, "conversionReviewVersions": ["v7"]}}),
            "'https' is the only allowed URL scheme",
        ),
        (
            "/spec/conversion",
            json!({"strategy": "Webhook", "webhook": {"clientConfig": {"url": "https://a?b"}, "conversionReviewVersions": ["v7"]}}),
            "must include at least one of v1, v1beta1",
        ),
    ];
    for (at, value, expected) in wrong {
        let mut definition = cars();
        put(&mut definition, at, value.clone());
        let (code, text) = refused(&http, CRDS, &definition).await;
        assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY, "{at} {version} {text}");
        assert!(text.contains(expected), "{at} = {value}\n  expected {expected}\n  got {text}");
    }
}

/// Puts a value where a pointer leads, whether or not there is one yet.
fn put(object: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    object.pointer_mut(parent).expect("it is there")[key] = value;
}

#[tokio::test]
async fn groups_of_kubernetes_need_approval() {
    let http = Http::start().await;
    let mut definition = cars();
    definition["metadata"]["name"] = json!("cars.traffic.k8s.io");
    definition["spec"]["group"] = json!("traffic.k8s.io");
    let (_, text) = refused(&http, CRDS, &definition).await;
    assert!(
        text.contains("metadata.annotations[api-approved.kubernetes.io]: Required value"),
        "{text}"
    );
    definition["metadata"]["annotations"] = json!({"api-approved.kubernetes.io": "yes"});
    let (_, text) = refused(&http, CRDS, &definition).await;
    assert!(text.contains("Invalid value: \"yes\""), "{text}");
    definition["metadata"]["annotations"] =
        json!({"api-approved.kubernetes.io": "https://github.com/kubernetes/kubernetes/pull/1"});
    let made = define(&http, &definition).await;
    assert!(holds(&made, "KubernetesAPIApprovalPolicyConformant"), "{made}");
}

#[tokio::test]
async fn what_names_a_kind_can_not_change() {
    let http = with_cars().await;
    let path = format!("{CRDS}/cars.example.com");
    for (patch, expected) in [
        (
            json!({"spec": {"group": "other.com"}}),
            "spec.group: Invalid value: \"other.com\": field is immutable",
        ),
        (
            json!({"spec": {"scope": "Cluster"}}),
            "spec.scope: Invalid value: \"Cluster\": field is immutable",
        ),
        (
            json!({"spec": {"names": {"kind": "Van"}}}),
            "spec.names.kind: Invalid value: \"Van\": field is immutable",
        ),
    ] {
        let (code, text) = message(&http.patch(&path, MERGE, &patch).await);
        assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn a_version_with_objects_can_not_go() {
    let http = with_cars().await;
    let mut definition = http.get(&format!("{CRDS}/cars.example.com")).await.json();
    definition["spec"]["versions"][0]["name"] = json!("v2");
    let path = format!("{CRDS}/cars.example.com");
    let (_, text) = message(&http.method(Method::PUT, &path, &definition).await);
    assert!(text.contains("status.storedVersions[0]: Invalid value: \"v1\": missing from spec.versions; v1 was previously a storage version"), "{text}");
    let status = json!({"status": {"storedVersions": ["v9"]}});
    let (_, text) = message(&http.patch(&format!("{path}/status"), MERGE, &status).await);
    assert!(
        text.contains(
            "status.storedVersions: Invalid value: [\"v9\"]: must have the storage version v1"
        ),
        "{text}"
    );
}

#[tokio::test]
async fn a_name_is_given_once() {
    let http = with_cars().await;
    let mut vans = cars();
    vans["metadata"]["name"] = json!("vans.example.com");
    vans["spec"]["names"]["plural"] = json!("vans");
    http.post(CRDS, &vans).await;
    let waiting =
        until(&http, "vans.example.com", |vans| vans["status"]["conditions"].is_array()).await;
    assert!(!holds(&waiting, "NamesAccepted") && !holds(&waiting, "Established"));
    assert_eq!(http.get("/apis/example.com/v1/vans").await.code, StatusCode::NOT_FOUND);
    http.method(Method::DELETE, &format!("{CRDS}/cars.example.com"), &json!({})).await;
    until(&http, "vans.example.com", |vans| holds(vans, "Established")).await;
    assert_eq!(http.get("/apis/example.com/v1/vans").await.code, StatusCode::OK);
}

#[tokio::test]
async fn what_is_built_in_keeps_its_names() {
    let http = Http::start().await;
    let mut definition = cars();
    definition["metadata"] = json!({"name": "pods.apps.k8s.io"});
    definition["metadata"]["name"] = json!("ingresses.networking.k8s.io");
    definition["metadata"]["annotations"] = json!({"api-approved.kubernetes.io": "https://a.b/c"});
    definition["spec"]["group"] = json!("networking.k8s.io");
    definition["spec"]["names"] = json!({"plural": "ingresses", "kind": "Car"});
    http.post(CRDS, &definition).await;
    let refused =
        until(&http, "ingresses.networking.k8s.io", |one| one["status"]["conditions"].is_array())
            .await;
    assert!(!holds(&refused, "NamesAccepted"), "{refused}");
    let list = http.get("/apis/networking.k8s.io/v1/ingresses").await;
    assert_eq!(list.json()["kind"], "IngressList");
}
