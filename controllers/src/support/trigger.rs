//! What made endpoints change, and when: for those who measure how long a change takes to reach the proxies.

use super::ops::Op;
use crate::views::Pod;
use jiff::Timestamp;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use serde_json::json;
use windlass_core::controller::ObjectKey;

const LAST_CHANGE: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// The changes that were told of already, by service.
#[derive(Debug, Default)]
pub(crate) struct Triggers(Mutex<FxHashMap<ObjectKey, Known>>);

#[derive(Debug, Default)]
struct Known {
    service: Option<Timestamp>,
    pods: FxHashMap<Box<str>, Timestamp>,
}

// === impl Triggers ===

impl Triggers {
    /// The earliest change since the last call: of a pod's readiness, or that the service was made.
    pub(crate) fn since_last(
        &self,
        service: &ObjectKey,
        made: Option<Timestamp>,
        pods: &[Pod],
    ) -> Option<Timestamp> {
        let mut all = self.0.lock();
        let known = all.entry(service.clone()).or_default();
        let mut now = FxHashMap::default();
        let mut first = made.filter(|_| known.service < made);
        for pod in pods {
            let ready = pod.view.condition("Ready");
            let Some(changed) = ready.and_then(|ready| ready.last_transition_time.as_ref()) else {
                continue;
            };
            let name: Box<str> = pod.object.name().into();
            if known.pods.get(&name).is_none_or(|before| *before < changed.0) {
                first = Some(first.map_or(changed.0, |first| first.min(changed.0)));
            }
            now.insert(name, changed.0);
        }
        *known = Known { service: made, pods: now };
        first
    }

    /// A service is gone.
    pub(crate) fn forget(&self, service: &ObjectKey) {
        self.0.lock().remove(service);
    }
}

/// Writes the time on everything that is made or changed; takes an old one away when there is none.
pub(crate) fn mark(ops: &mut [Op], trigger: Option<Timestamp>) {
    for op in ops {
        let (Op::Create(_, body) | Op::Update(_, body)) = op else { continue };
        match trigger {
            Some(at) => body["metadata"]["annotations"][LAST_CHANGE] = json!(at),
            None => {
                let notes = body["metadata"]["annotations"].as_object_mut();
                notes.and_then(|notes| notes.shift_remove(LAST_CHANGE));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::testing::{at, pod, ready};
    use windlass_core::client::Key;
    use windlass_core::scheme;

    #[test]
    fn each_change_is_told_once() {
        let (triggers, service) = (Triggers::default(), ObjectKey::new("ns", "svc"));
        let pods = |times: &[i64]| -> Vec<Pod> {
            times
                .iter()
                .enumerate()
                .map(|(n, time)| pod(&format!("p{n}"), "", ready(*time)))
                .collect()
        };
        let first =
            |made: i64, times: &[i64]| triggers.since_last(&service, Some(at(made)), &pods(times));
        assert_eq!(first(5, &[7, 9]), Some(at(5)), "the service is new");
        assert_eq!(first(5, &[7, 9]), None);
        assert_eq!(first(5, &[11, 12, 10]), Some(at(10)), "the earliest of three");
        assert_eq!(first(5, &[11]), None, "a pod that goes changes nothing by itself");
        triggers.forget(&service);
        assert_eq!(first(5, &[11]), Some(at(5)));
    }

    #[test]
    fn what_is_written_says_when() {
        let key = Key::new(scheme::ENDPOINTS, "ns", "e");
        let mut ops = [Op::Create(key.clone(), json!({"metadata": {}})), Op::Patch(key, json!({}))];
        mark(&mut ops, Some(at(0)));
        let [Op::Create(_, body), Op::Patch(_, patch)] = &ops else { panic!() };
        assert_eq!(body["metadata"]["annotations"][LAST_CHANGE], at(0).to_string());
        assert_eq!(patch, &json!({}));
        mark(&mut ops, None);
        let [Op::Create(_, body), _] = &ops else { panic!() };
        assert_eq!(body["metadata"]["annotations"], json!({}));
    }
}
