//! What a pod or a PersistentVolume says of a volume.

use super::record::Record;
use crate::plugins::proto::csi::volume_capability::access_mode::Mode;
use crate::pod::PodExt;
use crate::volumes::{Setup, VolumeError};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use windlass_core::apis::core::v1::{PersistentVolume, SecretReference};
use windlass_core::apis::storage::v1::CSIDriverSpec;

/// A volume of a driver.
pub(super) struct Source {
    /// The PersistentVolume's name, or that of the pod's volume.
    pub(super) name: String,
    pub(super) driver: String,
    pub(super) handle: String,
    pub(super) fs_type: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) read_only: bool,
    pub(super) mount_options: Vec<String>,
    access_modes: Vec<String>,
    /// It comes and goes with its pod.
    pub(super) ephemeral: bool,
    pub(super) stage_secret: Option<SecretReference>,
    pub(super) publish_secret: Option<SecretReference>,
    pub(super) expand_secret: Option<SecretReference>,
}

// === impl Source ===

impl Source {
    /// The volume that a pod brings itself.
    pub(super) fn inline(setup: &Setup<'_>) -> Self {
        let source = setup.volume.csi.clone().unwrap_or_default();
        let name = &setup.volume.name;
        let namespace = setup.pod.namespace().to_owned();
        let secret = source
            .node_publish_secret_ref
            .map(|secret| SecretReference { name: Some(secret.name), namespace: Some(namespace) });
        Self {
            name: name.clone(),
            driver: source.driver,
            handle: format!("csi-{}", hash(&[setup.pod.uid(), name])),
            fs_type: source.fs_type.unwrap_or_default(),
            attributes: source.volume_attributes.unwrap_or_default(),
            read_only: source.read_only == Some(true),
            mount_options: Vec::new(),
            access_modes: vec!["ReadWriteOnce".into()],
            ephemeral: true,
            stage_secret: None,
            publish_secret: secret,
            expand_secret: None,
        }
    }

    /// The volume of a PersistentVolume.
    ///
    /// # Errors
    /// When it is a device, or of no driver at all.
    pub(super) fn persistent(
        volume: &PersistentVolume,
        read_only: bool,
    ) -> Result<Self, VolumeError> {
        let name = volume.metadata.name.clone().unwrap_or_default();
        let spec = volume.spec.clone().unwrap_or_default();
        if spec.volume_mode.as_deref() == Some("Block") {
            let why = format!("volume \"{name}\" is a device: that is not supported");
            return Err(VolumeError::Unmet(why));
        }
        let source = spec
            .csi
            .ok_or_else(|| VolumeError::Unmet(format!("volume \"{name}\" is of no CSI driver")))?;
        Ok(Self {
            name,
            driver: source.driver,
            handle: source.volume_handle,
            fs_type: source.fs_type.unwrap_or_default(),
            attributes: source.volume_attributes.unwrap_or_default(),
            read_only: read_only || source.read_only == Some(true),
            mount_options: spec.mount_options.unwrap_or_default(),
            access_modes: spec.access_modes.unwrap_or_default(),
            ephemeral: false,
            stage_secret: source.node_stage_secret_ref,
            publish_secret: source.node_publish_secret_ref,
            expand_secret: source.node_expand_secret_ref,
        })
    }

    /// Whether its driver is one for such volumes; what the API says of the driver decides.
    pub(super) fn check(&self, rules: Option<&CSIDriverSpec>) -> Result<(), VolumeError> {
        let modes = rules.and_then(|rules| rules.volume_lifecycle_modes.as_ref());
        let mode = if self.ephemeral { "Ephemeral" } else { "Persistent" };
        let takes = match modes.filter(|modes| !modes.is_empty()) {
            Some(modes) => modes.iter().any(|one| one == mode),
            None => !self.ephemeral,
        };
        if takes {
            return Ok(());
        }
        let driver = &self.driver;
        let why = if rules.is_some() { "only supports others" } else { "no CSIDriver object" };
        Err(VolumeError::Unmet(format!(
            "volume mode \"{mode}\" not supported by driver {driver} ({why})"
        )))
    }

    /// What is written down of it.
    pub(super) fn record(&self, node: &str) -> Record {
        Record {
            attachment: format!("csi-{}", hash(&[&self.handle, &self.driver, node])),
            driver: self.driver.clone(),
            node: node.to_owned(),
            spec_name: self.name.clone(),
            handle: self.handle.clone(),
            mode: if self.ephemeral { "Ephemeral" } else { "Persistent" }.into(),
        }
    }

    /// Whether it is used from one node at a time.
    pub(super) fn is_of_one_node(&self) -> bool {
        let one = |mode: &String| mode == "ReadWriteOnce" || mode == "ReadWriteOncePod";
        self.access_modes.iter().any(one)
    }

    /// The first mode of access, as CSI has it; `precise` if the driver tells apart how many write on one node.
    pub(super) fn access_mode(&self, precise: bool) -> Mode {
        match (self.access_modes.first().map(String::as_str), precise) {
            (Some("ReadOnlyMany"), _) => Mode::MultiNodeReaderOnly,
            (Some("ReadWriteMany"), _) => Mode::MultiNodeMultiWriter,
            (Some("ReadWriteOncePod"), true) => Mode::SingleNodeSingleWriter,
            (_, true) => Mode::SingleNodeMultiWriter,
            (_, false) => Mode::SingleNodeWriter,
        }
    }
}

/// SHA-256 of texts one after the other.
pub(super) fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
