use super::plan::{INVALID_SINCE, LAST_USED, Snapshot, Step, plan};
use crate::support::testing::{cases, entry};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_core::cache::HeaderOnly;

#[derive(Deserialize)]
struct Case {
    name: String,
    created: String,
    last_used: Option<String>,
    invalid_since: Option<String>,
    noted_since: Option<String>,
    wanted: String,
}

#[test]
fn what_nobody_uses_is_marked_and_then_deleted() {
    for case in cases::<Case>(include_str!("tests/cases.yaml")) {
        let labels = [(LAST_USED, case.last_used), (INVALID_SINCE, case.invalid_since)];
        let labels: BTreeMap<_, _> =
            labels.into_iter().filter_map(|(label, day)| Some((label, day?))).collect();
        let secret = entry::<HeaderOnly>(json!({"metadata": {"name": "s", "labels": labels}}));
        let day = |day: &str| format!("{day}T12:00:00Z").parse().unwrap();
        let step = plan(&Snapshot {
            secret: secret.object.header(),
            created: day(&case.created),
            noted_since: case.noted_since.map(|day| day.parse().unwrap()),
            period: Duration::from_secs(100 * 24 * 3600),
            now: day("2026-07-01"),
        });
        let found = match step {
            Step::Keep => "keep".to_owned(),
            Step::KeepFor(wait) => format!("keep {} h", wait.as_secs() / 3600),
            Step::Mark(day) => format!("mark {day}"),
            Step::Delete => "delete".to_owned(),
        };
        assert_eq!(found, case.wanted, "{}", case.name);
    }
}
