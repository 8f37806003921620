//! Watches pods over TLS until all are bound.

use crate::create::Pods;
use bytes::BytesMut;
use parking_lot::Mutex;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use windlass_benches::wire;

/// One watch, and what it saw.
pub(crate) struct Bound {
    pods: Arc<Pods>,
    /// It sees what comes after this version.
    version: String,
    asked: AtomicBool,
    count: AtomicUsize,
    seen: Mutex<Seen>,
}

struct Seen {
    /// The beginning of an event whose end has not come yet.
    line: Vec<u8>,
    bound: Vec<bool>,
    /// From sent to seen bound, in nanoseconds.
    times: Vec<u64>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow, default)]
    object: Pod<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pod<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow)]
    spec: Spec<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata<'a> {
    name: &'a str,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec<'a> {
    node_name: &'a str,
}

// === impl Bound ===

impl Bound {
    pub(crate) fn new(pods: Arc<Pods>, version: String) -> Self {
        let (asked, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        let bound = vec![false; pods.count as usize];
        let seen = Seen { line: Vec::new(), bound, times: Vec::new() }.into();
        Self { pods, version, asked, count, seen }
    }

    /// How many it saw.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// From sent to seen bound, in nanoseconds, of each that it saw.
    pub(crate) fn times(&self) -> Vec<u64> {
        std::mem::take(&mut self.seen.lock().times)
    }

    /// False when it is no event of a pod.
    fn see(&self, line: &[u8], seen: &mut Seen) -> bool {
        let Ok(event) = serde_json::from_slice::<Event<'_>>(line) else { return false };
        let pod = &event.object;
        if !pod.spec.node_name.is_empty()
            && let Some((number, time)) = self.pods.since(pod.metadata.name)
            && !std::mem::replace(&mut seen.bound[number], true)
        {
            seen.times.push(time);
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        event.kind != "ERROR"
    }
}

impl wire::Load for Bound {
    fn fields(&self) -> Vec<(&'static str, String)> {
        wire::json_fields("GET", &self.pods.authority, "scheduler-load/1")
    }

    fn longest(&self) -> usize {
        0
    }

    fn next(&self, path: &mut String, _: &mut BytesMut) -> bool {
        let (namespace, version) = (self.pods.namespace, &self.version);
        path.push_str(&format!(
            "/api/v1/namespaces/{namespace}/pods?watch=1&resourceVersion={version}"
        ));
        !self.asked.swap(true, Ordering::Relaxed)
    }

    /// Each event is one line, whatever pieces it comes in.
    fn take(&self, _: u32, _: bool, piece: &[u8]) -> bool {
        let mut seen = self.seen.lock();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            seen.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut seen.line);
                if !self.see(&line, &mut seen) {
                    return false;
                }
            }
        }
        true
    }

    fn enough(&self) -> bool {
        self.count() as u64 == self.pods.count
    }
}
