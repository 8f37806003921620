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
