use crate::{CONFIGMAPS, Http, PODS, config_map, pod};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use windlass_api::schema::protobuf;
use windlass_core::scheme::GroupVersionKind;

#[tokio::test]
async fn bodies_in_every_format() {
    let http = Http::start().await;
    let request = Request::post(CONFIGMAPS).header("content-type", "application/yaml");
    let yaml = http.ask(request, "metadata: {name: y}\ndata: {k: v}\n").await;
    assert_eq!((yaml.code, &yaml.json()["data"]), (StatusCode::CREATED, &json!({"k": "v"})));
    let kind = GroupVersionKind::new("", "v1", "ConfigMap");
    let body = protobuf::encode(&kind, &config_map("p")).expect("protobuf");
    let request =
        Request::post(CONFIGMAPS).header("content-type", "application/vnd.kubernetes.protobuf");
    let made = http.ask(request, body).await;
    assert_eq!((made.code, &made.json()["data"]), (StatusCode::CREATED, &json!({"k": "v"})));
}

#[tokio::test]
async fn the_status_is_another_part() {
    let http = Http::start().await;
    http.post(PODS, &pod("a")).await;
    let path = format!("{PODS}/a");
    let merge = "application/merge-patch+json";
    let both = json!({"metadata": {"annotations": {"n": "1"}}, "status": {"phase": "Running"}});
    let main = http.patch(&path, merge, &both).await.json();
    assert_eq!(main["metadata"]["annotations"]["n"], "1");
    assert_eq!(main["status"]["phase"], "Pending");
    let both = json!({"spec": {"nodeName": "n"}, "status": {"phase": "Running"}});
    let status = http.patch(&format!("{path}/status"), merge, &both).await.json();
    assert_eq!(status["status"]["phase"], "Running");
    assert_eq!(status["spec"]["nodeName"], Value::Null);
}

#[tokio::test]
async fn nothing_is_written_when_nothing_changes() {
    let http = Http::start().await;
    let made = http.post(CONFIGMAPS, &config_map("a")).await;
    let same = json!({"data": {"k": "v"}});
    let patched =
        http.patch(&format!("{CONFIGMAPS}/a"), "application/merge-patch+json", &same).await;
    assert_eq!(patched.json(), made);
}

#[tokio::test]
async fn generations_count_changes_of_what_is_wanted() {
    let http = Http::start().await;
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let labels = json!({"app": "x"});
    let deployment = json!({"metadata": {"name": "d"}, "spec": {"replicas": 1, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "x"}]}}}});
    let made = http.post(deployments, &deployment).await;
    assert_eq!(made["metadata"]["generation"], 1);
    let path = format!("{deployments}/d");
    let merge = "application/merge-patch+json";
    let label = http.patch(&path, merge, &json!({"metadata": {"labels": {"a": "b"}}})).await.json();
    assert_eq!(label["metadata"]["generation"], 1);
    let more = http.patch(&path, merge, &json!({"spec": {"replicas": 2}})).await.json();
    assert_eq!(more["metadata"]["generation"], 2);
    let status = json!({"status": {"observedGeneration": 2}});
    let seen = http.patch(&format!("{path}/status"), merge, &status).await.json();
    assert_eq!(seen["metadata"]["generation"], 2);
}

#[tokio::test]
async fn server_side_apply_makes_and_changes() {
    let http = Http::start().await;
    let path = format!("{CONFIGMAPS}/s?fieldManager=one");
    let apply = "application/apply-patch+yaml";
    let made = http.patch(&path, apply, &config_map("s")).await;
    assert_eq!(made.code, StatusCode::CREATED);
    let again = http.patch(&path, apply, &config_map("s")).await;
    assert_eq!((again.code, again.json()), (StatusCode::OK, made.json()));
    let mut other = config_map("s");
    other["data"]["k"] = "w".into();
    let two = format!("{CONFIGMAPS}/s?fieldManager=two");
    assert_eq!(http.patch(&two, apply, &other).await.code, StatusCode::CONFLICT);
    let forced = http.patch(&format!("{two}&force=true"), apply, &other).await;
    assert_eq!(forced.json()["data"]["k"], "w");
    let unnamed = http.patch(&format!("{CONFIGMAPS}/s"), apply, &other).await;
    assert_eq!(unnamed.code, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn an_apply_makes_nothing_that_was_there_before() {
    let http = Http::start().await;
    let path = format!("{CONFIGMAPS}/s?fieldManager=one");
    for meant in [json!({"name": "s", "uid": "u"}), json!({"name": "s", "resourceVersion": "5"})] {
        let mut config = config_map("s");
        config["metadata"] = meant;
        let read = http.patch(&path, "application/apply-patch+yaml", &config).await;
        assert_eq!(read.code, StatusCode::CONFLICT, "{}", read.text());
    }
    assert_eq!(http.get(&format!("{CONFIGMAPS}/s")).await.code, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn some_kinds_are_made_when_they_are_put() {
    let http = Http::start().await;
    let leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    let mut lease = json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}});
    let path = format!("{leases}/l");
    let made = http.method(Method::PUT, &path, &lease).await;
    assert_eq!(made.code, StatusCode::CREATED, "{}", made.text());
    assert!(made.json()["metadata"]["uid"].is_string());
    let blind = http.method(Method::PUT, &path, &lease).await;
    assert_eq!(blind.code, StatusCode::UNPROCESSABLE_ENTITY, "{}", blind.text());
    let expected = "leases.coordination.k8s.io \"l\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update";
    assert_eq!(blind.json()["message"], expected);
    lease["metadata"]["resourceVersion"] = made.json()["metadata"]["resourceVersion"].clone();
    lease["spec"]["holderIdentity"] = "you".into();
    let seen = http.method(Method::PUT, &path, &lease).await;
    assert_eq!(
        (seen.code, &seen.json()["spec"]["holderIdentity"]),
        (StatusCode::OK, &json!("you"))
    );
    http.method(Method::DELETE, &path, &json!({})).await;
    let gone = http.method(Method::PUT, &path, &seen.json()).await;
    assert_eq!(gone.code, StatusCode::CONFLICT, "{}", gone.text());
    let other = http.method(Method::PUT, &format!("{CONFIGMAPS}/c"), &config_map("c")).await;
    assert_eq!(other.code, StatusCode::NOT_FOUND, "{}", other.text());
    http.post(CONFIGMAPS, &config_map("c")).await;
    let blind = http.method(Method::PUT, &format!("{CONFIGMAPS}/c"), &config_map("c")).await;
    assert_eq!(blind.code, StatusCode::OK, "{}", blind.text());
}

#[tokio::test]
async fn a_deletion_answers_with_what_is_left() {
    let http = Http::start().await;
    let made = http.post(CONFIGMAPS, &config_map("a")).await;
    let gone = http.method(Method::DELETE, &format!("{CONFIGMAPS}/a"), &json!({})).await.json();
    assert_eq!((&gone["kind"], &gone["status"]), (&json!("Status"), &json!("Success")));
    let details = json!({"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]});
    assert_eq!(gone["details"], details);
    let mut running = pod("p");
    running["spec"]["nodeName"] = "n".into();
    http.post(PODS, &running).await;
    let path = format!("{PODS}/p");
    let ending = http.method(Method::DELETE, &path, &json!({"gracePeriodSeconds": 7})).await.json();
    assert_eq!(ending["metadata"]["deletionGracePeriodSeconds"], 7);
    let now =
        http.method(Method::DELETE, &format!("{path}?gracePeriodSeconds=0"), &json!({})).await;
    assert_eq!(now.json()["kind"], "Status");
}

#[tokio::test]
async fn a_namespace_ends_when_it_is_finalized() {
    let http = Http::start().await;
    let path = "/api/v1/namespaces/x";
    http.post("/api/v1/namespaces", &json!({"metadata": {"name": "x"}})).await;
    let mut ending = http.method(Method::DELETE, path, &json!({})).await.json();
    assert_eq!(ending["status"]["phase"], "Terminating");
    let late = http.method(Method::POST, "/api/v1/namespaces/x/configmaps", &config_map("a")).await;
    assert_eq!(late.code, StatusCode::FORBIDDEN);
    assert_eq!(late.json()["details"]["causes"][0]["reason"], "NamespaceTerminating");
    ending["spec"]["finalizers"] = json!([]);
    let last = http.method(Method::PUT, &format!("{path}/finalize"), &ending).await;
    assert_eq!(last.code, StatusCode::OK, "{}", last.text());
    assert_eq!(http.get(path).await.code, StatusCode::NOT_FOUND);
    let immortal = http.method(Method::DELETE, "/api/v1/namespaces/default", &json!({})).await;
    assert_eq!(immortal.code, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn fields_are_owned_in_the_version_they_were_written_in() {
    let http = Http::start().await;
    let path = |version| {
        format!("/apis/autoscaling/{version}/namespaces/default/horizontalpodautoscalers")
    };
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"});
    let old = json!({"metadata": {"name": "old"}, "spec": {
        "maxReplicas": 3, "targetCPUUtilizationPercentage": 50, "scaleTargetRef": target}});
    let made = http.post(&path("v1"), &old).await;
    let entry = &made["metadata"]["managedFields"][0];
    assert_eq!(entry["apiVersion"], "autoscaling/v1", "{made}");
    assert!(entry["fieldsV1"]["f:spec"]["f:targetCPUUtilizationPercentage"].is_object(), "{made}");
    let patch = json!({"spec": {"maxReplicas": 4}});
    let merge = "application/merge-patch+json";
    let read = http.patch(&format!("{}/old", path("v2")), merge, &patch).await.json();
    let entries = read["metadata"]["managedFields"].as_array().expect("entries");
    let versions: Vec<_> = entries.iter().map(|entry| &entry["apiVersion"]).collect();
    assert_eq!(versions, ["autoscaling/v1", "autoscaling/v2"], "{read}");
    assert!(entries[0]["fieldsV1"]["f:spec"]["f:maxReplicas"].is_null(), "{read}");
    assert!(entries[1]["fieldsV1"]["f:spec"]["f:maxReplicas"].is_object(), "{read}");
}

#[tokio::test]
async fn writers_at_once_all_get_their_change() {
    let http = Http::start().await;
    http.post(CONFIGMAPS, &config_map("a")).await;
    let path = format!("{CONFIGMAPS}/a");
    let (http, path) = (&http, &path);
    let write = |n: usize| async move {
        let patch = json!({"data": {format!("k{n}"): "v"}});
        let read = http.patch(path, "application/merge-patch+json", &patch).await;
        assert_eq!(read.code, StatusCode::OK, "{}", read.text());
    };
    futures::future::join_all((0..32).map(write)).await;
    let data = http.get(path).await.json()["data"].clone();
    assert_eq!(data.as_object().map(serde_json::Map::len), Some(33));
}
