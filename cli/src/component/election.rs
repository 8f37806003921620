//! Whether several of a component may run, of which one works.

use super::remote::{Connected, Standing};
use clap::{ArgAction, Args};
use std::net::SocketAddr;
use std::time::Duration;
use windlass_core::component::{BoxError, Component};
use windlass_core::leaderelection::{LeaderElector, Timing};
use windlass_core::meta::parse_duration;

/// Leader election, by the flags of Kubernetes' components.
#[derive(Args)]
pub(super) struct Election {
    /// Works only while it holds a Lease, so that several may run: one works, the others stand by
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    leader_elect: bool,
    /// Others take the Lease when it was not renewed for so long
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = parse_duration)]
    leader_elect_lease_duration: Duration,
    /// Stops working when it could not renew the Lease for so long
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    leader_elect_renew_deadline: Duration,
    /// Between two attempts to get or renew the Lease
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    leader_elect_retry_period: Duration,
    /// Where the Lease is
    #[arg(long, value_name = "NAMESPACE", default_value = "kube-system")]
    leader_elect_resource_namespace: String,
    /// The name of the Lease [default: that of Kubernetes' own component]
    #[arg(long, value_name = "NAME")]
    leader_elect_resource_name: Option<String>,
}

// === impl Election ===

impl Election {
    /// Runs what `make` makes: at once, or when this process leads. Then all that is made writes through a client that
    /// refuses once the Lease is lost, and the process ends.
    pub(super) async fn run(
        self,
        connected: Connected,
        name: &str,
        health: SocketAddr,
        make: impl AsyncFnOnce(&Connected) -> Vec<Box<dyn Component>>,
    ) -> Result<(), BoxError> {
        if !self.leader_elect {
            let components = make(&connected).await;
            return connected.run(components, Some(health)).await;
        }
        let timing = Timing {
            lease_duration: self.leader_elect_lease_duration,
            renew_deadline: self.leader_elect_renew_deadline,
            retry_period: self.leader_elect_retry_period,
        };
        let (client, env) = (connected.client.clone(), connected.env.clone());
        let lease = self.leader_elect_resource_name.as_deref().unwrap_or(name);
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        // No two processes may have the same name, not even one after the other.
        let identity = format!("{host}_{}", env.uuid());
        let namespace = &self.leader_elect_resource_namespace;
        let elector = LeaderElector::new(client, env, namespace, lease, identity);
        let elector = elector.recorder(connected.recorder(name, &host)).timing(timing)?;
        let leading = connected.through(elector.fenced());
        let standing = Standing::default();
        let (shutdown, shown) = (connected.shutdown.clone(), standing.clone());
        let work = async {
            let lead = async |shutdown| standing.run(make(&leading).await, shutdown).await;
            elector.run(&shutdown, lead).await?.unwrap_or(Ok(()))
        };
        connected.until_stopped(work, Some(health), shown).await
    }
}
