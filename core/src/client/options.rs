//! The options of requests, and how they stand in a query (API reference, "Common parameters").

use serde::{Deserialize, Serialize};

/// What to list or watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Only objects with these labels; see [`crate::meta::LabelSelector`].
    pub label_selector: String,
    /// Only objects with these fields; see [`crate::meta::FieldSelector`].
    pub field_selector: String,
    /// Empty: the newest; `0`: whatever the cache has; else as `version_match` says.
    pub resource_version: String,
    /// What `resource_version` means for a list.
    pub version_match: Option<VersionMatch>,
    /// At most so many in one answer; 0 for all.
    pub limit: u64,
    /// Where the last page ended.
    pub continue_token: String,
    /// A watch ends after so many seconds.
    pub timeout_seconds: Option<u64>,
    /// A watch also says when nothing happened.
    pub allow_bookmarks: bool,
    /// A watch first sends all objects, then a bookmark that says so (KEP-3157).
    pub send_initial_events: Option<bool>,
}

/// What a resource version asks of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionMatch {
    /// Exactly that version.
    Exact,
    /// That or a newer one.
    NotOlderThan,
}

/// How to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Do all but keep it.
    pub dry_run: bool,
    /// Who changes it, in `managedFields`.
    pub field_manager: String,
    /// `Strict`, `Warn` or `Ignore`; empty is the server's choice.
    pub field_validation: String,
    /// Take fields from other managers (apply only).
    pub force: bool,
}

/// How to delete. Serializes as `metav1.DeleteOptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeleteOptions {
    /// Seconds to let a pod end by itself; the object's own when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_period_seconds: Option<i64>,
    /// Only if these hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preconditions: Option<Preconditions>,
    /// The old way to say [`Propagation::Orphan`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orphan_dependents: Option<bool>,
    /// What becomes of what it owns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propagation_policy: Option<Propagation>,
    /// `All`: do all but keep it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<Vec<String>>,
}

/// What must hold of an object that is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Preconditions {
    /// It has this uid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// It is at this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

/// What becomes of what a deleted object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    /// It stays, without the owner.
    Orphan,
    /// It goes, later.
    Background,
    /// It goes, first.
    Foreground,
}

type Pairs = Vec<(String, String)>;

// === impl ListOptions ===

impl ListOptions {
    /// Reads a query; what it does not know is left alone.
    ///
    /// # Errors
    /// The name of the first parameter whose value can't be read.
    pub fn from_query(query: &[(String, String)]) -> Result<Self, String> {
        let mut options = Self::default();
        for (name, value) in firsts(query) {
            options.read(name, value).ok_or_else(|| format!("{name}: invalid value {value:?}"))?;
        }
        Ok(options)
    }

    fn read(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "labelSelector" => self.label_selector = value.into(),
            "fieldSelector" => self.field_selector = value.into(),
            "resourceVersion" => self.resource_version = value.into(),
            "resourceVersionMatch" => self.version_match = VersionMatch::read(value)?,
            "limit" => self.limit = number(value)?.unwrap_or(0),
            "continue" => self.continue_token = value.into(),
            "timeoutSeconds" => self.timeout_seconds = number(value)?,
            "allowWatchBookmarks" => self.allow_bookmarks = flag(value),
            "sendInitialEvents" => self.send_initial_events = Some(flag(value)),
            _ => {}
        }
        Some(())
    }

    /// As a query, without `watch`.
    #[must_use]
    pub fn to_query(&self) -> Pairs {
        let mut query = Pairs::new();
        let mut add = |name: &str, value: String| {
            if !value.is_empty() {
                query.push((name.into(), value));
            }
        };
        let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
        let flag = |b: Option<bool>| b.map(|b| b.to_string()).unwrap_or_default();
        add("labelSelector", self.label_selector.clone());
        add("fieldSelector", self.field_selector.clone());
        add("resourceVersion", self.resource_version.clone());
        add(
            "resourceVersionMatch",
            self.version_match.map(|m| format!("{m:?}")).unwrap_or_default(),
        );
        add("limit", number(Some(self.limit).filter(|limit| *limit > 0)));
        add("continue", self.continue_token.clone());
        add("timeoutSeconds", number(self.timeout_seconds));
        add("allowWatchBookmarks", flag(Some(self.allow_bookmarks).filter(|b| *b)));
        add("sendInitialEvents", flag(self.send_initial_events));
        query
    }
}

impl VersionMatch {
    fn read(value: &str) -> Option<Option<Self>> {
        match value {
            "" => Some(None),
            "Exact" => Some(Some(Self::Exact)),
            "NotOlderThan" => Some(Some(Self::NotOlderThan)),
            _ => None,
        }
    }
}

// === impl WriteOptions ===

impl WriteOptions {
    /// Options that only name who writes.
    pub fn manager(name: impl Into<String>) -> Self {
        Self { field_manager: name.into(), ..Self::default() }
    }

    /// Reads a query; what it does not know is left alone.
    ///
    /// # Errors
    /// The name of the first parameter whose value can't be read.
    pub fn from_query(query: &[(String, String)]) -> Result<Self, String> {
        let mut options = Self::default();
        for (_, value) in query.iter().filter(|(name, value)| name == "dryRun" && !value.is_empty())
        {
            match value.as_str() {
                "All" => options.dry_run = true,
                _ => return Err(format!("dryRun: invalid value {value:?}")),
            }
        }
        for (name, value) in firsts(query) {
            match name.as_str() {
                "fieldManager" => options.field_manager.clone_from(value),
                "fieldValidation" => options.field_validation.clone_from(value),
                "force" => options.force = flag(value),
                _ => {}
            }
        }
        Ok(options)
    }

    /// As a query.
    #[must_use]
    pub fn to_query(&self) -> Pairs {
        let mut query = Pairs::new();
        if self.dry_run {
            query.push(("dryRun".into(), "All".into()));
        }
        for (name, value) in
            [("fieldManager", &self.field_manager), ("fieldValidation", &self.field_validation)]
        {
            if !value.is_empty() {
                query.push((name.into(), value.clone()));
            }
        }
        if self.force {
            query.push(("force".into(), "true".into()));
        }
        query
    }
}

// === impl DeleteOptions ===

impl DeleteOptions {
    /// Only the object with this uid.
    pub fn uid(uid: impl Into<String>) -> Self {
        let preconditions = Preconditions { uid: Some(uid.into()), resource_version: None };
        Self { preconditions: Some(preconditions), ..Self::default() }
    }

    /// Whether nothing shall be kept: any stage that is named says so, also one that nobody knows.
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        self.dry_run.as_ref().is_some_and(|stages| !stages.is_empty())
    }
}

/// Of a parameter that stands there twice the first counts, as Go reads a query: whoever decides about a request and whoever
/// answers it must see the same.
fn firsts(query: &[(String, String)]) -> impl Iterator<Item = &(String, String)> {
    let is_first = |(at, (name, _)): &(usize, &(String, String))| {
        query[..*at].iter().all(|(before, _)| before != name)
    };
    query.iter().enumerate().filter(is_first).map(|(_, pair)| pair)
}

#[allow(clippy::option_option, reason = "outer: readable, inner: given")]
fn number(value: &str) -> Option<Option<u64>> {
    if value.is_empty() { Some(None) } else { value.parse().ok().map(Some) }
}

/// A flag in a query: given, it is set, unless it says `false` or `0` (apimachinery's conversion of queries).
pub(crate) fn flag(value: &str) -> bool {
    value != "0" && !value.eq_ignore_ascii_case("false")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_stands_there_twice_the_first_counts() {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let query = [
            ("fieldSelector", "spec.nodeName=other"),
            ("fieldSelector", "spec.nodeName=own"),
            ("limit", "1"),
            ("limit", "x"),
            ("fieldManager", "a"),
            ("fieldManager", "b"),
            ("dryRun", ""),
            ("dryRun", "All"),
        ]
        .map(pair);
        let list = ListOptions::from_query(&query).unwrap();
        assert_eq!((list.field_selector.as_str(), list.limit), ("spec.nodeName=other", 1));
        let write = WriteOptions::from_query(&query).unwrap();
        assert_eq!((write.field_manager.as_str(), write.dry_run), ("a", true));
        assert!(WriteOptions::from_query(&[("dryRun", "All"), ("dryRun", "x")].map(pair)).is_err());
    }
}
