//! Which standard holds in a namespace: levels, versions, labels (Kubernetes documentation, "Pod Security Admission").

use crate::validation::Errors;
use serde::Deserialize;
use serde::de::Error as _;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The start of all labels.
pub(super) const PREFIX: &str = "pod-security.kubernetes.io/";

/// How strict a standard is; the stricter is the larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Everything is allowed.
    #[default]
    Privileged,
    /// Known ways to gain privileges are not.
    Baseline,
    /// Nothing is that is not needed.
    Restricted,
}

/// The version of a standard: that of the minor release of Kubernetes it came with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Version {
    /// The newest.
    #[default]
    Latest,
    /// `v1.x`.
    Minor(u32),
}

/// A standard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Standard {
    /// How strict.
    pub level: Level,
    /// As of which release.
    pub version: Version,
}

/// The standards of a namespace. In JSON as the `defaults` of Kubernetes' configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Flat")]
pub struct Policy {
    /// A pod that violates this one is refused.
    pub enforce: Standard,
    /// One that violates this one is noted in the audit log.
    pub audit: Standard,
    /// Of one that violates this one the user is warned.
    pub warn: Standard,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
struct Flat {
    enforce: Level,
    enforce_version: Version,
    audit: Level,
    audit_version: Version,
    warn: Level,
    warn_version: Version,
}

/// What a label may say.
const LEVELS: &str = "must be one of privileged, baseline, restricted";
const VERSIONS: &str = "must be \"latest\" or \"v1.x\"";

// === impl Policy ===

impl Policy {
    /// What the labels of a namespace say, and what is wrong with them. What they do not say is by default; what can't
    /// be understood is enforced strictly, and neither warned nor noted.
    pub(super) fn of<'a>(
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        default: Self,
    ) -> (Self, Errors) {
        let labels: BTreeMap<_, _> = labels
            .into_iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, value)))
            .collect();
        let (mut policy, mut errors) = (default, Errors::default());
        let level = |name: &str, otherwise, errors: &mut Errors| {
            Some(read(name, labels.get(name)?, otherwise, LEVELS, errors))
        };
        let enforce = level("enforce", Level::Restricted, &mut errors);
        let known = errors.is_empty();
        let version = |name: &str, errors: &mut Errors| {
            Some(read(name, labels.get(name)?, Version::Latest, VERSIONS, errors))
        };
        let enforced = version("enforce-version", &mut errors);
        policy.enforce = policy.enforce.with(enforce, enforced);
        let audit = level("audit", Level::Privileged, &mut errors);
        let audited = version("audit-version", &mut errors);
        policy.audit = policy.audit.with(audit, audited);
        let warn = level("warn", Level::Privileged, &mut errors);
        let warned = version("warn-version", &mut errors);
        policy.warn = policy.warn.with(warn, warned);
        if warn.is_none() && enforce.is_some() && known && policy.enforce.level > policy.warn.level
        {
            let version = warned.unwrap_or(policy.enforce.version);
            policy.warn = Standard { level: policy.enforce.level, version };
        }
        (policy, errors)
    }

    /// Nothing is asked for.
    pub(super) fn is_privileged(&self) -> bool {
        [self.enforce, self.audit, self.warn].iter().all(|one| one.level == Level::Privileged)
    }

    /// In few words: `enforce=baseline:latest`.
    pub(super) fn summary(&self) -> String {
        let all = [("enforce", self.enforce), ("audit", self.audit), ("warn", self.warn)];
        let strict = all.iter().filter(|(_, one)| one.level != Level::Privileged);
        strict.map(|(mode, one)| format!("{mode}={one}")).collect::<Vec<_>>().join(", ")
    }
}

fn read<T: FromStr>(name: &str, value: &str, otherwise: T, wanted: &str, errors: &mut Errors) -> T {
    value.parse().unwrap_or_else(|_| {
        errors.invalid(format_args!("metadata.labels[{PREFIX}{name}]"), value, wanted);
        otherwise
    })
}

impl From<Flat> for Policy {
    fn from(flat: Flat) -> Self {
        Self {
            enforce: Standard { level: flat.enforce, version: flat.enforce_version },
            audit: Standard { level: flat.audit, version: flat.audit_version },
            warn: Standard { level: flat.warn, version: flat.warn_version },
        }
    }
}

// === impl Standard ===

impl Standard {
    fn with(self, level: Option<Level>, version: Option<Version>) -> Self {
        Self { level: level.unwrap_or(self.level), version: version.unwrap_or(self.version) }
    }
}

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.level, self.version)
    }
}

// === impl Level ===

impl FromStr for Level {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "privileged" => Ok(Self::Privileged),
            "baseline" => Ok(Self::Baseline),
            "restricted" => Ok(Self::Restricted),
            _ => Err(LEVELS),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        })
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

// === impl Version ===

impl Version {
    /// The number that checks go by.
    pub(super) fn minor(self) -> u32 {
        match self {
            Self::Latest => u32::MAX,
            Self::Minor(minor) => minor,
        }
    }
}

impl FromStr for Version {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        let minor = text.strip_prefix("v1.").ok_or(VERSIONS)?;
        let plain = minor == "0" || !minor.starts_with(['0', '+']);
        minor.parse().ok().filter(|_| plain).map(Self::Minor).ok_or(VERSIONS)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Minor(minor) => write!(f, "v1.{minor}"),
        }
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
