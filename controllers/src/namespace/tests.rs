use super::plan::{Remains, conditions};
use crate::support::testing::{at, cases};
use serde::Deserialize;
use std::collections::BTreeMap;
use windlass_core::apis::core::v1::{Namespace, NamespaceStatus};

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    objects: BTreeMap<String, usize>,
    #[serde(default)]
    finalizers: BTreeMap<String, usize>,
    #[serde(default)]
    failures: Vec<String>,
    #[serde(default)]
    undiscovered: Vec<String>,
    told: Vec<String>,
}

#[test]
fn conditions_are_true_of_what_is_left() {
    for case in cases::<Case>(include_str!("tests/remains.yaml")) {
        let Case { name, objects, finalizers, failures, undiscovered, told } = case;
        let remains = Remains { objects, finalizers, failures, undiscovered };
        let found = conditions(&Namespace::default(), &remains, at(0));
        let found = found.iter().filter(|condition| condition.status == "True");
        let found: Vec<String> = found
            .map(|c| format!("{} {}", c.reason.as_deref().unwrap(), c.message.as_deref().unwrap()))
            .collect();
        assert_eq!(found, told, "{name}");
    }
}

#[test]
fn conditions_tell_what_is_left() {
    let remains = Remains {
        objects: [("pods".to_owned(), 2)].into(),
        finalizers: [("a/b".to_owned(), 1)].into(),
        ..Remains::default()
    };
    let first = conditions(&Namespace::default(), &remains, at(0));
    let told: Vec<_> = first
        .iter()
        .filter(|c| c.status == "True")
        .map(|c| (c.reason.as_deref().unwrap(), c.message.as_deref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("SomeResourcesRemain", "Some resources are remaining: pods has 2 resource instances"),
            (
                "SomeFinalizersRemain",
                "Some content in the namespace has finalizers remaining: a/b in 1 resource instances"
            ),
        ]
    );
    let status = NamespaceStatus { conditions: Some(first.clone()), ..NamespaceStatus::default() };
    let namespace = Namespace { status: Some(status), ..Namespace::default() };
    assert_eq!(conditions(&namespace, &remains, at(60)), first, "the same facts change nothing");
    let failed = Remains { failures: vec!["things.a.b: no".into()], ..Remains::default() };
    let told = conditions(&namespace, &failed, at(60));
    assert!(told.iter().any(|c| c.reason.as_deref() == Some("ContentDeletionFailed")));
    assert!(told.iter().any(|c| c.reason.as_deref() == Some("ContentRemoved")
        && c.last_transition_time.as_ref().unwrap().0 == at(60)));
}
