//! Many small requests of one kind.

use crate::target::{Place, Target};
use bytes::{Bytes, BytesMut};
use clap::Args;
use std::sync::Arc;
use std::time::Instant;
use windlass_benches::{Numbers, Result, report, wire};
use windlass_core::client::{Key, WriteOptions};
use windlass_core::scheme;

/// The collection that gets the load.
const PATH: &str = "/api/v1/namespaces/default/configmaps";
/// An answer of success shows this at its start, a refusal does not.
const SUCCESS: &[u8] = b"\"kind\":\"ConfigMap\"";
/// How far the start goes.
const START: usize = 64;

/// How much.
#[derive(Args, Clone)]
pub(crate) struct Amount {
    /// Clients that ask at the same time
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Ends after so many requests…
    #[arg(long, default_value_t = 1_000_000)]
    count: u64,
    /// …or so many seconds, whichever comes first
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// To make objects, each with a name that no earlier run used.
    Create,
    /// To show one of so many objects.
    Get(u64),
}

/// What the clients share.
struct Run {
    what: What,
    numbers: Numbers,
    authority: String,
}

pub(crate) async fn run(target: Target, amount: &Amount, what: What) -> Result<()> {
    let (cpu, start) = (target.process.cpu()?, Instant::now());
    let authority = match &target.place {
        Place::There(wire) => wire.authority.clone(),
        Place::Here(_) => String::new(),
    };
    let numbers = Numbers::new(amount.count, amount.seconds);
    let run = Arc::new(Run { what, numbers, authority });
    let times = match &target.place {
        Place::There(wire) => wire.run(amount.clients, |_| run.clone()).await?,
        Place::Here(_) => run.here(&target, amount.clients).await?,
    };
    let name = if what == What::Create { "creates" } else { "gets" };
    report(name, times, start.elapsed(), target.process.cpu()? - cpu);
    target.close().await;
    Ok(())
}

/// The name of an object of a run.
pub(crate) fn name(number: u64) -> String {
    format!("load-{}-{number}", std::process::id())
}

pub(crate) fn key(name: &str) -> Key {
    Key::new(scheme::CONFIGMAPS, "default", name)
}

// === impl Run ===

impl Run {
    async fn here(self: &Arc<Self>, target: &Target, clients: usize) -> Result<Vec<u64>> {
        let one = |_| {
            let (run, client) = (self.clone(), target.client.clone());
            tokio::spawn(async move {
                let (mut times, options) = (Vec::new(), WriteOptions::default());
                while let Some((name, body)) = run.next() {
                    let (key, start) = (key(&name), Instant::now());
                    match run.what {
                        What::Create => client.create(&key, body, &options).await?,
                        What::Get(_) => client.get(&key).await?,
                    };
                    times.push(u64::try_from(start.elapsed().as_nanos())?);
                }
                Ok(times)
            })
        };
        let times = futures::future::try_join_all((0..clients).map(one)).await?;
        Ok(times.into_iter().collect::<Result<Vec<_>>>()?.concat())
    }

    /// The name of the next object, and what is sent for it; none when there is enough.
    fn next(&self) -> Option<(String, Bytes)> {
        let number = self.numbers.next()?;
        Some(match self.what {
            What::Create => (name(number), windlass_benches::config_map(&name(number))),
            What::Get(objects) => (name(number % objects), Bytes::new()),
        })
    }
}

impl wire::Load for Run {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let method = if self.what == What::Create { "POST" } else { "GET" };
        wire::json_fields(method, &self.authority, "api-load/1")
    }

    fn longest(&self) -> usize {
        if self.what == What::Create { 2048 } else { 0 }
    }

    fn next(&self, path: &mut String, body: &mut BytesMut) -> bool {
        let Some((name, object)) = self.next() else { return false };
        path.push_str(PATH);
        if self.what != What::Create {
            path.push('/');
            path.push_str(&name);
        }
        body.extend_from_slice(&object);
        true
    }

    fn take(&self, _: u32, first: bool, piece: &[u8]) -> bool {
        let start = &piece[..piece.len().min(START)];
        !first || start.windows(SUCCESS.len()).any(|window| window == SUCCESS)
    }
}
