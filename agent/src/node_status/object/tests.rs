use super::*;

fn facts(config: &Config, second: i64, error: Option<&str>) -> NodeStatus {
    let facts = Facts {
        config,
        runtime_version: "fake://1".into(),
        images: Vec::new(),
        volumes_in_use: None,
        devices: BTreeMap::new(),
        pressure: Pressure { disk: true, ..Pressure::default() },
        trouble: error.map(ToOwned::to_owned),
        now: Timestamp::from_second(second).expect("a time"),
    };
    status(facts, None)
}

fn find<'a>(status: &'a NodeStatus, kind: &str) -> &'a NodeCondition {
    status.conditions.iter().flatten().find(|c| c.type_ == kind).expect("it is there")
}

#[test]
fn a_node_shows_what_it_is() {
    let config = Config::default();
    let status = facts(&config, 10, None);
    assert_eq!(find(&status, "Ready").status, "True");
    assert_eq!(find(&status, "DiskPressure").reason.as_deref(), Some("KubeletHasDiskPressure"));
    assert_eq!(
        find(&status, "MemoryPressure").message.as_deref(),
        Some("kubelet has sufficient memory available")
    );
    let capacity = status.capacity.expect("it has one");
    assert_eq!((capacity["cpu"].0.as_str(), capacity["memory"].0.as_str()), ("2", "4194304Ki"));
    assert_eq!(labels(&config)["kubernetes.io/hostname"], "localhost");
}

#[test]
fn a_condition_keeps_the_time_of_its_change() {
    let config = Config::default();
    let old = facts(&config, 10, None);
    let again = |error: Option<&str>| {
        let facts = Facts {
            config: &config,
            runtime_version: String::new(),
            images: Vec::new(),
            volumes_in_use: None,
            devices: BTreeMap::new(),
            pressure: Pressure::default(),
            trouble: error.map(ToOwned::to_owned),
            now: Timestamp::from_second(20).expect("a time"),
        };
        let new = status(facts, Some(&old));
        let ready = find(&new, "Ready");
        let since = ready.last_transition_time.as_ref().expect("a time").0.as_second();
        (ready.status.clone(), since)
    };
    assert_eq!(again(None), ("True".to_owned(), 10));
    assert_eq!(again(Some("gone")), ("False".to_owned(), 20));
}
