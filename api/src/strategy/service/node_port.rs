//! Ports of the nodes. Each that is given stands in the store under a key of its own.

use super::{needs_health_port, needs_node_ports, node_ports};
use crate::strategy::Map;
use crate::strategy::allocator::{Allocation, Companion, OnConflict, PortRange};
use crate::strategy::json::{each_mut, int_of};
use crate::validation::Errors;
use bytes::Bytes;
use serde_json::json;
use std::collections::BTreeSet;
use windlass_core::meta::Status;

const PREFIX: &str = "/registry/ranges/servicenodeports/";
const GUESSES: usize = 8;
const TAKEN: &str = "provided port is already allocated";

/// The ports of a range, for one Service.
pub(super) struct Pool<'a> {
    range: PortRange,
    owner: &'a str,
}

/// Where a port that is given is noted.
pub(super) fn key(port: u16) -> Bytes {
    format!("{PREFIX}{port}").into()
}

impl<'a> Pool<'a> {
    pub(super) fn new(range: PortRange, owner: &'a str) -> Self {
        Self { range, owner }
    }

    /// Takes the ports the Service asks for, and those it needs.
    pub(super) async fn take(
        &self,
        spec: &mut Map,
        before: &BTreeSet<u16>,
        allocation: &dyn Allocation,
        errors: &mut Errors,
    ) -> Result<Vec<Companion>, Status> {
        let mut companions = Vec::new();
        let mut mine = before.clone();
        for (at, port) in node_ports(spec) {
            let path = format!("spec.ports[{at}].nodePort");
            companions.extend(self.ask(port, path, &mut mine, allocation, errors).await?);
        }
        let health = int_of(spec, "healthCheckNodePort").and_then(|n| u16::try_from(n).ok());
        if let Some(port) = health.filter(|port| *port != 0) {
            let path = "spec.healthCheckNodePort".to_owned();
            companions.extend(self.ask(port, path, &mut mine, allocation, errors).await?);
        }
        if !errors.is_empty() {
            return Ok(companions);
        }
        if needs_node_ports(spec) {
            for port in each_mut(spec, "ports") {
                if int_of(port, "nodePort").unwrap_or(0) == 0 {
                    let (number, companion) = self.free(&mut mine, allocation).await?;
                    port.insert("nodePort".into(), number.into());
                    companions.push(companion);
                }
            }
        }
        if needs_health_port(spec) && health.unwrap_or(0) == 0 {
            let (number, companion) = self.free(&mut mine, allocation).await?;
            spec.insert("healthCheckNodePort".into(), number.into());
            companions.push(companion);
        }
        Ok(companions)
    }

    async fn ask(
        &self,
        port: u16,
        path: String,
        mine: &mut BTreeSet<u16>,
        allocation: &dyn Allocation,
        errors: &mut Errors,
    ) -> Result<Option<Companion>, Status> {
        // Two protocols may share a number.
        if !mine.insert(port) {
            return Ok(None);
        }
        let PortRange { first, last } = self.range;
        if !(first..=last).contains(&port) {
            let detail = format!(
                "provided port is not in the valid range. The range of valid ports is {first}-{last}"
            );
            errors.invalid(path, port, &detail);
            return Ok(None);
        }
        if allocation.contains(&key(port)).await? {
            errors.invalid(path, port, TAKEN);
            return Ok(None);
        }
        let mut lost = Errors::default();
        lost.invalid(path, port, TAKEN);
        Ok(Some(self.companion(port, OnConflict::Fail(lost))))
    }

    /// One that is free: from the upper part first, which leaves the lower for those who choose (KEP-3668).
    async fn free(
        &self,
        mine: &mut BTreeSet<u16>,
        allocation: &dyn Allocation,
    ) -> Result<(u16, Companion), Status> {
        let PortRange { first, last } = self.range;
        let count = last.saturating_sub(first).saturating_add(1);
        let reserved = (count / 32).clamp(16, 128).min(count / 2);
        let span = (count - reserved).max(1);
        let random =
            || u16::try_from(allocation.env().random.next() % u64::from(span)).unwrap_or(0);
        for _ in 0..GUESSES {
            let port = first + reserved + random();
            if !mine.contains(&port) && !allocation.contains(&key(port)).await? {
                mine.insert(port);
                return Ok((port, self.companion(port, OnConflict::Retry)));
            }
        }
        let taken: BTreeSet<Bytes> =
            allocation.keys(&Bytes::from_static(PREFIX.as_bytes())).await?.into_iter().collect();
        let start = random();
        let upper = (start..span).chain(0..start).map(|step| first + reserved + step);
        let mut all = upper.chain(first..first + reserved);
        match all.find(|port| !mine.contains(port) && !taken.contains(&key(*port))) {
            Some(port) => {
                mine.insert(port);
                Ok((port, self.companion(port, OnConflict::Retry)))
            }
            None => Err(Status::internal("failed to allocate a nodePort: range is full")),
        }
    }

    fn companion(&self, port: u16, on_conflict: OnConflict) -> Companion {
        let value = json!({"service": self.owner}).to_string();
        Companion::create(key(port), value.into(), on_conflict)
    }
}
