//! Everything that selects: workloads and disruption budgets.

use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use windlass_core::apis::meta::v1::LabelSelector as ApiSelector;
use windlass_core::meta::{LabelSelector, Str};

/// The selector of an object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WorkloadView {
    pub(crate) spec: Spec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Spec {
    pub(crate) selector: Selector,
}

/// `matchLabels` and `matchExpressions`, or in old kinds labels alone. None, or an empty one, selects nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Selector(Option<LabelSelector>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Labels(BTreeMap<String, String>),
    Api(ApiSelector),
}

// === impl Selector ===

impl Selector {
    /// The same for kinds of which an empty selector selects everything: disruption budgets.
    pub(crate) fn matches_or_all(&self, labels: &[(Str, Str)]) -> bool {
        self.0.as_ref().is_some_and(|selector| selector.matches(labels))
    }

    pub(crate) fn matches(&self, labels: &[(Str, Str)]) -> bool {
        self.0
            .as_ref()
            .is_some_and(|selector| !selector.is_everything() && selector.matches(labels))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |selector| selector.fmt(f))
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let selector = match Option::<Written>::deserialize(deserializer)? {
            None => None,
            Some(Written::Labels(labels)) => Some(LabelSelector::from_map(&labels)),
            Some(Written::Api(api)) => {
                Some(LabelSelector::from_api(&api).map_err(serde::de::Error::custom)?)
            }
        };
        Ok(Self(selector))
    }
}
