//! Creates pods over TLS.

use crate::scene::Scene;
use bytes::BytesMut;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use windlass_benches::workload::Template;
use windlass_benches::{Numbers, Result, at_rate, wire};
use windlass_core::client::remote::RemoteClient;
use windlass_core::client::{Key, WriteOptions, Writer};
use windlass_core::scheme;

/// An answer of success shows this at its start, a refusal does not.
const SUCCESS: &[u8] = b"\"kind\":\"Pod\"";
/// How far the start goes.
const START: usize = 64;
/// Room for the longest pod.
const LONGEST: usize = 4096;

/// Pods of one template in one namespace, and when each was sent.
pub(crate) struct Pods {
    pub(crate) namespace: &'static str,
    pub(crate) count: u64,
    pub(crate) authority: String,
    template: Template,
    numbers: Numbers,
    begun: Instant,
    /// In nanoseconds from the beginning, by number.
    sent: Vec<AtomicU64>,
}

// === impl Pods ===

impl Pods {
    /// So many, for which there is so much time from now.
    pub(crate) fn new(
        (namespace, template): (&'static str, &Template),
        count: u64,
        authority: &str,
        seconds: f64,
    ) -> Arc<Self> {
        Arc::new(Self {
            namespace,
            count,
            authority: authority.to_owned(),
            template: template.clone(),
            numbers: Numbers::new(count, seconds),
            begun: Instant::now(),
            sent: (0..count).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// Creates all by so many clients, each one after the other.
    pub(crate) async fn create(
        self: &Arc<Self>,
        scene: &Scene,
        clients: usize,
    ) -> Result<Duration> {
        scene.server.run(clients, |_| self.clone()).await?;
        Ok(self.begun.elapsed())
    }

    /// Creates so many a second, whatever becomes of them.
    pub(crate) async fn create_at(&self, scene: &Scene, rate: u64) -> Result<Duration> {
        let client = RemoteClient::from_kubeconfig(&scene.kubeconfig).await?;
        let options = WriteOptions::default();
        let key = Key::new(scheme::PODS, self.namespace, "");
        at_rate(self.count, rate, |number| {
            let (pod, client, key, options) = (self.pod(number), &client, &key, &options);
            async move {
                client.create(key, pod.into(), options).await?;
                Ok(())
            }
        })
        .await?;
        Ok(self.begun.elapsed())
    }

    /// The pod of a number, which is sent now.
    fn pod(&self, number: u64) -> String {
        self.sent[number as usize].store(self.now(), Ordering::Relaxed);
        self.template.pod(self.namespace, &format!("p-{number}"))
    }

    pub(crate) fn passed(&self) -> Duration {
        self.begun.elapsed()
    }

    fn now(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }

    /// The number of the pod of this name, and how long ago it was sent, in nanoseconds.
    pub(crate) fn since(&self, name: &str) -> Option<(usize, u64)> {
        let number: usize = name.strip_prefix("p-")?.parse().ok()?;
        let sent = self.sent.get(number)?.load(Ordering::Relaxed);
        Some((number, self.now().saturating_sub(sent)))
    }
}

impl wire::Load for Pods {
    fn fields(&self) -> Vec<(&'static str, String)> {
        wire::json_fields("POST", &self.authority, "scheduler-load/1")
    }

    fn longest(&self) -> usize {
        LONGEST
    }

    fn next(&self, path: &mut String, body: &mut BytesMut) -> bool {
        let Some(number) = self.numbers.next() else { return false };
        path.push_str(&format!("/api/v1/namespaces/{}/pods", self.namespace));
        body.extend_from_slice(self.pod(number).as_bytes());
        true
    }

    fn take(&self, _: u32, first: bool, piece: &[u8]) -> bool {
        let start = &piece[..piece.len().min(START)];
        !first || start.windows(SUCCESS.len()).any(|window| window == SUCCESS)
    }
}
