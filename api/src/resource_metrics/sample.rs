//! What an agent says, read (the kubelet's `/metrics/resource`).

use std::collections::{BTreeMap, HashMap};

const CPU: &str = "cpu_usage_seconds_total";
const MEMORY: &str = "memory_working_set_bytes";
const START: &str = "start_time_seconds";

/// What a node and its containers used at one time.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Sample {
    pub(super) node: Point,
    /// By `namespace/pod`.
    pub(super) pods: HashMap<String, BTreeMap<String, Point>>,
}

/// What one of them used. What was not said is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Point {
    /// When the processor time was read, in milliseconds of the epoch.
    pub(super) at: i64,
    /// Nanoseconds on processors since it was started.
    pub(super) cpu: u64,
    /// Bytes of its working set.
    pub(super) memory: u64,
    /// When it was started, in milliseconds of the epoch.
    pub(super) started: i64,
}

// === impl Sample ===

impl Sample {
    /// Reads Prometheus' text format; `now` is the time of values that do not say theirs, in milliseconds. Metrics that
    /// are not needed are passed over.
    ///
    /// # Errors
    /// The first line that can't be read.
    pub(super) fn parse(text: &str, now: i64) -> Result<Self, String> {
        let mut sample = Self::default();
        for line in text.lines() {
            let read = sample.take(line.trim(), now);
            read.ok_or_else(|| format!("no metric: {:?}", line.get(..200).unwrap_or(line)))?;
        }
        Ok(sample)
    }

    /// None when the line can't be read.
    fn take(&mut self, line: &str, now: i64) -> Option<()> {
        let of_node = line.strip_prefix("node_");
        let Some(rest) = of_node.or_else(|| line.strip_prefix("container_")) else {
            return Some(());
        };
        let Some(what) = [CPU, MEMORY, START].into_iter().find(|name| rest.starts_with(name))
        else {
            return Some(());
        };
        let rest = &rest[what.len()..];
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => rest.split_once('}')?,
            None => ("", rest),
        };
        let mut words = rest.split_whitespace();
        let value: f64 = words.next()?.parse().ok()?;
        let at = words.next().map_or(Some(now), |at| at.parse().ok())?;
        let point = match of_node {
            Some(_) => &mut self.node,
            None => self.container(labels)?,
        };
        // As far as numbers go; what is negative or none at all becomes zero.
        match what {
            CPU => (point.cpu, point.at) = ((value * 1e9) as u64, at),
            MEMORY => point.memory = value as u64,
            _ => point.started = (value * 1e3) as i64,
        }
        Some(())
    }

    fn container(&mut self, labels: &str) -> Option<&mut Point> {
        let find = |name: &str| {
            let mut pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| key.trim() == name)?.1.strip_prefix('"')?.strip_suffix('"')
        };
        let pod = format!("{}/{}", find("namespace")?, find("pod")?);
        Some(self.pods.entry(pod).or_default().entry(find("container")?.to_owned()).or_default())
    }
}
