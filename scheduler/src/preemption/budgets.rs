//! PodDisruptionBudgets: how many pods of which kind may go.

use crate::framework::Columns;
use crate::{PodInfo, Snapshot};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::meta::{LabelSelector, Str};
use windlass_core::scheme::{GroupVersionResource, PODDISRUPTIONBUDGETS};

/// The budgets of a cluster, by namespace.
#[derive(Clone, Default)]
pub(crate) struct Budgets {
    by_namespace: FxHashMap<Str, BTreeMap<Box<str>, Budget>>,
}

#[derive(Clone)]
struct Budget {
    selector: LabelSelector,
    allowed: i64,
    /// Pods that are counted as gone already.
    disrupted: FxHashSet<String>,
}

#[derive(Deserialize)]
struct View {
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    selector: Option<windlass_core::apis::meta::v1::LabelSelector>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    disruptions_allowed: i64,
    disrupted_pods: BTreeMap<String, serde::de::IgnoredAny>,
}

impl Columns for Budgets {
    fn fork(&self) -> Box<dyn Columns> {
        Box::new(self.clone())
    }

    fn watches(&self) -> Vec<GroupVersionResource> {
        vec![PODDISRUPTIONBUDGETS]
    }

    fn object_set(&mut self, _: &Snapshot, resource: &GroupVersionResource, object: &Arc<Object>) {
        if *resource != PODDISRUPTIONBUDGETS {
            return;
        }
        let (namespace, name) = (object.header().namespace.clone(), object.name());
        match Budget::new(object) {
            Ok(budget) => {
                self.by_namespace.entry(namespace).or_default().insert(name.into(), budget);
            }
            Err(error) => tracing::error!(%namespace, name, %error, "PodDisruptionBudget left out"),
        }
    }

    fn object_removed(
        &mut self,
        _: &Snapshot,
        resource: &GroupVersionResource,
        object: &Arc<Object>,
    ) {
        if *resource == PODDISRUPTIONBUDGETS
            && let Some(budgets) = self.by_namespace.get_mut(object.namespace())
        {
            budgets.remove(object.name());
        }
    }
}

impl Budget {
    fn new(object: &Object) -> Result<Self, Box<dyn std::error::Error>> {
        let View { spec, status } = object.view()?;
        // Without a selector it takes no pod.
        let selector = match &spec.selector {
            Some(selector) => LabelSelector::from_api(selector)?,
            None => LabelSelector::default(),
        };
        let (allowed, disrupted) = (status.disruptions_allowed, status.disrupted_pods);
        Ok(Self { selector, allowed, disrupted: disrupted.into_keys().collect() })
    }
}

impl Budgets {
    /// For each of these pods, gone in this order, whether a budget is then exceeded.
    pub(super) fn exceeded_by(&self, pods: &[Arc<PodInfo>]) -> Vec<bool> {
        let mut spent: FxHashMap<(&str, &str), i64> = FxHashMap::default();
        let exceeds = |pod: &Arc<PodInfo>| {
            let Some((namespace, budgets)) = self.by_namespace.get_key_value(&pod.namespace) else {
                return false;
            };
            let mut exceeded = false;
            for (name, budget) in budgets {
                if pod.labels.is_empty()
                    || budget.selector.is_everything()
                    || budget.disrupted.contains(&*pod.name)
                    || !budget.selector.matches(&pod.labels)
                {
                    continue;
                }
                let spent = spent.entry((namespace, name)).or_default();
                *spent += 1;
                exceeded |= *spent > budget.allowed;
            }
            exceeded
        };
        pods.iter().map(exceeds).collect()
    }
}
