use super::checkpoint::{Allocation, Given};
use super::plan::{Choice, Wanted, choose};
use std::collections::BTreeMap;

fn has(pod: &str, container: &str, ids: &[&str]) -> Allocation {
    Allocation {
        pod: pod.into(),
        container: container.into(),
        resource: "r".into(),
        ids: ids.iter().map(ToString::to_string).collect(),
        given: Given::default(),
    }
}

#[test]
fn devices_that_work_and_that_nobody_has_are_given() {
    let devices: BTreeMap<_, _> = [("a", true), ("b", true), ("c", false), ("d", true)]
        .map(|(id, works)| (id.to_owned(), works))
        .into();
    let before = ["init".to_owned()];
    let want =
        |container, count| Wanted { pod: "p", container, resource: "r", count, before: &before };
    let given = [has("other", "x", &["a"]), has("p", "init", &["b"]), has("p", "twice", &["d"])];
    let choice = choose(&want("main", 1), &devices, &given).expect("one is there");
    let b = || vec!["b".to_owned()];
    assert_eq!(choice, Choice::Free { must: b(), free: Vec::new() }, "what the init container had");
    let lack = choose(&want("main", 2), &devices, &given).expect_err("only one is there");
    assert_eq!(lack, "requested number of devices unavailable for r. Requested: 2, Available: 1");
    let same = choose(&want("twice", 1), &devices, &given).expect("it has one");
    assert_eq!(same, Choice::Same(given[2].clone()));
    assert!(choose(&want("twice", 2), &devices, &given).is_err(), "it can't have more later");
}
