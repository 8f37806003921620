use super::state::Counter;
use super::*;

fn timing(success: u32, failure: u32) -> Timing {
    let probe = Probe {
        success_threshold: Some(success as i32),
        failure_threshold: Some(failure as i32),
        ..Probe::default()
    };
    Timing::from(&probe)
}

#[test]
fn so_many_results_in_a_row_count() {
    // Results and the verdicts they bring: `+` success, `-` failure, `.` nothing new.
    for (success, failure, results, verdicts) in [
        (1, 3, "+---+", "+..-+"),
        (1, 3, "--+--+---", "..+.....-"),
        (2, 1, "++-+-++", ".+-...+"),
        (1, 1, "-----", "-...."),
    ] {
        let mut counter = Counter::default();
        let seen: String = results
            .chars()
            .map(|result| match counter.take(result == '+', &timing(success, failure)) {
                Some(true) => '+',
                Some(false) => '-',
                None => '.',
            })
            .collect();
        assert_eq!(seen, verdicts, "{success} {failure} {results}");
    }
}

#[test]
fn defaults_are_those_of_kubernetes() {
    let timing = Timing::from(&Probe::default());
    assert_eq!(timing.period, Duration::from_secs(10));
    assert_eq!(timing.timeout, Duration::from_secs(1));
    assert_eq!((timing.success_threshold, timing.failure_threshold), (1, 3));
}

#[test]
fn probes_are_counted_by_what_they_found_until_their_pod_is_gone() {
    let container = Container { name: "c".into(), ..Container::default() };
    let target = Target {
        kind: Kind::Readiness,
        patient: Patient { id: ContainerId("1".into()), container: Arc::new(container), ip: None },
        action: Action::from(&Probe::default()),
        timing: Timing::from(&Probe::default()),
        started_at: Timestamp::UNIX_EPOCH,
        about: Reference { namespace: "ns".into(), name: "p".into(), ..Reference::default() },
    };
    let counts = Counts::default();
    for found in [true, false, true] {
        counts.add("u", &target, found);
    }
    let labels =
        "container=\"c\",namespace=\"ns\",pod=\"p\",pod_uid=\"u\",probe_type=\"Readiness\"";
    for (result, count) in [("successful", 2), ("failed", 1)] {
        let row = format!("\nprober_probe_total{{{labels},result=\"{result}\"}} {count}\n");
        assert!(counts.render().contains(&row), "{}", counts.render());
    }
    counts.forget("u");
    assert!(!counts.render().contains("pod_uid"));
}
