//! When it is time to act, in the kubelet's words.

use std::collections::BTreeMap;
use std::time::Duration;
use windlass_core::meta::Quantity;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// `memory.available`.
    MemoryAvailable,
    /// `nodefs.available`: the disk of volumes and logs.
    NodefsAvailable,
    /// `nodefs.inodesFree`.
    NodefsInodesFree,
    /// `imagefs.available`: the disk of images, which may be the same.
    ImagefsAvailable,
    /// `imagefs.inodesFree`.
    ImagefsInodesFree,
    /// `pid.available`.
    PidAvailable,
}

/// How little is too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Bytes, or a number.
    Absolute(i64),
    /// Ten-thousandths of all there is.
    Part(u32),
    /// Ten-thousandths of all there is, but no more than so much.
    PartUpTo(u32, i64),
}

/// Less of something than this is too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// Of what.
    pub signal: Signal,
    /// How little.
    pub amount: Amount,
    /// How long it may be so before pods go; `None`: not at all, and they go at once.
    pub grace: Option<Duration>,
}

/// How a node defends itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// The thresholds, hard (without grace) and soft ones.
    pub thresholds: Vec<Threshold>,
    /// The longest that a pod may take to end when it goes because of a soft threshold.
    pub max_pod_grace: Duration,
    /// How long the node shows pressure after it was seen last.
    pub pressure_transition: Duration,
}

/// What is wrong with the words of a threshold.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// It is no `SIGNAL<AMOUNT`, or the signal is not known.
    #[error(
        "invalid eviction threshold \"{0}\": expected SIGNAL<QUANTITY or SIGNAL<PERCENTAGE%, with SIGNAL one of memory.available, nodefs.available, nodefs.inodesFree, imagefs.available, imagefs.inodesFree, pid.available"
    )]
    Invalid(String),
    /// A signal has two thresholds of a kind.
    #[error("duplicate eviction threshold for {0}")]
    Duplicate(String),
    /// It is no length of time.
    #[error("invalid period \"{0}\"")]
    Period(String),
    /// A soft threshold has no grace period.
    #[error("grace period must be specified for the soft eviction threshold {0}")]
    NoGrace(String),
}

const SIGNALS: [(Signal, &str); 6] = [
    (Signal::MemoryAvailable, "memory.available"),
    (Signal::NodefsAvailable, "nodefs.available"),
    (Signal::NodefsInodesFree, "nodefs.inodesFree"),
    (Signal::ImagefsAvailable, "imagefs.available"),
    (Signal::ImagefsInodesFree, "imagefs.inodesFree"),
    (Signal::PidAvailable, "pid.available"),
];

// === impl Signal ===

impl Signal {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        SIGNALS.iter().find(|(signal, _)| *signal == self).map_or("", |(_, name)| name)
    }

    fn parse(name: &str) -> Option<Self> {
        SIGNALS.iter().find(|(_, known)| *known == name).map(|(signal, _)| *signal)
    }

    /// Whether it is of a disk, of which images may be taken away.
    pub(super) fn is_disk(self) -> bool {
        !matches!(self, Self::MemoryAvailable | Self::PidAvailable)
    }

    /// Whether it is of the disk of images, and not of the disk of volumes and logs.
    pub(super) fn is_images(self) -> bool {
        matches!(self, Self::ImagefsAvailable | Self::ImagefsInodesFree)
    }

    /// What runs short, as messages name it.
    pub(super) fn resource(self) -> &'static str {
        match self {
            Self::MemoryAvailable => "memory",
            Self::NodefsAvailable | Self::ImagefsAvailable => "ephemeral-storage",
            Self::NodefsInodesFree | Self::ImagefsInodesFree => "inodes",
            Self::PidAvailable => "pids",
        }
    }
}

// === impl Amount ===

impl Amount {
    /// How much that is where there is so much in all.
    #[must_use]
    pub fn of(self, capacity: i64) -> i64 {
        let part = |part: u32| {
            i64::try_from(i128::from(capacity) * i128::from(part) / 10_000).unwrap_or(i64::MAX)
        };
        match self {
            Self::Absolute(amount) => amount,
            Self::Part(ten_thousandths) => part(ten_thousandths),
            Self::PartUpTo(ten_thousandths, most) => part(ten_thousandths).min(most),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            None => {
                let quantity = text.parse::<Quantity>().ok()?;
                (quantity >= Quantity::default()).then(|| Self::Absolute(quantity.units()))
            }
            Some(percent) => {
                let percent: f64 = percent.parse().ok()?;
                // Checked to fit.
                (percent > 0.0 && percent < 100.0)
                    .then(|| Self::Part((percent * 100.0).round() as u32))
            }
        }
    }
}

// === impl Eviction ===

impl Default for Eviction {
    /// The kubelet's, but that ten gibibytes of free disk are never too little: a tenth of a large disk is plenty.
    fn default() -> Self {
        let hard = |signal, amount| Threshold { signal, amount, grace: None };
        Self {
            thresholds: vec![
                hard(Signal::MemoryAvailable, Amount::Absolute(100 << 20)),
                hard(Signal::NodefsAvailable, Amount::PartUpTo(1000, 10 << 30)),
                hard(Signal::NodefsInodesFree, Amount::Part(500)),
                hard(Signal::ImagefsAvailable, Amount::PartUpTo(1500, 10 << 30)),
                hard(Signal::ImagefsInodesFree, Amount::Part(500)),
            ],
            max_pod_grace: Duration::ZERO,
            pressure_transition: Duration::from_secs(300),
        }
    }
}

impl Eviction {
    /// Takes hard thresholds in the place of those that there are: `memory.available<100Mi,nodefs.available<10%`. None
    /// at all switches them off.
    ///
    /// # Errors
    /// When they can't be understood.
    pub fn set_hard(&mut self, words: &str) -> Result<(), ThresholdError> {
        let hard = parse(words, |_| Ok(None))?;
        self.thresholds.retain(|threshold| threshold.grace.is_some());
        self.thresholds.extend(hard);
        Ok(())
    }

    /// Takes soft thresholds in the place of those that there are, each with the grace period of its signal:
    /// `memory.available=1m30s`.
    ///
    /// # Errors
    /// When they can't be understood, or one has no grace period.
    pub fn set_soft(&mut self, words: &str, graces: &str) -> Result<(), ThresholdError> {
        let graces = periods(graces)?;
        let soft = parse(words, |name| match graces.get(name) {
            Some(grace) => Ok(Some(*grace)),
            None => Err(ThresholdError::NoGrace(name.to_owned())),
        })?;
        self.thresholds.retain(|threshold| threshold.grace.is_none());
        self.thresholds.extend(soft);
        Ok(())
    }
}

fn parse(
    words: &str,
    grace: impl Fn(&str) -> Result<Option<Duration>, ThresholdError>,
) -> Result<Vec<Threshold>, ThresholdError> {
    let mut all: Vec<Threshold> = Vec::new();
    for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let invalid = || ThresholdError::Invalid(word.to_owned());
        let (name, amount) = word.split_once('<').ok_or_else(invalid)?;
        let signal = Signal::parse(name).ok_or_else(invalid)?;
        let amount = Amount::parse(amount).ok_or_else(invalid)?;
        if all.iter().any(|other| other.signal == signal) {
            return Err(ThresholdError::Duplicate(name.to_owned()));
        }
        all.push(Threshold { signal, amount, grace: grace(name)? });
    }
    Ok(all)
}

/// A length of time as Kubernetes writes it: `1m30s`.
///
/// # Errors
/// When it is none, or below zero.
pub fn period(text: &str) -> Result<Duration, ThresholdError> {
    let parsed = text.trim().parse::<jiff::SignedDuration>().ok();
    let parsed = parsed.and_then(|parsed| Duration::try_from(parsed).ok());
    parsed.ok_or_else(|| ThresholdError::Period(text.to_owned()))
}

fn periods(words: &str) -> Result<BTreeMap<&str, Duration>, ThresholdError> {
    let words = words.split(',').map(str::trim).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let (name, text) =
                word.split_once('=').ok_or_else(|| ThresholdError::Period(word.to_owned()))?;
            Ok((name, period(text)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read_as_the_kubelet_does() {
        let mut eviction = Eviction::default();
        eviction.set_hard("memory.available<1Gi,nodefs.available<7.5%").expect("fine");
        let hard = |signal, amount| Threshold { signal, amount, grace: None };
        let wanted = [
            hard(Signal::MemoryAvailable, Amount::Absolute(1 << 30)),
            hard(Signal::NodefsAvailable, Amount::Part(750)),
        ];
        assert_eq!(eviction.thresholds, wanted);
        eviction.set_soft("pid.available<10", "pid.available=1m30s").expect("fine");
        assert_eq!(eviction.thresholds[2].grace, Some(Duration::from_secs(90)));
        eviction.set_hard("").expect("fine");
        assert_eq!(eviction.thresholds.len(), 1, "the soft one stays");
    }

    #[test]
    fn what_cant_be_meant_is_refused() {
        let hard = |words: &str| Eviction::default().set_hard(words).expect_err(words);
        for words in
            ["memory<1Gi", "memory.available>1Gi", "memory.available<x", "pid.available<100%"]
        {
            assert_eq!(hard(words), ThresholdError::Invalid(words.into()));
        }
        let twice = hard("memory.available<1Gi,memory.available<2Gi");
        assert_eq!(twice, ThresholdError::Duplicate("memory.available".into()));
        let soft = Eviction::default().set_soft("memory.available<1Gi", "");
        assert_eq!(soft, Err(ThresholdError::NoGrace("memory.available".into())));
        assert_eq!(period("-1s"), Err(ThresholdError::Period("-1s".into())));
    }

    #[test]
    fn a_part_of_a_large_disk_is_no_more_than_it_may_be() {
        assert_eq!(Amount::PartUpTo(1000, 50).of(1000), 50);
        assert_eq!(Amount::PartUpTo(1000, 500).of(1000), 100);
        assert_eq!(Amount::Part(500).of(1000), 50);
    }
}
