//! What of an agent the kubelet's flags choose.

use std::path::PathBuf;
use windlass_agent::eviction::{ThresholdError, period};

/// How an agent treats its node, in the kubelet's words.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct KubeletOptions {
    /// Folder of static pods, each described by a file
    #[cfg_attr(feature = "cli", arg(long, value_name = "DIR"))]
    pub pod_manifest_path: Option<PathBuf>,
    /// What must be left for pods not to be evicted at once, as memory.available<100Mi,nodefs.available<10%
    #[cfg_attr(feature = "cli", arg(long, value_name = "SIGNAL<AMOUNT,.."))]
    pub eviction_hard: Option<String>,
    /// What must be left for pods not to be evicted after a grace period
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "SIGNAL<AMOUNT,..", requires = "eviction_soft_grace_period")
    )]
    pub eviction_soft: Option<String>,
    /// The grace periods, as memory.available=1m30s
    #[cfg_attr(feature = "cli", arg(long, value_name = "SIGNAL=PERIOD,.."))]
    pub eviction_soft_grace_period: Option<String>,
    /// Most seconds that a pod may take to end when it is evicted after a grace period
    #[cfg_attr(feature = "cli", arg(long, value_name = "SECONDS"))]
    pub eviction_max_pod_grace_period: Option<u64>,
    /// How long the node shows pressure after it is over [default: 5m]
    #[cfg_attr(feature = "cli", arg(long, value_name = "PERIOD"))]
    pub eviction_pressure_transition_period: Option<String>,
}

impl KubeletOptions {
    /// Puts what was chosen into an agent's settings.
    ///
    /// # Errors
    /// What can't be understood.
    pub fn apply(&self, config: &mut windlass_agent::Config) -> Result<(), ThresholdError> {
        config.static_pod_path.clone_from(&self.pod_manifest_path);
        let eviction = &mut config.eviction;
        if let Some(words) = &self.eviction_hard {
            eviction.set_hard(words)?;
        }
        if let Some(words) = &self.eviction_soft {
            let graces = self.eviction_soft_grace_period.as_deref().unwrap_or_default();
            eviction.set_soft(words, graces)?;
        }
        if let Some(seconds) = self.eviction_max_pod_grace_period {
            eviction.max_pod_grace = std::time::Duration::from_secs(seconds);
        }
        if let Some(words) = &self.eviction_pressure_transition_period {
            eviction.pressure_transition = period(words)?;
        }
        Ok(())
    }
}
