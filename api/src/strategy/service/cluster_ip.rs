//! Addresses of the cluster. Each that is given stands in the store as an IPAddress (KEP-1880).

use crate::strategy::Map;
use crate::strategy::allocator::{Allocation, Companion, OnConflict, ServiceConfig};
use crate::strategy::json::str_of;
use crate::validation::Errors;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::net::Ipv4Addr;
use windlass_core::meta::Status;
use windlass_core::object::canonical;
use windlass_core::scheme::IPADDRESSES;

/// How often to guess before all that is taken is read.
const GUESSES: usize = 8;
const PATH: &str = "spec.clusterIPs";
const TAKEN: &str = "provided IP is already allocated";

/// The addresses of a range.
pub(super) struct Pool {
    first: u32,
    count: u32,
    range: String,
}

/// Where the object that stands for an address is stored.
pub(super) fn key(ip: &str, allocation: &dyn Allocation) -> Bytes {
    allocation.object_key(&IPADDRESSES, "", ip)
}

impl Pool {
    pub(super) fn new(config: &ServiceConfig) -> Self {
        let size = 1_u32.checked_shl(32 - u32::from(config.prefix.clamp(12, 30))).unwrap_or(4);
        let network = u32::from(config.network) & !(size - 1);
        let range = format!("{}/{}", Ipv4Addr::from(network), config.prefix);
        // Neither the network's address nor the broadcast address.
        Self { first: network + 1, count: size - 2, range }
    }

    /// The address asked for, or one that is free. None when there is something in `errors`.
    pub(super) async fn take(
        &self,
        wanted: Option<&str>,
        service: &Map,
        allocation: &dyn Allocation,
        errors: &mut Errors,
    ) -> Result<Option<(String, Companion)>, Status> {
        let Some(wanted) = wanted else {
            let Some(ip) = self.free(allocation).await? else {
                let all = format!("range is full: {}", self.range);
                return Err(Status::internal(format!("failed to allocate a serviceIP: {all}")));
            };
            let companion = companion(&ip, service, allocation, OnConflict::Retry);
            return Ok(Some((ip, companion)));
        };
        let at = wanted.parse::<Ipv4Addr>().ok().map(u32::from);
        let inside = at.is_some_and(|at| (self.first..self.first + self.count).contains(&at));
        if !inside {
            let detail = format!(
                "failed to allocate IP {wanted}: the provided IP ({wanted}) is not in the valid range. The range of valid IPs is {}",
                self.range
            );
            errors.invalid(PATH, json!([wanted]), &detail);
            return Ok(None);
        }
        let detail = format!("failed to allocate IP {wanted}: {TAKEN}");
        if allocation.contains(&key(wanted, allocation)).await? {
            errors.invalid(PATH, json!([wanted]), &detail);
            return Ok(None);
        }
        let mut lost = Errors::default();
        lost.invalid(PATH, json!([wanted]), &detail);
        let companion = companion(wanted, service, allocation, OnConflict::Fail(lost));
        Ok(Some((wanted.to_owned(), companion)))
    }

    /// One that is free: from the upper part, so that the lower one stays for those who choose
    /// (KEP-3070); from the lower when the upper is full.
    async fn free(&self, allocation: &dyn Allocation) -> Result<Option<String>, Status> {
        let reserved = (self.count / 16).clamp(16, 256).min(self.count / 2);
        let span = self.count - reserved;
        let random =
            || u32::try_from(allocation.env().random.next() % u64::from(span)).unwrap_or(0);
        let address = |offset: u32| Ipv4Addr::from(self.first + offset).to_string();
        for _ in 0..GUESSES {
            let ip = address(reserved + random());
            if !allocation.contains(&key(&ip, allocation)).await? {
                return Ok(Some(ip));
            }
        }
        let prefix = key("", allocation);
        let taken: HashSet<Bytes> = allocation.keys(&prefix).await?.into_iter().collect();
        let start = random();
        let upper = (0..span).map(|step| reserved + (start + step) % span);
        let all = upper.chain(0..reserved);
        Ok(all.map(address).find(|ip| !taken.contains(&key(ip, allocation))))
    }
}

fn companion(
    ip: &str,
    service: &Map,
    allocation: &dyn Allocation,
    on_conflict: OnConflict,
) -> Companion {
    let env = allocation.env();
    let now = env.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let object = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {
            "name": ip,
            "uid": env.uuid(),
            "creationTimestamp": now,
            "labels": {
                "ipaddress.kubernetes.io/ip-family": "IPv4",
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
            },
        },
        "spec": {"parentRef": {
            "resource": "services",
            "namespace": str_of(service, "namespace"),
            "name": str_of(service, "name"),
        }},
    });
    let Value::Object(object) = object else { unreachable!("an object was just written") };
    Companion::create(key(ip, allocation), canonical(object), on_conflict)
}
