use std::sync::Arc;

use serde_json::{Value, json};
use windlass_core::scheme::{GroupVersion, GroupVersionKind, ResourceInfo, Scheme};

use super::*;
use crate::schema::decode;

fn builtin() -> Vec<Arc<ResourceInfo>> {
    Scheme::builtin().iter().cloned().collect()
}

fn custom(group: &'static str, version: &'static str) -> Arc<ResourceInfo> {
    let mut info = ResourceInfo::clone(&builtin()[0]);
    info.gvr.group = group.into();
    info.gvr.version = version.into();
    info.storage = GroupVersion::new(group, version);
    Arc::new(info)
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[test]
fn versions_are_ordered_by_priority() {
    let mut versions = [
        "foo10",
        "v1",
        "v1beta1",
        "v11beta2",
        "v10",
        "v2",
        "v12alpha1",
        "v10beta3",
        "v3beta1",
        "foo1",
        "v11alpha2",
    ];
    versions.sort_by(|a, b| compare_versions(a, b));
    let expected = [
        "v10",
        "v2",
        "v1",
        "v11beta2",
        "v10beta3",
        "v3beta1",
        "v1beta1",
        "v12alpha1",
        "v11alpha2",
        "foo1",
        "foo10",
    ];
    assert_eq!(versions, expected);
}

#[test]
fn the_roots_name_groups_and_versions() {
    let document = api_versions(&builtin(), "10.0.0.1:6443");
    assert_eq!(
        document.to_string(),
        r#"{"kind":"APIVersions","versions":["v1"],"serverAddressByClientCIDRs":[{"clientCIDR":"0.0.0.0/0","serverAddress":"10.0.0.1:6443"}]}"#
    );
    let mut resources = builtin();
    resources.insert(0, custom("zoo.example.com", "v1"));
    resources.insert(0, custom("ant.example.com", "v1alpha1"));
    resources.insert(0, custom("zoo.example.com", "v2"));
    let list = api_group_list(&resources);
    let groups = names(&list["groups"]);
    assert_eq!(groups[..3], ["apiregistration.k8s.io", "apps", "events.k8s.io"]);
    assert_eq!(groups[groups.len() - 2..], ["ant.example.com", "zoo.example.com"]);
    let zoo = api_group(&resources, "zoo.example.com").unwrap();
    assert_eq!(
        zoo["preferredVersion"],
        json!({"groupVersion": "zoo.example.com/v2", "version": "v2"})
    );
    assert_eq!(zoo["versions"].as_array().unwrap().len(), 2);
    assert!(zoo.to_string().starts_with(
        r#"{"kind":"APIGroup","apiVersion":"v1","name":"zoo.example.com","versions":["#
    ));
    assert_eq!(api_group(&resources, ""), None);
    assert_eq!(api_group(&resources, "nope"), None);
}

#[test]
fn a_version_lists_resources_and_subresources() {
    let core = api_resource_list(&builtin(), &GroupVersion::new("", "v1")).unwrap();
    assert!(core.to_string().starts_with(
        r#"{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"bindings""#
    ));
    let rows = core["resources"].as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    let eviction = json!({"name": "pods/eviction", "singularName": "", "namespaced": true, "group": "policy", "version": "v1", "kind": "Eviction", "verbs": ["create"]});
    assert_eq!(row("pods/eviction"), &eviction);
    assert_eq!(row("pods/log")["verbs"], json!(["get"]));
    assert_eq!(row("pods")["shortNames"], json!(["po"]));
    // Known from clusters in the field.
    assert_eq!(row("pods")["storageVersionHash"], "xPOwRZ+Yhw8=");
    assert!(rows.iter().map(|row| row["name"].as_str().unwrap()).is_sorted());
    let apps = api_resource_list(&builtin(), &GroupVersion::new("apps", "v1")).unwrap();
    assert_eq!(apps["apiVersion"], "v1");
    assert_eq!(api_resource_list(&builtin(), &GroupVersion::new("apps", "v2")), None);
}

#[test]
fn the_aggregated_form_is_an_object_of_its_kind() {
    for root in [Root::Core, Root::Groups] {
        let document = aggregated(&builtin(), root, Aggregated::V2);
        let gvk = GroupVersionKind::new("apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList");
        let decoded = decode::strict(&gvk, document.to_string().as_bytes()).unwrap();
        assert_eq!(decoded.strict, Vec::<String>::new());
        assert!(document.to_string().starts_with(
            r#"{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2""#
        ));
    }
    let groups = aggregated(&builtin(), Root::Groups, Aggregated::V2Beta1);
    assert_eq!(groups["apiVersion"], "apidiscovery.k8s.io/v2beta1");
    let apps = groups["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["metadata"]["name"] == "apps")
        .unwrap();
    let deployments = &apps["versions"][0]["resources"][2];
    assert_eq!(
        deployments["responseKind"],
        json!({"group": "apps", "version": "v1", "kind": "Deployment"})
    );
    assert_eq!(deployments["subresources"][0]["responseKind"]["kind"], "Scale");
    assert_eq!(deployments["scope"], "Namespaced");
}

#[test]
fn tags_change_with_the_document() {
    assert_eq!(etag(b"a"), etag(b"a"));
    assert_ne!(etag(b"a"), etag(b"b"));
    assert!(etag(b"a").starts_with('"') && etag(b"a").ends_with('"'));
}
