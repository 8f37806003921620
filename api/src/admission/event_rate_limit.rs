//! Not more events than the server can take (Kubernetes' EventRateLimit admission controller).

#[cfg(test)]
mod tests;

use super::{Admission, AdmissionRequest, Operation};
use crate::strategy::Map;
use crate::strategy::json::str_at;
use async_trait::async_trait;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use tokio::time::Instant;
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme::{self, GroupVersionResource};

/// So many keys a limit remembers when nobody says otherwise.
const KEYS: usize = 4096;

/// Refuses events over one of its limits, with the code 429.
pub struct EventRateLimit {
    limits: Vec<(EventLimit, Mutex<FxHashMap<String, Bucket>>)>,
}

/// A limit. In JSON as in Kubernetes' configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventLimit {
    /// Whose events it counts together.
    #[serde(rename = "type")]
    pub kind: LimitKind,
    /// So many a second in the long run.
    pub qps: u32,
    /// So many at once.
    pub burst: u32,
    /// So many that are counted apart are remembered; 0 for 4096.
    #[serde(default)]
    pub cache_size: usize,
}

/// Whose events are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum LimitKind {
    /// All of them.
    Server,
    /// Those of a namespace.
    Namespace,
    /// Those of a user.
    User,
    /// Those that a source sends about an object.
    SourceAndObject,
}

struct Bucket {
    tokens: f64,
    at: Instant,
}

// === impl EventRateLimit ===

impl EventRateLimit {
    /// Holds all of these limits.
    #[must_use]
    pub fn new(limits: Vec<EventLimit>) -> Self {
        Self { limits: limits.into_iter().map(|limit| (limit, Mutex::default())).collect() }
    }
}

#[async_trait]
impl Admission for EventRateLimit {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        matches!(operation, Operation::Create | Operation::Update)
            && (*resource == scheme::EVENTS || *resource == scheme::EVENTS_K8S_IO_EVENTS)
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if request.is_dry_run() {
            return Ok(());
        }
        let mut over = Vec::new();
        for (limit, buckets) in &self.limits {
            let key = limit.key(request);
            if !take(&mut buckets.lock(), limit, &key, Instant::now()) {
                over.push(format!("limit reached on type {:?} for key {key}", limit.kind));
            }
        }
        match over.as_slice() {
            [] => Ok(()),
            [one] => Err(Status::failure(Reason::TooManyRequests, one).retry_after(1)),
            all => {
                let text = format!("[{}]", all.join(", "));
                Err(Status::failure(Reason::TooManyRequests, text).retry_after(1))
            }
        }
    }
}

// === impl EventLimit ===

impl EventLimit {
    fn key(&self, request: &AdmissionRequest<'_>) -> String {
        match self.kind {
            LimitKind::Server => String::new(),
            LimitKind::Namespace => request.namespace.to_owned(),
            LimitKind::User => request.user.name.clone(),
            LimitKind::SourceAndObject => {
                let empty = Map::new();
                let event = request.object.as_ref().unwrap_or(&empty);
                let source = ["component", "host"].map(|field| str_at(event, &["source", field]));
                let object = ["kind", "namespace", "name", "uid", "apiVersion"];
                let object = object.map(|field| str_at(event, &["involvedObject", field]));
                source.into_iter().chain(object).collect()
            }
        }
    }
}

/// Takes one from the bucket of a key, if there is one in it.
fn take(
    buckets: &mut FxHashMap<String, Bucket>,
    limit: &EventLimit,
    key: &str,
    now: Instant,
) -> bool {
    let burst = f64::from(limit.burst);
    if !buckets.contains_key(key) {
        let most = if limit.cache_size == 0 { KEYS } else { limit.cache_size };
        if buckets.len() >= most {
            let oldest = buckets.iter().min_by_key(|(_, bucket)| bucket.at);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.and_then(|key| buckets.remove(&key));
        }
        buckets.insert(key.to_owned(), Bucket { tokens: burst, at: now });
    }
    let Some(bucket) = buckets.get_mut(key) else { return false };
    let grown = now.duration_since(bucket.at).as_secs_f64() * f64::from(limit.qps);
    (bucket.tokens, bucket.at) = ((bucket.tokens + grown).min(burst), now);
    let enough = bucket.tokens >= 1.0;
    if enough {
        bucket.tokens -= 1.0;
    }
    enough
}
