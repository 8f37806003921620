use super::{Amount, Source, source};
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
