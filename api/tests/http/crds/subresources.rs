use super::*;

#[tokio::test]
async fn the_status_is_written_alone() {
    let http = with_cars().await;
    http.post(CARS, &car("a", json!({"color": "red"}))).await;
    let path = format!("{CARS}/a");
    let main = http.patch(&path, MERGE, &json!({"status": {"phase": "On"}})).await.json();
    assert!(main.get("status").is_none());
    let all = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"color": "blue"}, "status": {"phase": "On"}});
    let status = http.patch(&format!("{path}/status"), MERGE, &all).await.json();
    assert_eq!(
        (&status["status"]["phase"], &status["spec"]["color"]),
        (&json!("On"), &json!("red"))
    );
    assert_eq!(
        (&status["metadata"]["generation"], status["metadata"].get("labels")),
        (&json!(1), None)
    );
    let wrong =
        http.patch(&format!("{path}/status"), MERGE, &json!({"status": {"phase": 1}})).await;
    let (code, text) = message(&wrong);
    assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text.contains("status.phase: Invalid value: \"integer\": "), "{text}");
    let managers = http.get(&path).await.json()["metadata"]["managedFields"].to_string();
    assert!(managers.contains("\"subresource\":\"status\""), "{managers}");
}

#[tokio::test]
async fn a_status_that_is_none_of_its_own_counts() {
    let http = Http::start().await;
    let mut definition = cars();
    definition["spec"]["versions"][0]["subresources"] = json!(null);
    define(&http, &definition).await;
    let mut object = car("a", json!({"color": "red"}));
    object["status"] = json!({"phase": "On"});
    assert_eq!(http.post(CARS, &object).await["status"]["phase"], "On");
    let path = format!("{CARS}/a");
    let changed = http.patch(&path, MERGE, &json!({"status": {"phase": "Off"}})).await.json();
    assert_eq!(changed["metadata"]["generation"], 2);
    assert_eq!(http.get(&format!("{path}/status")).await.code, StatusCode::NOT_FOUND);
    assert_eq!(http.get(&format!("{path}/scale")).await.code, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_scale_follows_the_paths() {
    let http = with_cars().await;
    http.post(CARS, &car("a", json!({"color": "red"}))).await;
    let (path, scale) = (format!("{CARS}/a"), format!("{CARS}/a/scale"));
    let status = json!({"status": {"doors": 2, "selector": "app=a"}});
    http.patch(&format!("{path}/status"), MERGE, &status).await;
    let read = http.get(&scale).await.json();
    assert_eq!((&read["kind"], &read["apiVersion"]), (&json!("Scale"), &json!("autoscaling/v1")));
    assert_eq!(read["spec"], json!({"replicas": 4}));
    assert_eq!(read["status"], json!({"replicas": 2, "selector": "app=a"}));
    let patched = http.patch(&scale, MERGE, &json!({"spec": {"replicas": 5}})).await;
    assert_eq!(patched.code, StatusCode::OK, "{}", patched.text());
    let after = http.get(&path).await.json();
    assert_eq!((&after["spec"]["doors"], &after["metadata"]["generation"]), (&json!(5), &json!(2)));
    let (code, _) = message(&http.patch(&scale, MERGE, &json!({"spec": {"replicas": -1}})).await);
    assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
}
