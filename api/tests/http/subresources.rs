use crate::{Http, PODS, pod};
use http::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn a_pod_is_bound_once() {
    let http = Http::start().await;
    http.post(PODS, &pod("a")).await;
    let binding = json!({"metadata": {"name": "a", "annotations": {"x": "y"}}, "target": {"kind": "Node", "name": "n"}});
    let path = format!("{PODS}/a/binding");
    let bound = http.post(&path, &binding).await;
    assert_eq!(bound["status"], "Success");
    let read = http.get(&format!("{PODS}/a")).await.json();
    assert_eq!(read["spec"]["nodeName"], "n");
    assert_eq!(read["metadata"]["annotations"]["x"], "y");
    let conditions = read["status"]["conditions"].as_array().expect("conditions");
    assert!(conditions.iter().any(|c| c["type"] == "PodScheduled" && c["status"] == "True"));
    let again = http.method(Method::POST, &path, &binding).await;
    assert_eq!(again.code, StatusCode::CONFLICT);
    let nowhere = json!({"metadata": {"name": "a"}, "target": {"name": ""}});
    let nowhere = http.method(Method::POST, &path, &nowhere).await;
    assert_eq!(nowhere.code, StatusCode::UNPROCESSABLE_ENTITY);
    let listed = http.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dn").await.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_scale_is_a_view_of_its_object() {
    let http = Http::start().await;
    let labels = json!({"app": "x"});
    let set = json!({"metadata": {"name": "r"}, "spec": {"replicas": 1, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "x"}]}}}});
    http.post("/apis/apps/v1/namespaces/default/replicasets", &set).await;
    let path = "/apis/apps/v1/namespaces/default/replicasets/r/scale";
    let mut scale = http.get(path).await.json();
    assert_eq!((&scale["kind"], &scale["apiVersion"]), (&json!("Scale"), &json!("autoscaling/v1")));
    assert_eq!(scale["status"]["selector"], "app=x");
    scale["spec"]["replicas"] = 3.into();
    let put = http.method(Method::PUT, path, &scale).await;
    assert_eq!((put.code, &put.json()["spec"]["replicas"]), (StatusCode::OK, &json!(3)));
    let stale = http.method(Method::PUT, path, &scale).await;
    assert_eq!(stale.code, StatusCode::CONFLICT);
    let patch = json!({"spec": {"replicas": 5}});
    let patched = http.patch(path, "application/merge-patch+json", &patch).await;
    assert_eq!(patched.json()["spec"]["replicas"], 5, "{}", patched.text());
    let set = http.get("/apis/apps/v1/namespaces/default/replicasets/r").await.json();
    assert_eq!((&set["spec"]["replicas"], &set["metadata"]["generation"]), (&json!(5), &json!(3)));
    let negative = json!({"spec": {"replicas": -1}});
    let refused = http.patch(path, "application/merge-patch+json", &negative).await;
    assert_eq!(refused.code, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_scale_is_applied_to_its_object() {
    let http = Http::start().await;
    let labels = json!({"app": "x"});
    let set = json!({"metadata": {"name": "r"}, "spec": {"replicas": 1, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "x"}]}}}});
    let sets = "/apis/apps/v1/namespaces/default/replicasets";
    http.post(sets, &set).await;
    let apply = "application/apply-patch+yaml";
    let scale = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "r"}, "spec": {"replicas": 4}});
    let path = format!("{sets}/r/scale?fieldManager=me");
    let conflict = http.patch(&path, apply, &scale).await;
    assert_eq!(conflict.code, StatusCode::CONFLICT, "{}", conflict.text());
    assert_eq!(conflict.json()["details"]["causes"][0]["field"], ".spec.replicas");
    let forced = http.patch(&format!("{path}&force=true"), apply, &scale).await;
    assert_eq!((forced.code, &forced.json()["kind"]), (StatusCode::OK, &json!("Scale")));
    assert_eq!(forced.json()["spec"]["replicas"], 4);
    let set = http.get(&format!("{sets}/r")).await.json();
    assert_eq!(set["spec"]["replicas"], 4);
    let entries = set["metadata"]["managedFields"].as_array().expect("entries");
    let mine = entries.iter().find(|entry| entry["manager"] == "me").expect("an entry");
    assert_eq!(
        (&mine["operation"], &mine["subresource"], &mine["apiVersion"], &mine["fieldsV1"]),
        (
            &json!("Apply"),
            &json!("scale"),
            &json!("apps/v1"),
            &json!({"f:spec": {"f:replicas": {}}})
        )
    );
    let other = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {"replicas": 4}});
    assert_eq!(http.patch(&path, apply, &other).await.code, StatusCode::BAD_REQUEST);
    let none = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 4}});
    let none = http.patch(&format!("{sets}/none/scale?fieldManager=me"), apply, &none).await;
    assert_eq!(none.code, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_posted_is_about_the_named_pod() {
    let http = Http::start().await;
    http.post(PODS, &pod("a")).await;
    for (part, kind) in [("binding", "Binding"), ("eviction", "Eviction")] {
        for metadata in [json!({}), json!({"name": "b"})] {
            let object = json!({"metadata": metadata});
            let read = http.method(Method::POST, &format!("{PODS}/a/{part}"), &object).await;
            assert_eq!(read.code, StatusCode::BAD_REQUEST, "{}", read.text());
            let text = format!("name in URL does not match name in {kind} object");
            assert_eq!(read.json()["message"], text);
        }
    }
}

#[tokio::test]
async fn an_eviction_asks_the_budget() {
    let http = Http::start().await;
    let mut running = pod("a");
    running["spec"]["nodeName"] = "n".into();
    http.post(PODS, &running).await;
    let merge = "application/merge-patch+json";
    http.patch(&format!("{PODS}/a/status"), merge, &json!({"status": {"phase": "Running"}})).await;
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    let budget = json!({"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}});
    http.post(budgets, &budget).await;
    let evict = || async {
        let eviction = json!({"metadata": {"name": "a"}});
        http.method(Method::POST, &format!("{PODS}/a/eviction"), &eviction).await
    };
    let refused = evict().await;
    assert_eq!(refused.code, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text());
    let status = json!({"status": {"observedGeneration": 1, "disruptionsAllowed": 1}});
    http.patch(&format!("{budgets}/b/status"), merge, &status).await;
    let only_asked = json!({"metadata": {"name": "a"}, "deleteOptions": {"dryRun": ["All"]}});
    let asked = http.method(Method::POST, &format!("{PODS}/a/eviction"), &only_asked).await;
    assert_eq!(asked.code, StatusCode::CREATED, "{}", asked.text());
    let budget = http.get(&format!("{budgets}/b")).await.json();
    assert_eq!(budget["status"]["disruptionsAllowed"], 1, "nothing was taken");
    let evicted = evict().await;
    assert_eq!(evicted.code, StatusCode::CREATED, "{}", evicted.text());
    let pod = http.get(&format!("{PODS}/a")).await.json();
    assert!(pod["metadata"]["deletionTimestamp"].is_string());
    let budget = http.get(&format!("{budgets}/b")).await.json();
    assert_eq!(budget["status"]["disruptionsAllowed"], 0);
    assert!(budget["status"]["disruptedPods"]["a"].is_string());
}
