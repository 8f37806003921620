//! A CustomResourceDefinition as it is read to serve what it defines.

use serde::Deserialize;
use serde_json::value::RawValue;
use windlass_core::scheme::GroupVersion;

/// What is read of a definition. Schemas stay as they are written.
#[derive(Debug, Deserialize)]
pub(super) struct Definition<'a> {
    #[serde(borrow)]
    pub(super) spec: Spec<'a>,
    #[serde(default)]
    pub(super) status: DefinitionStatus,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec<'a> {
    pub(super) group: String,
    #[serde(default)]
    pub(super) scope: String,
    #[serde(borrow)]
    pub(super) versions: Vec<Version<'a>>,
    #[serde(default)]
    pub(super) conversion: Option<ConversionSpec>,
    #[serde(default)]
    pub(super) preserve_unknown_fields: bool,
}

/// The names of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Names {
    pub(super) plural: String,
    pub(super) singular: String,
    pub(super) short_names: Vec<String>,
    pub(super) kind: String,
    pub(super) list_kind: String,
    pub(super) categories: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version<'a> {
    pub(super) name: String,
    #[serde(default)]
    pub(super) served: bool,
    #[serde(default)]
    pub(super) storage: bool,
    #[serde(default)]
    pub(super) deprecated: bool,
    #[serde(default)]
    pub(super) deprecation_warning: Option<String>,
    #[serde(borrow, default)]
    pub(super) schema: Option<VersionSchema<'a>>,
    #[serde(default)]
    pub(super) subresources: Option<Subresources>,
    #[serde(default)]
    pub(super) additional_printer_columns: Vec<PrinterColumn>,
    #[serde(default)]
    pub(super) selectable_fields: Vec<SelectableField>,
}

#[derive(Debug, Deserialize)]
pub(super) struct VersionSchema<'a> {
    #[serde(borrow, rename = "openAPIV3Schema", default)]
    pub(super) schema: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Subresources {
    #[serde(default)]
    pub(super) status: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    pub(super) scale: Option<ScaleSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScaleSpec {
    #[serde(default)]
    pub(super) spec_replicas_path: String,
    #[serde(default)]
    pub(super) status_replicas_path: String,
    #[serde(default)]
    pub(super) label_selector_path: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PrinterColumn {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) ty: String,
    pub(super) format: String,
    pub(super) description: String,
    pub(super) priority: i32,
    pub(super) json_path: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SelectableField {
    #[serde(default)]
    pub(super) json_path: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ConversionSpec {
    #[serde(default)]
    pub(super) strategy: String,
    #[serde(default)]
    pub(super) webhook: Option<ConversionWebhook>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConversionWebhook {
    #[serde(default)]
    pub(super) client_config: crate::webhook::ClientConfig,
    #[serde(default)]
    pub(super) conversion_review_versions: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DefinitionStatus {
    pub(super) conditions: Vec<Condition>,
    pub(super) accepted_names: Names,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    ty: String,
    status: String,
}

// === impl Definition ===

impl Definition<'_> {
    /// The version in which objects are stored.
    pub(super) fn storage(&self) -> Option<GroupVersion> {
        self.spec.versions.iter().find(|version| version.storage).map(|v| self.version(v))
    }

    /// A version with its group.
    pub(super) fn version(&self, version: &Version<'_>) -> GroupVersion {
        let (group, version) = (self.spec.group.clone().into(), version.name.clone().into());
        GroupVersion { group, version }
    }

    /// Whether a condition is true.
    pub(super) fn is(&self, condition: &str) -> bool {
        let named = |c: &&Condition| c.ty == condition;
        self.status.conditions.iter().find(named).is_some_and(|c| c.status == "True")
    }
}

// === impl PrinterColumn ===

impl PrinterColumn {
    /// What kinds show that name no columns.
    pub(super) fn age() -> Self {
        Self {
            name: "Age".into(),
            ty: "date".into(),
            json_path: ".metadata.creationTimestamp".into(),
            ..Self::default()
        }
    }
}
