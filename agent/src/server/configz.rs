//! `/configz`: the settings that are in force, by the names of a KubeletConfiguration.

use crate::config::Config;
use crate::eviction::{Amount, Threshold};
use serde_json::{Map, Value, json};
use std::time::Duration;

pub(super) fn configz(config: &Config) -> Value {
    let (images, eviction) = (&config.image_gc, &config.eviction);
    let thresholds = |soft: bool, of: &dyn Fn(&Threshold) -> Value| -> Map<String, Value> {
        let all = eviction.thresholds.iter().filter(|threshold| threshold.grace.is_some() == soft);
        all.map(|threshold| (threshold.signal.as_str().to_owned(), of(threshold))).collect()
    };
    let amount = |threshold: &Threshold| json!(words(threshold.amount));
    let grace = |threshold: &Threshold| json!(duration(threshold.grace.unwrap_or_default()));
    let shutdown: Vec<_> = config
        .shutdown_grace
        .iter()
        .map(|g| json!({"priority": g.priority, "shutdownGracePeriodSeconds": g.period.as_secs()}))
        .collect();
    let dns: Vec<_> = config.cluster_dns.iter().map(ToString::to_string).collect();
    json!({"kubeletconfig": {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "staticPodPath": config.static_pod_path.as_ref().map(|path| path.display().to_string()),
        "address": config.node_ip.to_string(),
        "port": config.port,
        "clusterDomain": config.cluster_domain,
        "clusterDNS": dns,
        "resolvConf": config.resolv_conf.display().to_string(),
        "podCIDR": config.pod_cidr,
        "maxPods": config.max_pods,
        "nodeStatusReportFrequency": duration(config.status_period),
        "imageMinimumGCAge": duration(images.minimum_age),
        "imageMaximumGCAge": duration(images.maximum_age.unwrap_or_default()),
        "imageGCHighThresholdPercent": images.high_threshold_percent,
        "imageGCLowThresholdPercent": images.low_threshold_percent,
        "evictionHard": thresholds(false, &amount),
        "evictionSoft": thresholds(true, &amount),
        "evictionSoftGracePeriod": thresholds(true, &grace),
        "evictionPressureTransitionPeriod": duration(eviction.pressure_transition),
        "evictionMaxPodGracePeriod": eviction.max_pod_grace.as_secs(),
        "containerLogMaxSize": config.log_limits.max_bytes.to_string(),
        "containerLogMaxFiles": config.log_limits.max_files,
        "shutdownGracePeriodByPodPriority": shutdown,
    }})
}

fn words(amount: Amount) -> String {
    match amount {
        Amount::Absolute(amount) => amount.to_string(),
        Amount::Part(part) | Amount::PartUpTo(part, _) => {
            format!("{}%", f64::from(part) / 100.0)
        }
    }
}

/// As Go writes it, without what is shorter than a second: `1h0m0s`.
fn duration(time: Duration) -> String {
    let (minutes, seconds) = (time.as_secs() / 60, time.as_secs() % 60);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_shown_by_the_kubelets_names() {
        let mut config = Config::default();
        let set = config.eviction.set_soft("memory.available<1Gi", "memory.available=1m30s");
        set.expect("a threshold");
        let shown = &configz(&config)["kubeletconfig"];
        assert_eq!(
            (&shown["maxPods"], &shown["clusterDomain"]),
            (&json!(110), &json!("cluster.local"))
        );
        assert_eq!(shown["imageMinimumGCAge"], "2m0s");
        assert_eq!(shown["evictionHard"]["imagefs.available"], "15%");
        assert_eq!(shown["evictionSoft"], json!({"memory.available": "1073741824"}));
        assert_eq!(shown["evictionSoftGracePeriod"], json!({"memory.available": "1m30s"}));
    }

    #[test]
    fn times_are_written_as_go_does() {
        let written = [0, 59, 60, 3600, 3725].map(|s| duration(Duration::from_secs(s)));
        assert_eq!(written, ["0s", "59s", "1m0s", "1h0m0s", "1h2m5s"]);
    }
}
