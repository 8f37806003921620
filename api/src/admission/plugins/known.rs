//! The table of plugins.

use super::{Factory, Making};
use crate::admission::*;
use crate::authorization::Authorizer;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// One plugin.
pub(super) struct Known {
    pub(super) name: &'static str,
    /// Whether a server has it when nobody says anything.
    pub(super) on: bool,
    /// None inside for one that comes from elsewhere.
    pub(super) make: fn(&Making<'_>) -> Result<Option<Factory>, String>,
}

/// What the server always has.
pub(super) const NEEDED: &str = "NamespaceLifecycle";

const ON: bool = true;
const OFF: bool = false;

/// One line for each, in the order in which they are asked.
#[rustfmt::skip]
pub(super) static KNOWN: &[Known] = &[
    Known { name: NEEDED, on: ON, make: |_| Ok(None) },
    Known { name: "LimitRanger", on: ON, make: |_| plain(LimitRanger) },
    Known { name: "ServiceAccount", on: ON, make: service_account },
    Known { name: "NodeRestriction", on: ON, make: |_| plain(NodeRestriction) },
    Known { name: "TaintNodesByCondition", on: ON, make: |_| plain(TaintNodesByCondition) },
    Known { name: "AlwaysPullImages", on: OFF, make: |_| plain(AlwaysPullImages) },
    Known { name: "PodSecurity", on: ON, make: pod_security },
    Known { name: "PodNodeSelector", on: OFF, make: pod_node_selector },
    Known { name: "Priority", on: ON, make: |_| plain(Priority) },
    Known { name: "DefaultTolerationSeconds", on: ON, make: |_| plain(DefaultTolerationSeconds) },
    Known { name: "PodTolerationRestriction", on: OFF, make: |making| plain(configured::<PodTolerationRestriction>(making)?) },
    Known { name: "PodTopologyLabels", on: ON, make: |_| plain(PodTopologyLabels) },
    Known { name: "EventRateLimit", on: OFF, make: event_rate_limit },
    Known { name: "ExtendedResourceToleration", on: OFF, make: |_| plain(ExtendedResourceToleration) },
    Known { name: "DefaultStorageClass", on: ON, make: |_| plain(DefaultStorageClass) },
    Known { name: "StorageObjectInUseProtection", on: ON, make: |_| plain(StorageObjectInUseProtection) },
    Known { name: "OwnerReferencesPermissionEnforcement", on: OFF, make: |making| plain(OwnerReferencesPermissionEnforcement::new(making.authorizer.clone())) },
    Known { name: "PersistentVolumeClaimResize", on: ON, make: |_| plain(PersistentVolumeClaimResize) },
    Known { name: "RuntimeClass", on: ON, make: |_| plain(RuntimeClass) },
    Known { name: "CertificateApproval", on: ON, make: |making| plain(CertificateApproval::new(making.authorizer.clone())) },
    Known { name: "CertificateSigning", on: ON, make: |making| plain(CertificateSigning::new(making.authorizer.clone())) },
    Known { name: "CertificateSubjectRestriction", on: ON, make: |_| plain(CertificateSubjectRestriction) },
    Known { name: "DefaultIngressClass", on: ON, make: |_| plain(DefaultIngressClass) },
    Known { name: "DenyServiceExternalIPs", on: OFF, make: |_| plain(DenyServiceExternalIPs) },
    Known { name: "MutatingAdmissionPolicy", on: ON, make: |making| following(making, |objects, asked| Arc::new(MutatingPolicies::new(objects, asked))) },
    Known { name: "MutatingAdmissionWebhook", on: ON, make: |making| following(making, |objects, asked| Arc::new(MutatingWebhooks::new(objects, asked))) },
    Known { name: "ValidatingAdmissionPolicy", on: ON, make: |making| following(making, |objects, asked| Arc::new(ValidatingPolicies::new(objects, asked))) },
    Known { name: "ValidatingAdmissionWebhook", on: ON, make: |making| following(making, |objects, asked| Arc::new(ValidatingWebhooks::new(objects, asked))) },
    Known { name: "ResourceQuota", on: ON, make: resource_quota },
];

pub(super) fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

type Made = Result<Option<Factory>, String>;

fn plain(plugin: impl Admission + 'static) -> Made {
    Ok(Some(Box::new(move |_| Arc::new(plugin))))
}

/// What is configured by objects, and asks the authorizer.
fn following(
    making: &Making<'_>,
    make: fn(&Loopback, Arc<dyn Authorizer>) -> Arc<dyn Admission>,
) -> Made {
    let authorizer = making.authorizer.clone();
    Ok(Some(Box::new(move |objects| make(objects, authorizer))))
}

/// The configuration, or what stands for none.
fn configured<T: DeserializeOwned + Default>(making: &Making<'_>) -> Result<T, String> {
    let Some(configuration) = making.configuration else { return Ok(T::default()) };
    let mut configuration = configuration.clone();
    if let Some(all) = configuration.as_object_mut() {
        all.retain(|key, _| !matches!(key.as_str(), "apiVersion" | "kind"));
    }
    serde_json::from_value(configuration).map_err(|error| error.to_string())
}

fn service_account(making: &Making<'_>) -> Made {
    let env = making.env.clone();
    plain(ServiceAccount::new(move || env.suffix(5)))
}

fn pod_security(making: &Making<'_>) -> Made {
    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Configuration {
        defaults: Policy,
        exemptions: Exemptions,
    }
    let Configuration { defaults, exemptions } = configured(making)?;
    plain(PodSecurity::new(defaults, exemptions))
}

fn pod_node_selector(making: &Making<'_>) -> Made {
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase", deny_unknown_fields)]
    struct Configuration {
        pod_node_selector_plugin_config: PodNodeSelector,
    }
    let Configuration { pod_node_selector_plugin_config } = configured(making)?;
    plain(pod_node_selector_plugin_config)
}

fn event_rate_limit(making: &Making<'_>) -> Made {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Configuration {
        limits: Vec<EventLimit>,
    }
    let Configuration { limits } = configured(making)?;
    if limits.is_empty() {
        return Err("limits: at least one is needed".into());
    }
    plain(EventRateLimit::new(limits))
}

fn resource_quota(making: &Making<'_>) -> Made {
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase", deny_unknown_fields)]
    struct Configuration {
        limited_resources: Vec<LimitedResource>,
    }
    let Configuration { limited_resources } = configured(making)?;
    plain(ResourceQuota::new(limited_resources))
}
