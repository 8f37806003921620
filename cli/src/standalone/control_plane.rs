//! Store and API server.

use super::identity::Identity;
use super::parts::Parts;
use super::renewal::Renewal;
use super::{Error, Options, access, store};
use async_trait::async_trait;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use windlass_api::admission::EscalationPrevention;
use windlass_api::authentication::{TokenUses, User};
use windlass_api::authorization::{Authorizer, NodeAuthorizer, Rbac};
use windlass_api::bootstrap::{
    Endpoint, FlowObjects, bootstrap, publish_authentication, publish_cluster_info,
};
use windlass_api::local::LocalClient;
use windlass_api::nodes::{NodeClient, connects};
use windlass_api::pki::server_tls_with;
use windlass_api::resource_metrics::ResourceMetrics;
use windlass_api::server::{ApiServer, ServeOptions};
use windlass_api::strategy::ServiceConfig;
use windlass_core::cache::InformerFactory;
use windlass_core::client::Client;
use windlass_core::component::{BoxError, Component, Ready, Shutdown};
use windlass_store::Backend;

/// What the other parts stand on.
pub(super) struct ControlPlane {
    pub(super) server: Arc<ApiServer>,
    pub(super) client: Arc<dyn Client>,
    pub(super) identity: Identity,
    pub(super) listen: Option<SocketAddr>,
    /// Where pods reach the server.
    pub(super) advertise: IpAddr,
    /// Where nodes answer questions for names.
    pub(super) dns: Option<IpAddr>,
    /// The certificates that were made.
    pub(super) renewal: Renewal,
}

/// Who decides.
pub(super) struct Deciders {
    pub(super) all: Arc<dyn Authorizer>,
    pub(super) nodes: Arc<NodeAuthorizer>,
    pub(super) rbac: Arc<Rbac>,
    /// Uses of tokens that are kept in Secrets.
    pub(super) uses: Arc<TokenUses>,
}

impl ControlPlane {
    pub(super) async fn start(options: &Options, parts: &mut Parts) -> Result<Self, Error> {
        // What may fail for outside reasons comes first: nothing is half started then.
        let store = store::open(options, parts.shutdown()).await?;
        let listener = listen(options).await?;
        parts.ready("store");
        let identity = Identity::open(options)?;
        let listen = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let advertise = options.advertise.unwrap_or_else(|| super::node::address(listen));
        let (deciders, mut renewal) = (Deciders::new(options), Renewal::default());
        let own = (&identity, &mut renewal);
        let (at, shutdown) = ((advertise, listen), parts.shutdown().child_token());
        let server = build(options, own, store, &deciders, at, shutdown).await?;
        let client: Arc<dyn Client> = Arc::new(LocalClient::new(server.clone(), User::admin()));
        // The first address is the Service `kubernetes`.
        let range = services(&options.service_cidr)?;
        let service_ip = first_after(range.network);
        let dns = options.cluster_dns.address(range.network, range.prefix)?;
        let port = listen.map_or(6443, |listen| listen.port());
        let endpoint = Endpoint { service_ip, address: advertise, port };
        bootstrap(&*client, endpoint).await.map_err(|e| Error::part("bootstrap", e))?;
        if let Some(address) = dns {
            super::dns::publish(&*client, address).await?;
        }
        let published = ResourceMetrics::publish(&*client).await;
        published.map_err(|e| Error::part("bootstrap", e))?;
        let published = publish_authentication(&*client, identity.authorities()).await;
        published.map_err(|e| Error::part("bootstrap", e))?;
        let informers = InformerFactory::new(client.clone(), parts.shutdown().child_token());
        let mut learning = deciders.rbac.follow(&informers).to_vec();
        if listen.is_some() {
            let server = format!("https://{}", SocketAddr::new(advertise, port));
            let published =
                publish_cluster_info(&*client, &server, identity.authority.certificate()).await;
            published.map_err(|e| Error::part("bootstrap", e))?;
            // Nodes enter over the network only.
            learning.extend(deciders.nodes.follow(&client, parts.shutdown()));
        }
        for synced in learning {
            synced.wait().await;
        }
        // Until its objects are read it goes by the same ones.
        server.flow_control().follow(&informers);
        let objects = FlowObjects::new(client.clone(), &informers, options.env.clone());
        parts.start(Box::new(objects));
        parts.start(deciders.uses.component(client.clone(), options.env.clock.clone()));
        if let Some(listener) = listener {
            let (issue, now) = (identity.server(&[advertise, service_ip]), options.env.clock.now());
            let own = renewal.shown("api server", now, issue)?;
            let tls = server_tls_with(&own, &identity.trusted(), false)?;
            parts.start(Box::new(Listening {
                server: server.clone(),
                listener,
                options: ServeOptions { tls: Some(Arc::new(tls)), ..options.serve.clone() },
            }));
        }
        parts.ready("api server");
        Ok(Self { server, client, identity, listen, advertise, dns, renewal })
    }
}

async fn listen(options: &Options) -> Result<Option<TcpListener>, Error> {
    let Some(address) = options.listen else { return Ok(None) };
    let listener = TcpListener::bind(address).await;
    listener.map(Some).map_err(|source| Error::Listen { address, option: "--listen", source })
}

async fn build(
    options: &Options,
    (identity, renewal): (&Identity, &mut Renewal),
    store: Arc<dyn Backend>,
    deciders: &Deciders,
    (advertise, listen): (IpAddr, Option<SocketAddr>),
    shutdown: Shutdown,
) -> Result<Arc<ApiServer>, Error> {
    let env = options.env.clone();
    let now = env.clock.now();
    let (authorizer, rbac) = (deciders.all.clone(), deciders.rbac.clone());
    let front_proxy = renewal.shown("front proxy", now, identity.front_proxy())?;
    let port = listen.map_or(6443, |listen| listen.port());
    let mut builder = ApiServer::builder()
        .store(store)
        .env(env)
        .limits(options.limits)
        .services(services(&options.service_cidr)?)
        .event_ttl(options.event_ttl)
        .address(SocketAddr::new(advertise, port).to_string())
        .transactions()
        .aggregation(Some(front_proxy));
    let admission = |error| Error::part("admission", error);
    builder = options.admission.add_to(builder, &authorizer, &options.env).map_err(admission)?;
    if let Some(audit) = &options.audit {
        builder = builder.audit(audit.clone());
    }
    let (held, asked) = (rbac.clone(), authorizer.clone());
    builder = builder.admission_with(move |objects| {
        Arc::new(EscalationPrevention::new(held, asked, Arc::new(objects.clone())))
    });
    builder = access::add(builder, options, identity, deciders)?;
    let own = renewal.shown("agents' client", now, identity.agent_client())?;
    let nodes = NodeClient::new(&own, identity.authority.certificate())?;
    let metrics = ResourceMetrics::new(nodes.clone(), options.env.clock.clone(), shutdown);
    builder = metrics.serve(builder);
    for (resource, subresource, connect) in connects(nodes) {
        builder = builder.connect(resource, subresource, connect);
    }
    builder.build().await.map_err(|status| Error::part("api server", status))
}

fn first_after(network: Ipv4Addr) -> IpAddr {
    Ipv4Addr::from_bits(network.to_bits() | 1).into()
}

/// The range of Services.
fn services(cidr: &str) -> Result<ServiceConfig, Error> {
    let parsed = cidr.split_once('/').and_then(|(network, prefix)| {
        let config = ServiceConfig::default();
        Some(ServiceConfig {
            network: network.parse().ok()?,
            prefix: prefix.parse().ok()?,
            ..config
        })
    });
    parsed.filter(|config| (12..=30).contains(&config.prefix)).ok_or_else(|| {
        let why = format!(
            "{cidr:?} is no range of IPv4 addresses with a prefix from 12 to 30: 10.96.0.0/16"
        );
        Error::part("service-cidr", why)
    })
}

/// The API server on its socket, as a component.
struct Listening {
    server: Arc<ApiServer>,
    listener: TcpListener,
    options: ServeOptions,
}

#[async_trait]
impl Component for Listening {
    fn name(&self) -> &str {
        "api server"
    }

    async fn run(self: Box<Self>, ready: Ready, shutdown: Shutdown) -> Result<(), BoxError> {
        ready.set();
        self.server.serve(self.listener, self.options, shutdown).await;
        Ok(())
    }
}
