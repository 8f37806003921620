use super::graph::{Dependent, FOREGROUND, Graph, Node, ORPHAN, Source, Uid};
use super::plan::{EndStep, OwnerState, Step, end, patience, step};
use crate::support::kinds::Kind;
use crate::support::testing::{cases, entry};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::cache::HeaderOnly;
use windlass_core::object::Owner;
use windlass_core::scheme::{GroupVersionResource, PODS};

/// An object with these owners and finalizers; it goes when it has finalizers.
fn object(
    name: &str,
    owners: &[&str],
    finalizers: &[&str],
) -> Arc<windlass_core::cache::Entry<HeaderOnly>> {
    let owner = |name: &&str| json!({"apiVersion": "v1", "kind": "Pod", "name": name, "uid": name, "blockOwnerDeletion": true});
    let owners: Vec<Value> = owners.iter().map(owner).collect();
    let deleted = (!finalizers.is_empty()).then_some("2027-01-15T08:00:00Z");
    entry(
        json!({"metadata": {"name": name, "namespace": "ns", "uid": name, "ownerReferences": owners,
        "finalizers": finalizers, "deletionTimestamp": deleted}}),
    )
}

fn node(name: &str, owners: &[&str], finalizers: &[&str]) -> Node {
    let kind = Arc::new(Kind { resource: PODS, kind: "Pod".into(), namespaced: true });
    Node::new(&kind, Source::Own, object(name, owners, finalizers).object.header())
}

fn names(mut uids: Vec<Uid>) -> Vec<String> {
    uids.sort();
    uids.iter().map(ToString::to_string).collect()
}

#[test]
fn the_graph_tells_who_is_to_be_looked_at() {
    let graph = Graph::default();
    let see = |name: &str, owners: &[&str], finalizers: &[&str]| {
        names(graph.observe(name, node(name, owners, finalizers)))
    };
    assert_eq!(see("pod", &["set"], &[]), ["pod"], "its owner is not known yet");
    assert!(see("set", &[], &[]).is_empty());
    assert!(see("pod2", &["set"], &[]).is_empty(), "all is well");
    assert!(see("pod2", &["set"], &[]).is_empty(), "nothing changed");
    assert_eq!(see("set", &[], &[FOREGROUND]), ["set"], "it waits for its dependents");
    assert_eq!(see("pod3", &["set"], &[]), ["pod3"], "its owner goes");
    assert!(see("pod3", &[], &[]).is_empty(), "one less to wait for, but others are left");
    let gone = names(graph.forget("pod2", &node("pod2", &[], &[]).place));
    assert!(gone.is_empty(), "another one less");
    assert_eq!(
        names(graph.forget("set", &node("set", &[], &[]).place)),
        ["pod"],
        "who is left has lost the owner"
    );
    assert!(graph.is_gone(&owner("set"), "ns") && graph.dependents("set").len() == 1);
    let elsewhere = Owner { name: "other".into(), ..owner("set") };
    assert!(!graph.is_gone(&elsewhere, "ns"), "the uid alone says nothing");
    assert!(!graph.is_gone(&owner("set"), "other"));
}

#[test]
fn an_owner_is_looked_at_once_all_who_block_it_are_gone() {
    let graph = Graph::default();
    graph.observe("set", node("set", &[], &[FOREGROUND]));
    let names: Vec<String> = (0..5_000).map(|number| format!("pod{number}")).collect();
    for name in &names {
        graph.observe(name, node(name, &["set"], &[]));
    }
    // It blocks nobody.
    let idle = object("idle", &["set"], &[]);
    let mut idle = Node::new(&ship(), Source::Own, idle.object.header());
    idle.owners[0].block_owner_deletion = false;
    graph.observe("idle", idle);
    let mut looks = Vec::new();
    for name in &names {
        looks.push(graph.forget(name, &node(name, &[], &[]).place).len());
    }
    let last = looks.pop();
    assert!(last == Some(1) && looks.iter().all(|looks| *looks == 0), "{last:?}");
}

fn ship() -> Arc<Kind> {
    let resource = GroupVersionResource::new("a.b", "v1", "ships");
    Arc::new(Kind { resource, kind: "Ship".into(), namespaced: true })
}

#[test]
fn what_is_followed_no_more_is_not_gone() {
    let graph = Graph::default();
    graph.observe("owner", node("owner", &[], &[FOREGROUND]));
    graph.observe("it", node("it", &["owner"], &[]));
    graph.observe("child", node("child", &["it"], &[]));
    let place = node("it", &[], &[]).place;
    assert_eq!(names(graph.unfollow("it", &place)), ["child", "owner"], "both ask the server");
    assert!(graph.get("it").is_none() && graph.dependents("owner").is_empty());
    assert!(!graph.is_gone(&owner("it"), "ns"));
    // Under another version it is there again already.
    graph.observe("child", node("child", &[], &[]));
    let other = Kind {
        resource: GroupVersionResource::new("", "v2", "pods"),
        kind: "Pod".into(),
        namespaced: true,
    };
    let old = Node::new(&Arc::new(other), Source::Own, object("child", &[], &[]).object.header());
    assert!(graph.unfollow("child", &old.place).is_empty() && graph.get("child").is_some());
}

#[test]
fn orphans_are_waited_for_until_all_are_known() {
    assert_eq!(patience(&node("o", &[], &[ORPHAN])), std::time::Duration::MAX);
    assert_eq!(patience(&node("o", &[], &[FOREGROUND])).as_secs(), 30);
}

/// As a dependent names it.
fn owner(name: &str) -> Owner {
    object("x", &[name], &[]).object.header().owners[0].clone()
}

#[test]
fn what_another_server_says_of_a_uid_proves_nothing() {
    let graph = Graph::default();
    let kind = ship();
    let spoofed = |name: &str, finalizers: &[&str]| {
        Node::new(&kind, Source::Behind, object(name, &[], finalizers).object.header())
    };
    graph.observe("set", node("set", &[], &[]));
    graph.observe("pod", node("pod", &["set"], &[]));
    // It shows a uid that is somebody else's, lets it go in the foreground, and lets it be gone.
    assert!(graph.observe("set", spoofed("set", &[FOREGROUND])).is_empty());
    assert!(
        graph.get("set").is_some_and(|node| node.place.key().resource == PODS && !node.foreground)
    );
    assert!(graph.forget("set", &spoofed("set", &[]).place).is_empty());
    assert!(graph.get("set").is_some());
    // Also when it was first, nobody takes it for the owner.
    graph.observe("late", spoofed("late", &[]));
    assert!(!graph.get("late").expect("a node").is(&owner("late"), "ns"));
    graph.observe("child", node("child", &["late"], &[]));
    assert!(graph.dependents("late").is_empty());
    graph.observe("late", node("late", &[], &[]));
    assert_eq!(graph.dependents("late").len(), 1);
    assert!(graph.get("late").expect("a node").is(&owner("late"), "ns"));
    // Of what is its own, each one who depends on it is looked at, and asks.
    graph.observe("ship", spoofed("ship", &[]));
    graph.observe("crew", node("crew", &["ship"], &[]));
    assert_eq!(names(graph.forget("ship", &spoofed("ship", &[]).place)), ["crew"]);
    let named = Owner { api_version: "a.b/v1".into(), kind: "Ship".into(), ..owner("ship") };
    assert!(!graph.is_gone(&named, "ns"));
}

#[test]
fn an_object_that_goes_waits_as_asked() {
    let blocking = |blocks| {
        let key = node("d", &[], &[]).place.key();
        vec![Dependent { uid: "d".into(), key, blocks, deleting: false }]
    };
    let cases = [
        (&[FOREGROUND][..], blocking(true), EndStep::Wait(blocking(true))),
        (&[FOREGROUND], blocking(false), EndStep::Release),
        (&[FOREGROUND], vec![], EndStep::Release),
        (&[ORPHAN], blocking(false), EndStep::Orphan(blocking(false))),
        (&["a/b"], blocking(true), EndStep::Nothing),
    ];
    for (finalizers, dependents, wanted) in cases {
        assert_eq!(end(&node("o", &[], finalizers), dependents), wanted, "{finalizers:?}");
    }
}

#[derive(Deserialize)]
struct Case {
    name: String,
    owners: Vec<String>,
    #[serde(default)]
    dependents: bool,
    does: String,
}

#[test]
fn an_object_goes_when_nobody_needs_it() {
    for case in cases::<Case>(include_str!("tests/steps.yaml")) {
        let states = case.owners.iter().map(|state| match state.as_str() {
            "solid" => OwnerState::Solid,
            "gone" => OwnerState::Gone,
            _ => OwnerState::Waiting,
        });
        let names: Vec<String> = (0..case.owners.len()).map(|at| at.to_string()).collect();
        let object = object("o", &names.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        let header = object.object.header();
        let owners: Vec<_> = header.owners.iter().cloned().zip(states).collect();
        let found = match step(header, &owners, case.dependents) {
            Step::Keep => "keep".to_owned(),
            Step::Delete(how) => format!("delete {how:?}"),
            Step::Strip(owners) => format!("strip {}", owners.join(" ")),
        };
        assert_eq!(found, case.does, "{}", case.name);
    }
}
