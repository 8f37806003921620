use std::collections::HashSet;

use super::*;

#[test]
fn every_line_is_found_by_its_names() {
    let scheme = Scheme::builtin();
    assert!(scheme.iter().len() > 60);
    for info in scheme.iter() {
        assert_eq!(scheme.by_gvr(&info.gvr), Some(info));
        assert_eq!(scheme.by_gvk(&info.gvk()), Some(info));
        assert_eq!(info.singular, info.kind.to_lowercase());
        assert!(info.verbs.is_sorted() && !info.verbs.is_empty(), "{}", info.gvr);
        assert!(
            scheme.by_gvr(&info.storage_gvr()).is_some(),
            "{} is stored in a version not served",
            info.gvr
        );
    }
}

#[test]
fn pods_have_what_kubectl_shows() {
    let pods = Scheme::builtin().by_gvr(&PODS).unwrap();
    assert!(pods.namespaced);
    assert_eq!(pods.list_kind(), "PodList");
    assert_eq!(pods.short_names, ["po"]);
    assert_eq!(pods.categories, ["all"]);
    assert!(pods.has_verb("watch") && !pods.has_verb("proxy"));
    let eviction = pods.subresource("eviction").unwrap();
    assert_eq!(eviction.gvk, GroupVersionKind::new("policy", "v1", "Eviction"));
    assert_eq!(eviction.verbs, ["create"]);
    assert!(pods.subresource("exec").unwrap().has_verb("get"));
}

#[test]
fn groups_come_in_the_order_of_the_api_root() {
    let mut groups: Vec<_> = Scheme::builtin().iter().map(|info| info.gvr.group.clone()).collect();
    groups.dedup();
    assert_eq!(groups[..4], ["", "apiregistration.k8s.io", "apps", "events.k8s.io"]);
    assert_eq!(
        groups.iter().collect::<HashSet<_>>().len(),
        groups.len(),
        "a group comes in one run"
    );
}

#[test]
fn the_preferred_version_comes_first_and_aliases_share_storage() {
    let scheme = Scheme::builtin();
    let hpa = scheme.by_group_resource("autoscaling", "horizontalpodautoscalers").unwrap();
    assert_eq!(hpa.gvr, HORIZONTALPODAUTOSCALERS);
    let old = scheme.by_gvr(&HORIZONTALPODAUTOSCALERS_V1).unwrap();
    assert_eq!(old.storage_gvr(), hpa.gvr);
    let events = scheme.by_gvr(&EVENTS_K8S_IO_EVENTS).unwrap();
    assert_eq!(events.storage_gvr(), EVENTS);
}

#[test]
fn names_are_written_as_kubernetes_writes_them() {
    let apps: GroupVersion = "apps/v1".parse().unwrap();
    assert_eq!((apps.to_string(), apps.path()), ("apps/v1".into(), "/apis/apps/v1".into()));
    let core: GroupVersion = "v1".parse().unwrap();
    assert_eq!((core.to_string(), core.path()), ("v1".into(), "/api/v1".into()));
    let error = "a/b/c".parse::<GroupVersion>().unwrap_err();
    assert_eq!(error.to_string(), "unexpected GroupVersion string: a/b/c");
    assert_eq!(DEPLOYMENTS.to_string(), "apps/v1, Resource=deployments");
    assert_eq!(DEPLOYMENTS.group_resource().to_string(), "deployments.apps");
    assert_eq!(PODS.group_resource().to_string(), "pods");
    let pod = GroupVersionKind::of::<k8s_openapi::api::core::v1::Pod>();
    assert_eq!((pod.to_string(), pod.api_version()), ("v1, Kind=Pod".into(), "v1".into()));
}

#[test]
fn constants_name_table_lines() {
    let scheme = Scheme::builtin();
    for gvr in
        [NODES, SERVICES, DEPLOYMENTS, LEASES, CUSTOMRESOURCEDEFINITIONS, NETWORKPOLICIES, EVENTS]
    {
        assert!(scheme.by_gvr(&gvr).is_some(), "{gvr}");
    }
}
