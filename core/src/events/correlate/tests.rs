use super::*;

fn recorded(name: &str, message: &str) -> Recorded {
    Recorded {
        about: Reference { kind: "Pod".into(), name: name.into(), ..Reference::default() },
        kind: EventType::Warning,
        reason: "BackOff".into(),
        message: message.into(),
        source: Source { component: "kubelet".into(), host: "n".into() },
    }
}

#[tokio::test(start_paused = true)]
async fn equal_events_are_counted_up() {
    let (mut correlator, env) = (Correlator::default(), Env::simulated(1));
    let mut next = |message| {
        let write = correlator.next(recorded("p", message), env.clock.now(), &env);
        write.map(|write| (write.name, write.patch))
    };
    let (first, patch) = next("a").expect("a write");
    assert!(patch.is_none() && first.starts_with("p."));
    let (second, patch) = next("a").expect("a write");
    assert_eq!((second, patch.expect("a patch")["count"].clone()), (first.clone(), json!(2)));
    let (other, patch) = next("b").expect("a write");
    assert!(patch.is_none() && other != first);
}

#[tokio::test(start_paused = true)]
async fn one_object_can_not_keep_the_api_busy() {
    let (mut correlator, env) = (Correlator::default(), Env::simulated(1));
    let mut written = |name: &str| {
        let write = |_| correlator.next(recorded(name, "again"), env.clock.now(), &env);
        (0..100).filter_map(write).count()
    };
    assert_eq!((written("p"), written("p"), written("q")), (25, 0, 25));
    tokio::time::advance(std::time::Duration::from_secs(600)).await;
    assert_eq!((written("p"), written("q")), (2, 2));
}

#[test]
fn names_are_never_too_long() {
    let name = event_name(&"é".repeat(200), 7);
    assert!(name.len() <= MAX_NAME && name.ends_with(".0000000000000007"), "{name}");
}

#[tokio::test(start_paused = true)]
async fn similar_events_become_one_when_there_are_many() {
    let (mut correlator, env) = (Correlator::default(), Env::simulated(1));
    let mut names = vec![];
    for number in 0..20 {
        let event = recorded("p", &format!("try {number}"));
        let write = correlator.next(event, env.clock.now(), &env).expect("a write");
        names.push((write.name, write.patch));
    }
    let combined = &names[9].0;
    assert!(names[..9].iter().all(|(name, patch)| patch.is_none() && name != combined));
    assert!(names[10..].iter().all(|(name, _)| name == combined));
    let last = names[19].1.as_ref().expect("a patch");
    assert_eq!(
        (&last["count"], &last["message"]),
        (&json!(11), &json!("(combined from similar events): try 19"))
    );
    tokio::time::advance(std::time::Duration::from_secs(601)).await;
    let write = correlator.next(recorded("p", "anew"), env.clock.now(), &env).expect("a write");
    assert!(write.patch.is_none() && &write.name != combined);
}
