//! One namespace, many watchers.

use crate::requests::{key, name};
use crate::target::{Place, Target, Which};
use bytes::BytesMut;
use futures::StreamExt;
use futures::future::try_join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use windlass_benches::{Result, at_rate, config_map, micros, wire};
use windlass_core::client::{Client, ListOptions, WatchEvent, WatchStream, WriteOptions};

/// Watchers that see nothing for so long will see nothing more.
const PATIENCE: Duration = Duration::from_secs(30);
/// Watchers get so long to begin.
const SETTLE: Duration = Duration::from_millis(500);
/// Of so many watchers one takes times.
const SAMPLED: usize = 16;
/// Before the number in an object's name.
const NAMED: &[u8] = b"\"name\":\"load-";

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: Which,
    /// Watchers of the one namespace
    #[arg(long, default_value_t = 1000)]
    watchers: usize,
    /// Objects that are made
    #[arg(long, default_value_t = 10_000)]
    updates: u64,
    /// Objects a second
    #[arg(long, default_value_t = 1000)]
    rate: u64,
}

/// What writer and watchers share.
struct Run {
    authority: String,
    begun: Instant,
    updates: u64,
    /// When each object was written, in nanoseconds after the beginning.
    written: Vec<AtomicU64>,
    delivered: AtomicU64,
    /// The version after which is watched.
    version: String,
}

/// The watchers of one connection.
struct Connection {
    run: Arc<Run>,
    begun: AtomicU64,
    watchers: u64,
    lines: AtomicU64,
    delays: parking_lot::Mutex<Vec<u64>>,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let target = options.which.open().await?;
    let run = Arc::new(Run {
        authority: match &target.place {
            Place::There(wire) => wire.authority.clone(),
            Place::Here(_) => String::new(),
        },
        begun: Instant::now(),
        updates: options.updates,
        written: (0..options.updates).map(|_| AtomicU64::new(0)).collect(),
        delivered: AtomicU64::new(0),
        version: newest(&*target.client).await?,
    });
    let idle = target.process.resident()?;
    let watchers = begin(&target, &run, options.watchers).await?;
    tokio::time::sleep(SETTLE).await;
    let each = target.process.resident()?.saturating_sub(idle) as f64 / options.watchers as f64;
    let (cpu, start) = (target.process.cpu()?, Instant::now());
    run.write(&*target.client, options.rate).await?;
    let mut delays = Vec::new();
    for watcher in watchers {
        delays.extend(tokio::time::timeout(PATIENCE, watcher).await???);
    }
    let (passed, cpu) =
        (start.elapsed().as_secs_f64(), (target.process.cpu()? - cpu).as_secs_f64());
    delays.sort_unstable();
    let delivered = run.delivered.load(Ordering::Relaxed);
    println!(
        "events {delivered} of {} updates_per_s {:.0} events_per_s {:.0} p50_ms {:.2} p99_ms {:.2} cpu_cores {:.2} cpu_ns_event {:.0} idle_watcher_kb {:.1}",
        options.updates * options.watchers as u64,
        options.updates as f64 / passed,
        delivered as f64 / passed,
        micros(&delays, 0.5) / 1e3,
        micros(&delays, 0.99) / 1e3,
        cpu / passed,
        cpu * 1e9 / delivered as f64,
        each / 1e3,
    );
    target.close().await;
    Ok(())
}

async fn newest(client: &dyn Client) -> Result<String> {
    let options = ListOptions { limit: 1, ..ListOptions::default() };
    Ok(client.list(&key("").scope(), &options).await?.meta.resource_version)
}

/// Starts all watchers; each ends with the delays it saw when it got everything.
async fn begin(
    target: &Target,
    run: &Arc<Run>,
    watchers: usize,
) -> Result<Vec<JoinHandle<Result<Vec<u64>>>>> {
    if let Place::There(wire) = &target.place {
        let (wire, run) = (wire.clone(), run.clone());
        return Ok(vec![tokio::spawn(there(wire, run, watchers))]);
    }
    let options = ListOptions { resource_version: run.version.clone(), ..ListOptions::default() };
    let scope = key("").scope();
    let streams = (0..watchers).map(|_| target.client.watch(&scope, &options));
    let streams = try_join_all(streams).await?.into_iter().enumerate();
    let begin = |(number, stream)| tokio::spawn(run.clone().see(stream, number % SAMPLED == 0));
    Ok(streams.map(|(number, stream)| begin((number, stream))).collect())
}

async fn there(wire: Arc<wire::Server>, run: Arc<Run>, watchers: usize) -> Result<Vec<u64>> {
    let connections = parking_lot::Mutex::new(Vec::new());
    let load = |share: usize| {
        let connection = Arc::new(Connection {
            run: run.clone(),
            begun: AtomicU64::new(0),
            watchers: share as u64,
            lines: AtomicU64::new(0),
            delays: parking_lot::Mutex::default(),
        });
        connections.lock().push(connection.clone());
        connection
    };
    wire.run(watchers, load).await?;
    Ok(connections
        .into_inner()
        .iter()
        .flat_map(|one| std::mem::take(&mut *one.delays.lock()))
        .collect())
}

// === impl Run ===

impl Run {
    async fn write(&self, client: &dyn Client, rate: u64) -> Result<()> {
        let options = WriteOptions::default();
        at_rate(self.updates, rate, |number| {
            let (name, options) = (name(number), &options);
            async move {
                self.written[number as usize].store(self.now(), Ordering::Relaxed);
                client.create(&key(&name), config_map(&name), options).await?;
                Ok(())
            }
        })
        .await
    }

    fn now(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }

    /// From before the write to now.
    fn delay(&self, number: usize) -> Option<u64> {
        let written = self.written.get(number)?.load(Ordering::Relaxed);
        Some(self.now().saturating_sub(written))
    }

    /// Takes as many events as there are objects.
    async fn see(self: Arc<Self>, mut events: WatchStream, sampled: bool) -> Result<Vec<u64>> {
        let (mut left, mut delays) = (self.updates, Vec::new());
        while left > 0 {
            let batch = events.next().await.ok_or("the watch ended")??;
            for event in batch {
                let WatchEvent::Added(object) = event else { continue };
                left = left.checked_sub(1).ok_or("more events than objects")?;
                let number =
                    object.name().rsplit('-').next().and_then(|number| number.parse().ok());
                if sampled {
                    delays.extend(number.and_then(|number| self.delay(number)));
                }
            }
        }
        self.delivered.fetch_add(self.updates, Ordering::Relaxed);
        Ok(delays)
    }
}

// === impl Connection ===

impl Connection {
    fn sample(&self, piece: &[u8]) -> Option<u64> {
        let at = piece.windows(NAMED.len()).position(|window| window == NAMED)? + NAMED.len();
        let name = piece[at..].split(|byte| *byte == b'"').next()?;
        let number = name.rsplit(|byte| *byte == b'-').next()?;
        self.run.delay(std::str::from_utf8(number).ok()?.parse().ok()?)
    }
}

impl wire::Load for Connection {
    fn fields(&self) -> Vec<(&'static str, String)> {
        wire::json_fields("GET", &self.run.authority, "api-load/1")
    }

    fn longest(&self) -> usize {
        0
    }

    fn next(&self, path: &mut String, _: &mut BytesMut) -> bool {
        let version = &self.run.version;
        path.push_str("/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=");
        path.push_str(version);
        self.begun.fetch_add(1, Ordering::Relaxed) < self.watchers
    }

    /// Each event is one line, whatever pieces it comes in.
    fn take(&self, stream: u32, _: bool, piece: &[u8]) -> bool {
        let lines = piece.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.lines.fetch_add(lines, Ordering::Relaxed);
        self.run.delivered.fetch_add(lines, Ordering::Relaxed);
        if (stream as usize / 2).is_multiple_of(SAMPLED) {
            self.delays.lock().extend(self.sample(piece));
        }
        true
    }

    fn enough(&self) -> bool {
        self.lines.load(Ordering::Relaxed) >= self.watchers * self.run.updates
    }
}
