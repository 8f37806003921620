use super::{Amount, PodUsage, Source, source};
use crate::scheme;

#[test]
fn amounts_keep_their_form() {
    let cases: [(&[&str], &str); 10] = [
        (&[], "0"),
        (&["100m", "200m"], "300m"),
        (&["500m", "1500m"], "2"),
        (&["128Mi", "128Mi"], "256Mi"),
        (&["512Mi", "512Mi"], "1Gi"),
        (&["1Gi", "1M"], "1074741824"),
        (&["1000"], "1k"),
        (&["500Ki", "524Ki"], "1Mi"),
        (&["0", "1Ki"], "1Ki"),
        (&["0.5Ki"], "512"),
    ];
    for (parts, wanted) in cases {
        let mut sum = Amount::default();
        parts.iter().for_each(|part| sum += part.parse().unwrap());
        assert_eq!(sum.to_string(), wanted, "{parts:?}");
    }
    let [large, small]: [Amount; 2] = ["1Gi", "2Gi"].map(|text| text.parse().unwrap());
    assert_eq!((large - small).to_string(), "-1Gi");
}

#[test]
fn names_have_their_sources() {
    let objects = |group: &str, resource: &str| {
        Some(Source::Objects { group: group.into(), resource: resource.into() })
    };
    let cases = [
        ("pods", Some(Source::Pods)),
        ("count/pods", Some(Source::Pods)),
        ("cpu", Some(Source::Pods)),
        ("limits.ephemeral-storage", Some(Source::Pods)),
        ("requests.hugepages-2Mi", Some(Source::Pods)),
        ("requests.example.com/gpu", Some(Source::Pods)),
        ("requests.storage", Some(Source::Claims)),
        ("gold.storageclass.storage.k8s.io/requests.storage", Some(Source::Claims)),
        ("services.loadbalancers", Some(Source::Services)),
        ("configmaps", objects("", "configmaps")),
        ("count/deployments.apps", objects("apps", "deployments")),
        ("count/jobs.batch", objects("batch", "jobs")),
        ("count/widgets.example.com", objects("example.com", "widgets")),
        ("deployments.apps", None),
        ("example.com/gpu", None),
        ("limits.example.com/gpu", None),
    ];
    for (name, wanted) in cases {
        assert_eq!(source(name), wanted, "{name}");
    }
}

#[test]
fn objects_count_under_their_names() {
    let cases = [
        (scheme::PODS, vec!["count/pods", "pods"]),
        (scheme::CONFIGMAPS, vec!["count/configmaps", "configmaps"]),
        (scheme::LIMITRANGES, vec!["count/limitranges"]),
        (scheme::DEPLOYMENTS, vec!["count/deployments.apps"]),
    ];
    for (resource, wanted) in cases {
        assert_eq!(Source::of(&resource).counts(), wanted, "{resource}");
    }
}

#[test]
fn a_resize_counts_when_it_is_done() {
    let uses = |asks: &str, status: serde_json::Value| {
        let pod = serde_json::json!({"status": status, "spec": {"containers": [
            {"name": "c", "resources": {"requests": {"cpu": asks}, "limits": {"cpu": asks}}}]}});
        let usage: PodUsage = serde_json::from_value(pod).expect("a pod");
        let of = |wanted: &str| {
            let found = usage.uses.iter().find(|(name, _)| name == wanted);
            found.map(|(_, amount)| amount.to_string()).unwrap_or_default()
        };
        (of("requests.cpu"), of("limits.cpu"))
    };
    let has = |cpu: &str, conditions: serde_json::Value| {
        let resources = serde_json::json!({"requests": {"cpu": cpu}, "limits": {"cpu": cpu}});
        serde_json::json!({"conditions": conditions, "containerStatuses": [
            {"name": "c", "resources": resources, "allocatedResources": {"cpu": cpu}}]})
    };
    let none = serde_json::json!([]);
    let both = |cpu: &str| (cpu.to_owned(), cpu.to_owned());
    assert_eq!(uses("1", serde_json::json!({})), both("1"));
    assert_eq!(uses("1", has("2", none.clone())), both("2"), "it has not shrunk yet");
    assert_eq!(uses("1", has("1", none.clone())), both("1"), "now it has");
    assert_eq!(uses("3", has("2", none)), both("3"), "it is to grow");
    let never = serde_json::json!([{"type": "PodResizePending", "reason": "Infeasible"}]);
    assert_eq!(uses("3", has("2", never)), both("2"), "it can't");
}
