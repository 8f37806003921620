//! Two autoscalers on the same pods would pull at them in turn: neither may scale.

use crate::views::Pod;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use windlass_core::controller::ObjectKey;
use windlass_core::meta::LabelSelector;

/// Which pods each autoscaler was last seen to scale.
#[derive(Debug, Default)]
pub(super) struct Rivals(Mutex<BTreeMap<ObjectKey, LabelSelector>>);

// === impl Rivals ===

impl Rivals {
    /// Notes what an autoscaler selects. Why it may not scale these pods, when others select one of them too.
    pub(super) fn claim(
        &self,
        key: &ObjectKey,
        labels: LabelSelector,
        selector: &str,
        pods: &[Pod],
    ) -> Option<String> {
        let mut all = self.0.lock();
        all.insert(key.clone(), labels);
        let near = all.iter().filter(|(other, _)| other.namespace == key.namespace);
        let takes = |labels: &LabelSelector| {
            pods.iter().any(|pod| labels.matches(&pod.object.header().labels))
        };
        let who: Vec<String> =
            near.filter(|(_, labels)| takes(labels)).map(|(key, _)| key.to_string()).collect();
        let told = || {
            format!(
                "pods by selector {selector} are controlled by multiple HPAs: [{}]",
                who.join(" ")
            )
        };
        (who.len() > 1).then(told)
    }

    /// The autoscaler is gone, or scales nothing.
    pub(super) fn forget(&self, key: &ObjectKey) {
        self.0.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::testing::{pod, ready};

    #[test]
    fn two_on_the_same_pods_are_told_both() {
        let rivals = Rivals::default();
        let claim = |name: &str, selector: &str, pods: &[Pod]| {
            let labels = LabelSelector::parse(selector).unwrap();
            rivals.claim(&ObjectKey::new("ns", name), labels, selector, pods)
        };
        let pods: [Pod; 1] = [pod("p", "", ready(0))];
        assert_eq!(claim("one", "app=a", &pods), None);
        assert_eq!(claim("one", "app=a", &pods), None, "it is no rival of its own");
        assert_eq!(claim("other", "app=b", &[]), None);
        let why = "pods by selector app are controlled by multiple HPAs: [ns/one ns/two]";
        assert_eq!(claim("two", "app", &pods).as_deref(), Some(why));
        assert!(claim("one", "app=a", &pods).is_some());
        let elsewhere = ObjectKey::new("far", "two");
        let labels = LabelSelector::parse("app").unwrap();
        assert_eq!(rivals.claim(&elsewhere, labels, "app", &pods), None);
        rivals.forget(&ObjectKey::new("ns", "two"));
        assert_eq!(claim("one", "app=a", &pods), None);
    }
}
