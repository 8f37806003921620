use super::{Amount, ClaimUsage, DeviceUsage, PodUsage, Scopes, Source, source};
use crate::apis::core::v1::ResourceQuotaSpec;
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

#[test]
fn devices_count_by_class() {
    let claim = serde_json::json!({"spec": {"devices": {"requests": [
        {"name": "a", "exactly": {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 2}},
        {"name": "b", "exactly": {"deviceClassName": "nic", "allocationMode": "All"}},
        {"name": "c", "firstAvailable": [
            {"deviceClassName": "gpu", "count": 1}, {"deviceClassName": "gpu", "count": 3},
            {"deviceClassName": "tpu"}]}]}}});
    let DeviceUsage(uses) = serde_json::from_value(claim).expect("a claim");
    let shown: Vec<_> = uses.iter().map(|(name, amount)| format!("{name}={amount}")).collect();
    let of =
        |class: &str, count: usize| format!("{class}.deviceclass.resource.k8s.io/devices={count}");
    let one = "count/resourceclaims.resource.k8s.io=1".to_owned();
    assert_eq!(shown, [one, of("gpu", 5), of("nic", 32), of("tpu", 1)]);
    assert!(uses.iter().all(|(name, _)| source(name) == Some(Source::Devices)));
}

#[test]
fn claims_are_in_the_scope_of_their_class() {
    let scopes = |operator: &str, values: serde_json::Value| {
        let expression = serde_json::json!({"scopeName": "VolumeAttributesClass", "operator": operator,
            "values": values});
        let spec = serde_json::json!({"scopeSelector": {"matchExpressions": [expression]}});
        Scopes::of(&serde_json::from_value::<ResourceQuotaSpec>(spec).expect("a spec"))
    };
    let claim = |spec: serde_json::Value, status: serde_json::Value| -> ClaimUsage {
        serde_json::from_value(serde_json::json!({"spec": spec, "status": status}))
            .expect("a claim")
    };
    let none = claim(serde_json::json!({}), serde_json::json!({}));
    let gold = serde_json::json!({"volumeAttributesClassName": "gold"});
    let gold = claim(gold, serde_json::json!({"currentVolumeAttributesClassName": "silver"}));
    let list = |names: &[&str]| serde_json::json!(names);
    assert!(scopes("In", list(&["gold"])).take(&gold));
    assert!(scopes("In", list(&["silver"])).take(&gold), "it has it still");
    assert!(!scopes("In", list(&["bronze"])).take(&gold));
    assert!(!scopes("In", list(&["gold"])).take(&none));
    assert!(scopes("DoesNotExist", serde_json::json!(null)).take(&none));
    assert!(Scopes::default().take(&none) && Scopes::default().take(&gold));
}
