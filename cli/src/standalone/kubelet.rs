//! What of an agent the kubelet's flags choose.

use std::path::PathBuf;
use std::time::Duration;
use windlass_agent::eviction::period;
use windlass_agent::{ImageGcPolicy, NodeShutdown, PriorityGrace};
use windlass_core::component::BoxError;

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
    /// Images that nothing uses go when more than this percentage of their disk is used [default: 85]
    #[cfg_attr(feature = "cli", arg(long, value_name = "PERCENT"))]
    pub image_gc_high_threshold: Option<u8>,
    /// Until no more than this percentage is used [default: 80]
    #[cfg_attr(feature = "cli", arg(long, value_name = "PERCENT"))]
    pub image_gc_low_threshold: Option<u8>,
    /// How long an image stays at least [default: 2m]
    #[cfg_attr(feature = "cli", arg(long, value_name = "PERIOD"))]
    pub minimum_image_ttl_duration: Option<String>,
    /// Images that were not used for so long go, however much room there is [default: 0s, never]
    #[cfg_attr(feature = "cli", arg(long, value_name = "PERIOD"))]
    pub image_maximum_gc_age: Option<String>,
    /// How long pods may take to end, the least important first, when SIGTERM tells that the machine goes down
    /// [default: 0s, they go on running]
    #[cfg_attr(feature = "cli", arg(long, value_name = "PERIOD"))]
    pub shutdown_grace_period: Option<String>,
    /// How much of that, at its end, is for the pods that the cluster can't do without
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "PERIOD", requires = "shutdown_grace_period")
    )]
    pub shutdown_grace_period_critical_pods: Option<String>,
}

/// Ends a node's pods before its agent stops.
#[derive(Clone)]
pub struct Farewell {
    node: NodeShutdown,
    within: Duration,
}

// === impl Farewell ===

impl Farewell {
    /// How much longer than pods may take is waited at most.
    const SPARE: Duration = Duration::from_secs(10);

    /// What is to be done before the agent of `node`, which has these settings, stops; none when its pods go on.
    #[must_use]
    pub fn of(config: &windlass_agent::Config, node: NodeShutdown) -> Option<Self> {
        let graces = &config.shutdown_grace;
        let within = graces.iter().map(|grace| grace.period).sum::<Duration>() + Self::SPARE;
        (!graces.is_empty()).then_some(Self { node, within })
    }

    /// Ends the pods; returns when they have ended or their time is over.
    pub async fn say(&self) {
        if tokio::time::timeout(self.within, self.node.end_pods()).await.is_err() {
            tracing::warn!("the node's pods did not end in time");
        }
    }
}

// === impl KubeletOptions ===

impl KubeletOptions {
    /// Puts what was chosen into an agent's settings.
    ///
    /// # Errors
    /// What can't be understood.
    pub fn apply(&self, config: &mut windlass_agent::Config) -> Result<(), BoxError> {
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
        config.shutdown_grace = self.shutdown_grace()?;
        self.apply_to_images(&mut config.image_gc)
    }

    fn apply_to_images(&self, policy: &mut ImageGcPolicy) -> Result<(), BoxError> {
        policy.high_threshold_percent =
            self.image_gc_high_threshold.unwrap_or(policy.high_threshold_percent);
        policy.low_threshold_percent =
            self.image_gc_low_threshold.unwrap_or(policy.low_threshold_percent);
        if let Some(words) = &self.minimum_image_ttl_duration {
            policy.minimum_age = period(words)?;
        }
        if let Some(words) = &self.image_maximum_gc_age {
            policy.maximum_age = Some(period(words)?).filter(|age| !age.is_zero());
        }
        Ok(policy.check()?)
    }

    fn shutdown_grace(&self) -> Result<Vec<PriorityGrace>, BoxError> {
        let read = |words: &Option<String>| words.as_deref().map_or(Ok(Duration::ZERO), period);
        let all = read(&self.shutdown_grace_period)?;
        let critical = read(&self.shutdown_grace_period_critical_pods)?;
        match () {
            () if critical > all => {
                Err("--shutdown-grace-period-critical-pods is longer than --shutdown-grace-period"
                    .into())
            }
            () if all.is_zero() => Ok(Vec::new()),
            () => Ok(PriorityGrace::usual(all, critical)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_end_is_shared_with_critical_pods() {
        let read = |all: Option<&str>, critical: Option<&str>| {
            let (all, critical) = (all.map(Into::into), critical.map(Into::into));
            let options = KubeletOptions {
                shutdown_grace_period: all,
                shutdown_grace_period_critical_pods: critical,
                ..KubeletOptions::default()
            };
            let mut config = windlass_agent::Config::default();
            options.apply(&mut config).map(|()| config)
        };
        let seconds = |config: &windlass_agent::Config| {
            config.shutdown_grace.iter().map(|grace| grace.period.as_secs()).collect::<Vec<_>>()
        };
        assert_eq!(seconds(&read(Some("1m"), Some("20s")).unwrap()), [40, 20]);
        for nothing in [None, Some("0s")] {
            let config = read(nothing, None).unwrap();
            assert!(Farewell::of(&config, NodeShutdown::default()).is_none());
        }
        assert!(read(Some("10s"), Some("20s")).is_err());
        assert!(read(Some("soon"), None).is_err());
    }
}
