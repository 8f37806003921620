//! Flags for admission, under kube-apiserver's names.

use clap::Args;
use std::path::PathBuf;
use windlass_api::admission::{AdmissionConfiguration, Plugins};
use windlass_core::component::BoxError;

/// Which plugins there are, and what they are told.
#[derive(Args)]
#[command(next_help_heading = "Admission")]
pub(super) struct AdmissionFlags {
    /// Plugins beside those that are on by default
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    enable_admission_plugins: Vec<String>,
    /// Plugins that are on by default and shall not be
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    disable_admission_plugins: Vec<String>,
    /// What plugins are told (apiserver.config.k8s.io/v1, AdmissionConfiguration)
    #[arg(long, value_name = "FILE")]
    admission_control_config_file: Option<PathBuf>,
}

impl AdmissionFlags {
    /// The plugins that are asked for.
    pub(super) fn plugins(&self) -> Result<Plugins, BoxError> {
        let (on, off) = (&self.enable_admission_plugins, &self.disable_admission_plugins);
        let plugins = Plugins::new(on.iter().cloned(), off.iter().cloned())?;
        let Some(path) = &self.admission_control_config_file else { return Ok(plugins) };
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        // Other files are found from where this one is.
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        let read = |other: &str| std::fs::read_to_string(folder.join(other));
        let all = AdmissionConfiguration::parse(&text, read).map_err(|error| named(&error))?;
        Ok(plugins.configured(all).map_err(|error| named(&error))?)
    }
}
