//! How often each probe was made (`prober_probe_total`).

use super::{Kind, Target};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Counts of all pods that are there, by uid.
#[derive(Default)]
pub(super) struct Counts(Mutex<BTreeMap<String, Pod>>);

struct Pod {
    namespace: String,
    name: String,
    /// By container and kind: those that failed, those that succeeded.
    made: BTreeMap<(String, Kind), [u64; 2]>,
}

// === impl Counts ===

impl Counts {
    pub(super) fn add(&self, uid: &str, target: &Target, succeeded: bool) {
        let mut all = self.0.lock();
        let pod = all.entry(uid.to_owned()).or_insert_with(|| Pod {
            namespace: target.about.namespace.clone(),
            name: target.about.name.clone(),
            made: BTreeMap::new(),
        });
        let place = (target.patient.container.name.clone(), target.kind);
        pod.made.entry(place).or_default()[usize::from(succeeded)] += 1;
    }

    pub(super) fn forget(&self, uid: &str) {
        self.0.lock().remove(uid);
    }

    /// In Prometheus' text format.
    pub(super) fn render(&self) -> String {
        let mut text = String::from(
            "# HELP prober_probe_total Probes made, by what they found\n# TYPE prober_probe_total counter\n",
        );
        for (uid, Pod { namespace, name, made }) in &*self.0.lock() {
            for ((container, kind), counts) in made {
                for (result, count) in ["failed", "successful"].iter().zip(counts) {
                    let kind = kind.as_str();
                    // Writing to a String can't fail.
                    writeln!(
                        text,
                        "prober_probe_total{{container=\"{container}\",namespace=\"{namespace}\",pod=\"{name}\",pod_uid=\"{uid}\",probe_type=\"{kind}\",result=\"{result}\"}} {count}"
                    )
                    .ok();
                }
            }
        }
        text
    }
}
