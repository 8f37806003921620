//! Claims of storage.

use super::{Amount, List, Uses};
use serde::Deserialize;
use std::collections::BTreeMap;

const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// What a claim uses.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "Claim")]
pub struct ClaimUsage {
    /// The names it uses something of.
    pub uses: Uses,
    /// The VolumeAttributesClasses it has, wants and is changed to.
    pub classes: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Claim {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    storage_class_name: Option<String>,
    volume_attributes_class_name: Option<String>,
    resources: Resources,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resources {
    requests: List,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    allocated_resources: List,
    current_volume_attributes_class_name: Option<String>,
    modify_volume_status: Modify,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Modify {
    target_volume_attributes_class_name: Option<String>,
}

impl From<Claim> for ClaimUsage {
    fn from(claim: Claim) -> Self {
        let storage = |list: &List| {
            let found = super::amounts(list).find(|(name, _)| *name == "storage");
            found.map_or_else(Amount::default, |(_, amount)| amount)
        };
        // While a volume grows, and when that failed, more may be set aside than is asked for.
        let asked = storage(&claim.spec.resources.requests)
            .or_larger(storage(&claim.status.allocated_resources));
        let one = Amount::count(1);
        let mut uses: Uses = vec![
            ("count/persistentvolumeclaims".into(), one),
            ("persistentvolumeclaims".into(), one),
            ("requests.storage".into(), asked),
        ];
        let annotated = claim.metadata.annotations.and_then(|mut all| all.remove(CLASS));
        let class = annotated.or(claim.spec.storage_class_name).filter(|class| !class.is_empty());
        if let Some(class) = class {
            let of = |what: &str| format!("{class}.storageclass.storage.k8s.io/{what}");
            uses.push((of("persistentvolumeclaims"), one));
            uses.push((of("requests.storage"), asked));
        }
        let Status { current_volume_attributes_class_name: now, modify_volume_status, .. } =
            claim.status;
        let target = modify_volume_status.target_volume_attributes_class_name;
        let classes = [claim.spec.volume_attributes_class_name, now, target];
        let classes = classes.into_iter().flatten().filter(|class| !class.is_empty());
        Self { uses, classes: classes.collect() }
    }
}
