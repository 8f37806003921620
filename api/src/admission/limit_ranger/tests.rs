use super::{LimitRanger, defaults, limits};
use crate::authentication::User;
use crate::local::LocalClient;
use crate::server::ApiServer;
use crate::strategy::Map;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::apis::core::v1::LimitRangeItem;
use windlass_core::client::{ClientExt, Key};
use windlass_core::scheme;

fn items(limits: Value) -> Vec<LimitRangeItem> {
    serde_json::from_value(limits).unwrap()
}

fn map(value: Value) -> Map {
    value.as_object().unwrap().clone()
}

fn pod(containers: Value, first: Value) -> Map {
    map(
        json!({"metadata": {"name": "p"}, "spec": {"containers": containers, "initContainers": first}}),
    )
}

fn container(requests: Value, limits: Value) -> Value {
    json!({"name": "c", "resources": {"requests": requests, "limits": limits}})
}

#[test]
fn what_is_missing_is_filled_in() {
    let given = items(json!([
        {"type": "Pod", "max": {"cpu": "1"}},
        {"type": "Container", "default": {"cpu": "200m", "memory": "64Mi"}, "defaultRequest": {"cpu": "100m"}},
    ]));
    let mut asked = pod(
        json!([{"name": "none"}, {"name": "some", "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}}]),
        json!([{"name": "first"}]),
    );
    defaults::fill(&mut asked, &given);
    let all = json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "200m", "memory": "64Mi"}});
    let some = json!({"requests": {"cpu": "1"}, "limits": {"cpu": "1", "memory": "64Mi"}});
    let spec = &asked["spec"];
    assert_eq!(spec["containers"][0]["resources"], all);
    assert_eq!(spec["containers"][1]["resources"], some);
    assert_eq!(spec["initContainers"][0]["resources"], all);
    assert_eq!(
        asked["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: cpu request for container none; cpu, memory limit for container none; \
            memory limit for container some; cpu request for init container first; \
            cpu, memory limit for init container first"
    );
    let before = asked.clone();
    defaults::fill(&mut asked, &given);
    assert_eq!(asked, before, "there is nothing left to do");
}

#[test]
fn containers_stay_within_bounds() {
    let cases = [
        (json!({"max": {"cpu": "1"}}), json!({}), json!({"cpu": "1000m"}), None),
        (
            json!({"max": {"cpu": "1"}}),
            json!({}),
            json!({"cpu": "2"}),
            Some("maximum cpu usage per Container is 1, but limit is 2"),
        ),
        (
            json!({"max": {"cpu": "1"}}),
            json!({"cpu": "1500m"}),
            json!({"cpu": "1"}),
            Some("maximum cpu usage per Container is 1, but request is 1500m"),
        ),
        (
            json!({"max": {"memory": "1Gi"}}),
            json!({}),
            json!({}),
            Some("maximum memory usage per Container is 1Gi.  No limit is specified"),
        ),
        (json!({"min": {"cpu": "1"}}), json!({"cpu": "1"}), json!({}), None),
        (
            json!({"min": {"cpu": "1"}}),
            json!({}),
            json!({"cpu": "1"}),
            Some("minimum cpu usage per Container is 1.  No request is specified"),
        ),
        (
            json!({"min": {"cpu": "1"}}),
            json!({"cpu": "10m"}),
            json!({}),
            Some("minimum cpu usage per Container is 1, but request is 10m"),
        ),
        (
            json!({"min": {"cpu": "1"}}),
            json!({"cpu": "1"}),
            json!({"cpu": "10m"}),
            Some("minimum cpu usage per Container is 1, but limit is 10m"),
        ),
        (
            json!({"maxLimitRequestRatio": {"cpu": "2"}}),
            json!({"cpu": "1"}),
            json!({"cpu": "2"}),
            None,
        ),
        (
            json!({"maxLimitRequestRatio": {"cpu": "2"}}),
            json!({"cpu": "500m"}),
            json!({"cpu": "1250m"}),
            Some(
                "cpu max limit to request ratio per Container is 2, but provided ratio is 2.500000",
            ),
        ),
        (
            json!({"maxLimitRequestRatio": {"cpu": "2"}}),
            json!({"cpu": "0"}),
            json!({"cpu": "1"}),
            Some(
                "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0",
            ),
        ),
        (
            json!({"maxLimitRequestRatio": {"cpu": "2"}}),
            json!({"cpu": "1"}),
            json!({}),
            Some(
                "cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0",
            ),
        ),
    ];
    for (mut limit, requests, limited, wanted) in cases {
        limit["type"] = json!("Container");
        let (limit, wanted) = (items(json!([limit])), Vec::from_iter(wanted.map(str::to_owned)));
        let one = container(requests, limited);
        assert_eq!(limits::of_pod(&pod(json!([one]), json!([])), &limit), wanted, "{one}");
        assert_eq!(limits::of_pod(&pod(json!([]), json!([one])), &limit), wanted, "first: {one}");
    }
}

#[test]
fn pods_stay_within_bounds_as_a_whole() {
    let limit = items(json!([{"type": "Pod", "max": {"cpu": "2"}}]));
    let one = |cpu: &str| container(json!({"cpu": cpu}), json!({"cpu": cpu}));
    let mut sidecar = one("1");
    sidecar["restartPolicy"] = json!("Always");
    let cases = [
        (json!([one("1"), one("1")]), json!([one("2")]), None),
        (json!([one("1"), one("1500m")]), json!([]), Some("2500m")),
        (json!([one("1")]), json!([one("3")]), Some("3")),
        (json!([one("1"), one("1")]), json!([sidecar]), Some("3")),
        (json!([one("1")]), json!([sidecar, one("2")]), Some("3")),
        (json!([one("1")]), json!([one("2"), sidecar]), None),
    ];
    for (containers, first, wanted) in cases {
        let found = limits::of_pod(&pod(containers.clone(), first.clone()), &limit);
        let wanted =
            wanted.map(|sum| format!("maximum cpu usage per Pod is 2, but limit is {sum}"));
        assert_eq!(found, Vec::from_iter(wanted), "{containers} {first}");
    }
    let mut whole = pod(json!([one("3")]), json!([]));
    whole["spec"]["resources"] = json!({"requests": {"cpu": "1"}, "limits": {"cpu": "1"}});
    assert!(limits::of_pod(&whole, &limit).is_empty(), "what it says of itself stands");
}

#[test]
fn claims_stay_within_bounds() {
    let kind = "PersistentVolumeClaim";
    let limit = items(
        json!([{"type": kind, "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}}, {"type": "Container", "max": {"storage": "1"}}]),
    );
    let cases = [
        ("1Gi", None),
        ("2Gi", None),
        (
            "512Mi",
            Some("minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 512Mi"),
        ),
        ("3Gi", Some("maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi")),
    ];
    for (size, wanted) in cases {
        let claim = map(json!({"spec": {"resources": {"requests": {"storage": size}}}}));
        assert_eq!(limits::of_claim(&claim, &limit), Vec::from_iter(wanted.map(str::to_owned)));
    }
}

#[tokio::test]
async fn a_server_fills_in_and_refuses() {
    let server = ApiServer::builder().admission(Arc::new(LimitRanger)).build().await.unwrap();
    let client = LocalClient::new(server, User::admin());
    let namespace = json!({"metadata": {"name": "ns"}});
    client.create_from(&Key::cluster(scheme::NAMESPACES, ""), &namespace).await.unwrap();
    let limits = json!([{"type": "Container", "default": {"cpu": "200m", "memory": "64Mi"},
        "defaultRequest": {"cpu": "100m"}, "max": {"cpu": "1"}}]);
    let range = json!({"metadata": {"name": "l"}, "spec": {"limits": limits}});
    client.create_from(&Key::new(scheme::LIMITRANGES, "ns", ""), &range).await.unwrap();

    let pods = Key::new(scheme::PODS, "ns", "");
    let none = json!({"metadata": {"name": "none"}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
    let made: Value = client.create_from(&pods, &none).await.unwrap().view().unwrap();
    let wanted = json!({"limits": {"cpu": "200m", "memory": "64Mi"}, "requests": {"cpu": "100m", "memory": "64Mi"}});
    assert_eq!(made["spec"]["containers"][0]["resources"], wanted);

    let mut much = none;
    much["metadata"]["name"] = json!("much");
    much["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": "2"}});
    let refused = client.create_from(&pods, &much).await.unwrap_err().to_string();
    let words = "pods \"much\" is forbidden: maximum cpu usage per Container is 1, but limit is 2";
    assert!(refused.contains(words), "{refused}");
}
