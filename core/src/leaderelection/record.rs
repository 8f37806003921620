//! What stands in the Lease, and what follows from it.

use super::Timing;
use crate::error::Result;
use crate::object::Object;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The Lease as its holder wrote it last.
pub(super) type Held = Arc<Object>;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct View {
    spec: Record,
}

/// Who holds it (`LeaseSpec`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) holder_identity: Option<String>,
    lease_duration_seconds: Option<u64>,
    renew_time: Option<String>,
    acquire_time: Option<String>,
    lease_transitions: Option<u64>,
}

/// A record with the time it was first seen, by our clock: those of others are not trusted.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    pub(super) record: Record,
    since: Instant,
}

/// What a candidate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is free, or one's own.
    Claim,
    /// Until then it is another's.
    WaitUntil(Instant),
}

// === impl Record ===

impl Record {
    pub(super) fn of(lease: &Object) -> Result<Self> {
        lease.view::<View>().map(|view| view.spec)
    }

    pub(super) fn holder(&self) -> &str {
        self.holder_identity.as_deref().unwrap_or_default()
    }

    /// Nobody holds it.
    pub(super) fn is_free(&self) -> bool {
        self.holder().is_empty()
    }
}

// === impl Observed ===

impl Observed {
    /// A record that was read at `now`. One that says the same as `before` has been seen then.
    pub(super) fn note(before: Option<Self>, record: Record, now: Instant) -> Self {
        match before {
            Some(before) if before.record == record => before,
            _ => Self { record, since: now },
        }
    }

    /// What follows for a candidate.
    pub(super) fn decide(&self, identity: &str, now: Instant) -> Step {
        let record = &self.record;
        let lasts = Duration::from_secs(record.lease_duration_seconds.unwrap_or(0));
        let ends = self.since + lasts;
        if record.is_free() || record.holder() == identity || ends <= now {
            Step::Claim
        } else {
            Step::WaitUntil(ends)
        }
    }
}

/// A Lease that is not there yet.
pub(super) fn fresh(
    namespace: &str,
    name: &str,
    identity: &str,
    timing: &Timing,
    now: Timestamp,
) -> Bytes {
    let now = micros(now);
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "holderIdentity": identity, "leaseDurationSeconds": timing.lease_duration.as_secs(),
            "acquireTime": now, "renewTime": now, "leaseTransitions": 0,
        },
    })
    .to_string()
    .into()
}

/// The Lease as it is when `identity` takes or renews it, to be written only over this very version.
pub(super) fn claimed(
    lease: &Object,
    identity: &str,
    timing: &Timing,
    now: Timestamp,
) -> Result<Bytes> {
    let (mut whole, record) = (lease.view::<Value>()?, Record::of(lease)?);
    let (now, spec) = (micros(now), &mut whole["spec"]);
    if record.holder() != identity {
        spec["acquireTime"] = now.as_str().into();
        spec["leaseTransitions"] = (record.lease_transitions.unwrap_or(0) + 1).into();
    }
    spec["holderIdentity"] = identity.into();
    spec["leaseDurationSeconds"] = timing.lease_duration.as_secs().into();
    spec["renewTime"] = now.into();
    Ok(whole.to_string().into())
}

/// The Lease as nobody's. Its content was read when it was claimed.
pub(super) fn released(lease: &Object, now: Timestamp) -> Result<Bytes> {
    let mut whole: Value = lease.view()?;
    let (now, spec) = (micros(now), &mut whole["spec"]);
    spec["holderIdentity"] = Value::Null;
    spec["leaseDurationSeconds"] = 1.into();
    spec["acquireTime"] = now.as_str().into();
    spec["renewTime"] = now.into();
    Ok(whole.to_string().into())
}

fn micros(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
