//! Reads caches, asks the server before it repairs, applies the plan.

use super::plan::{range, record, service_of};
use crate::Context;
use crate::support::ops::{self, Op};
use crate::support::owner::reference_of;
use crate::support::time;
use crate::views::{Headers, ServiceView};
use async_trait::async_trait;
use std::net::IpAddr;
use std::sync::Arc;
use windlass_core::apis::networking::v1::{IPAddress, ServiceCIDR};
use windlass_core::cache::Informer;
use windlass_core::client::{ClientExt, DeleteOptions, Key};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::scheme::{self, GroupVersionKind};
use windlass_core::{Error, Result};

const SERVICE: GroupVersionKind = GroupVersionKind::new("", "v1", "Service");
const ADDRESS: GroupVersionKind = GroupVersionKind::new("networking.k8s.io", "v1", "IPAddress");

pub(super) struct Ranges {
    context: Context,
    ranges: Headers,
    addresses: Headers,
}

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Request {
    Address(String),
    Service(ObjectKey),
}

pub(super) struct Repair {
    context: Context,
    services: Arc<Informer<ServiceView>>,
    addresses: Headers,
}

impl Ranges {
    pub(super) fn new(context: &Context, ranges: Headers, addresses: Headers) -> Self {
        Self { context: context.clone(), ranges, addresses }
    }
}

#[async_trait]
impl Reconciler for Ranges {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let all: Vec<ServiceCIDR> =
            self.ranges.list(None).iter().map(|one| one.object.view()).collect::<Result<_>>()?;
        let of_name = |one: &ServiceCIDR| one.metadata.name.as_deref() == Some(&*request.name);
        let (mine, others): (Vec<_>, Vec<_>) = all.into_iter().partition(of_name);
        let Some(mine) = mine.first() else { return Ok(Action::Done) };
        // Only a range that goes asks for them: there may be many.
        let goes = mine.metadata.deletion_timestamp.is_some();
        let used = if goes { self.addresses.list(None) } else { vec![] };
        let used: Vec<IpAddr> =
            used.iter().filter_map(|address| address.object.name().parse().ok()).collect();
        match range(mine, &others, &used, time::now(&self.context.env)) {
            Err(wait) => Ok(wait.map_or(Action::Done, Action::RequeueAfter)),
            Ok(op) => {
                ops::apply(&*self.context.client, &self.context.recorder, vec![op]).await?;
                Ok(Action::Done)
            }
        }
    }
}

impl Repair {
    pub(super) fn new(
        context: &Context,
        services: Arc<Informer<ServiceView>>,
        addresses: Headers,
    ) -> Self {
        Self { context: context.clone(), services, addresses }
    }

    /// Deletes the record of an address that no Service has.
    async fn address(&self, ip: &str) -> Result<()> {
        let Some(entry) = self.addresses.get("", ip) else { return Ok(()) };
        let Some(service) = service_of(&entry.object.view::<IPAddress>()?) else { return Ok(()) };
        let has = |view: &ServiceView| view.spec.cluster_ips.iter().any(|one| one == ip);
        if self.services.get(&service.namespace, &service.name).is_some_and(|one| has(&one.view)) {
            return Ok(());
        }
        let key = Key::new(scheme::SERVICES, &service.namespace, &service.name);
        match self.context.client.get_as::<ServiceView>(&key).await {
            Ok(view) if has(&view) => return Ok(()),
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
        let header = entry.object.header();
        let message =
            format!("IPAddress: {ip} for Service {service} appears to have leaked: cleaning up");
        let event = Op::warning(reference_of(&ADDRESS, header), "IPAddressNotAllocated", message);
        let options = DeleteOptions::uid(&*header.uid);
        let delete = Op::Delete(Key::cluster(scheme::IPADDRESSES, ip), options);
        self.apply(vec![event, delete]).await
    }

    /// Records the addresses of a Service that are recorded nowhere.
    async fn service(&self, key: &ObjectKey) -> Result<()> {
        let Some(service) = self.services.get(&key.namespace, &key.name) else { return Ok(()) };
        let header = service.object.header();
        for ip in &service.view.spec.cluster_ips {
            if ip.parse::<IpAddr>().is_err() {
                continue;
            }
            let about = reference_of(&SERVICE, header);
            let event = match self.addresses.get("", ip) {
                None => {
                    let message = format!("Cluster IP {ip} is not allocated; repairing");
                    Op::warning(about, "ClusterIPNotAllocated", message)
                }
                Some(found) => {
                    let owner = service_of(&found.object.view::<IPAddress>()?);
                    if owner.as_ref() == Some(key) {
                        continue;
                    }
                    let message = format!(
                        "Cluster IP {ip} was assigned to multiple services; please recreate service"
                    );
                    self.apply(vec![Op::warning(about, "ClusterIPAlreadyAllocated", message)])
                        .await?;
                    continue;
                }
            };
            let create = Op::Create(Key::cluster(scheme::IPADDRESSES, ip), record(ip, key));
            self.apply(vec![event, create]).await?;
        }
        Ok(())
    }

    async fn apply(&self, ops: Vec<Op>) -> Result<()> {
        ops::apply(&*self.context.client, &self.context.recorder, ops).await.map(drop)
    }
}

#[async_trait]
impl Reconciler for Repair {
    type Request = Request;
    type Error = Error;

    async fn reconcile(&self, request: &Request) -> Result<Action> {
        match request {
            Request::Address(ip) => self.address(ip).await?,
            Request::Service(key) => self.service(key).await?,
        }
        Ok(Action::Done)
    }
}
