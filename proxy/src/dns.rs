//! The cluster's DNS: names of Services and pods from the caches, all others from other servers.
//!
//! After the Kubernetes DNS specification, version 1.1.0. [`Zone::find`] is the whole of it, as a pure function
//! of a [`Catalog`]; [`Dns`] is the component that serves it.

mod address;
mod catalog;
mod metrics;
mod question;
mod resolver;
mod server;
#[cfg(test)]
mod tests;
mod upstream;
mod zone;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::RwLock;
use prometheus_client::registry::Registry;
use windlass_core::cache::{Change, Informer, InformerFactory};
use windlass_core::clock::Env;
use windlass_core::component::{BoxError, Component, Ready, Shutdown};
use windlass_core::scheme::{ENDPOINTSLICES, SERVICES};

use self::address::LocalAddress;
pub use self::catalog::Catalog;
use self::metrics::Metrics;
use self::resolver::Resolver;
use self::server::{Server, Sockets};
use self::upstream::Upstream;
pub use self::upstream::{Forward, Servers, UpstreamError};
pub use self::zone::{Found, Zone};
use crate::config::name_of;
use crate::model::{EndpointSliceView, ServiceView};

/// How long an answer may be remembered, in seconds, as CoreDNS has it.
const TTL: u32 = 5;
/// The port of DNS.
pub const PORT: u16 = 53;

/// Where a [`Dns`] answers, and what about.
#[derive(Debug)]
pub struct DnsOptions {
    /// The cluster's domain: `cluster.local`.
    pub domain: String,
    /// Answers there, by UDP and TCP. Port 0 takes any.
    pub listen: SocketAddr,
    /// Puts the address on the loopback interface first, and takes it off in the end, also when it fails or is dropped;
    /// one that somebody else has put there stays. Needs root.
    pub take_address: bool,
    /// Whom names outside the cluster are asked of.
    pub forward: Forward,
}

/// The DNS server of a node.
///
/// It answers once its caches have been filled, and never with names that were deleted before that.
pub struct Dns {
    options: DnsOptions,
    zone: Zone,
    factory: InformerFactory,
    env: Env,
    metrics: Metrics,
    on_listen: Box<dyn FnOnce(SocketAddr) + Send>,
}

// === impl DnsOptions ===

impl DnsOptions {
    /// Answers for `cluster.local` on port 53 of an address that it gives to the node.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self {
            domain: "cluster.local".into(),
            listen: SocketAddr::new(address, PORT),
            take_address: true,
            forward: Forward::default(),
        }
    }

    /// The sockets, and the address where it has to be given back.
    async fn bind(&self) -> io::Result<(Sockets, Option<LocalAddress>)> {
        let taken = match self.take_address {
            true => LocalAddress::take(self.listen.ip())?,
            false => None,
        };
        Ok((Sockets::bind(self.listen).await?, taken))
    }
}

// === impl Dns ===

impl Dns {
    /// A server with informers from `factory`; its metrics go into `registry`.
    ///
    /// # Errors
    /// When the domain is no DNS name.
    pub fn new(
        options: DnsOptions,
        factory: InformerFactory,
        env: Env,
        registry: &mut Registry,
    ) -> Result<Self, BoxError> {
        let zone = Zone::new(&options.domain, vec![options.listen.ip()], TTL)
            .map_err(|error| format!("cluster domain {:?}: {error}", options.domain))?;
        let metrics = Metrics::new(registry);
        Ok(Self { options, zone, factory, env, metrics, on_listen: Box::new(|_| ()) })
    }

    /// Tells where it listens, once it does.
    #[must_use]
    pub fn on_listen(mut self, tell: impl FnOnce(SocketAddr) + Send + 'static) -> Self {
        self.on_listen = Box::new(tell);
        self
    }

    fn resolver(&mut self) -> Arc<Resolver> {
        let forward = std::mem::take(&mut self.options.forward);
        let own = vec![self.options.listen];
        let upstream = Upstream::new(forward, own, self.env.random.clone(), self.metrics.clone());
        Arc::new(Resolver {
            zone: self.zone.clone(),
            catalog: RwLock::default(),
            upstream: Arc::new(upstream),
        })
    }
}

#[async_trait]
impl Component for Dns {
    fn name(&self) -> &str {
        "dns"
    }

    async fn run(mut self: Box<Self>, ready: Ready, shutdown: Shutdown) -> Result<(), BoxError> {
        let resolver = self.resolver();
        let synced = follow(&resolver, &self.factory);
        let all_synced = async {
            for informer in &synced {
                informer.wait().await;
            }
        };
        if shutdown.run_until_cancelled(all_synced).await.is_none() {
            return Ok(());
        }
        let listen = self.options.listen;
        let bound = self.options.bind().await;
        let (sockets, _taken) = bound.map_err(|error| {
            format!("DNS can't listen on {listen}: {error}. Choose another address, or none")
        })?;
        (self.on_listen)(sockets.address()?);
        let server = Arc::new(Server { resolver, metrics: self.metrics.clone() });
        ready.set();
        shutdown.run_until_cancelled(server.run(sockets)).await;
        Ok(())
    }
}

/// Keeps the catalog in step; the result says when all has been seen once.
fn follow(resolver: &Arc<Resolver>, factory: &InformerFactory) -> [Ready; 2] {
    let services: Arc<Informer<ServiceView>> = factory.informer(SERVICES);
    let of = resolver.clone();
    services.on_change(move |change| match change {
        Change::Deleted(entry) => of.catalog.write().service_deleted(&name_of(&entry.object)),
        Change::Added(entry) | Change::Updated { new: entry, .. } => {
            of.catalog.write().service_applied(entry.clone());
        }
    });
    let slices: Arc<Informer<EndpointSliceView>> = factory.informer(ENDPOINTSLICES);
    let of = resolver.clone();
    slices.on_change(move |change| match change {
        Change::Deleted(entry) => of.catalog.write().slice_deleted(&name_of(&entry.object)),
        Change::Added(entry) | Change::Updated { new: entry, .. } => {
            of.catalog.write().slice_applied(entry.clone());
        }
    });
    [services.synced(), slices.synced()]
}
