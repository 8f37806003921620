//! The cluster's domain: from a name and a type to records. Pure.
//!
//! After the Kubernetes DNS specification, version 1.1.0.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hickory_proto::ProtoError;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, PTR, SOA, SRV, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::catalog::{Catalog, Endpoint, Service};
use super::question::Question;
use crate::model::{NamespacedName, Protocol};

/// The version of the specification.
const VERSION: &str = "1.1.0";
/// Weights of equal SRV records add up to this.
const WEIGHT: usize = 100;
/// How long secondaries, which there are none of, may wait; RFC 1912's usual values.
const REFRESH: i32 = 7200;
const RETRY: i32 = 1800;
const EXPIRE: i32 = 86_400;

/// The cluster's domain.
#[derive(Clone, Debug)]
pub struct Zone {
    domain: Name,
    name_server: Name,
    hostmaster: Name,
    addresses: Vec<IpAddr>,
    ttl: u32,
}

/// What was found under a name.
#[derive(Debug, PartialEq)]
pub enum Found {
    /// Records of the type, and such as the client will ask for next.
    Records {
        /// What was asked for.
        answers: Vec<Record>,
        /// Addresses of the answers' targets.
        additionals: Vec<Record>,
    },
    /// Another name stands for it.
    Alias(Box<Record>, Name),
    /// The name is there, but has nothing of this type.
    NoData,
    /// There is no such name.
    NoName,
    /// The name is not of this zone.
    Elsewhere,
}

// === impl Zone ===

impl Zone {
    /// A domain, `cluster.local` say, whose server answers at these addresses.
    ///
    /// # Errors
    /// When the domain is no DNS name.
    pub fn new(domain: &str, addresses: Vec<IpAddr>, ttl: u32) -> Result<Self, ProtoError> {
        let mut domain = Name::from_ascii(domain.to_ascii_lowercase())?;
        domain.set_fqdn(true);
        let name_server = Name::from_ascii("ns.dns")?.append_domain(&domain)?;
        let hostmaster = Name::from_ascii("hostmaster")?.append_domain(&domain)?;
        Ok(Self { domain, name_server, hostmaster, addresses, ttl })
    }

    /// Looks a name up. Records bear the name as it was asked for.
    #[must_use]
    pub fn find(&self, catalog: &Catalog, name: &Name, kind: RecordType) -> Found {
        let owner = Owner { zone: self, name };
        if self.domain.zone_of(name) {
            let below = usize::from(name.num_labels() - self.domain.num_labels());
            let labels: Option<Vec<String>> = name.iter().take(below).map(lower).collect();
            let Some(labels) = labels else { return Found::NoName };
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            return owner.answer(catalog, &Question::read(&labels), kind);
        }
        match address(name) {
            Some(address) => owner.reverse(catalog, address, kind),
            None => Found::Elsewhere,
        }
    }

    /// The record that says how long an absence may be remembered (RFC 2308).
    #[must_use]
    pub fn start_of_authority(&self, catalog: &Catalog) -> Record {
        let (server, master) = (self.name_server.clone(), self.hostmaster.clone());
        let soa = SOA::new(server, master, catalog.revision(), REFRESH, RETRY, EXPIRE, self.ttl);
        Record::from_rdata(self.domain.clone(), self.ttl, RData::SOA(soa))
    }

    /// A name in the zone; none when it would be too long.
    fn name_of(&self, host: Option<&str>, key: &NamespacedName) -> Option<Name> {
        let labels = host.into_iter().chain([&*key.name, &*key.namespace, "svc"]);
        Name::from_labels(labels.map(str::as_bytes)).ok()?.append_domain(&self.domain).ok()
    }
}

/// A name that was asked for.
#[derive(Clone, Copy)]
struct Owner<'a> {
    zone: &'a Zone,
    name: &'a Name,
}

// === impl Owner ===

impl Owner<'_> {
    fn answer(self, catalog: &Catalog, question: &Question, kind: RecordType) -> Found {
        match question {
            Question::Apex => self.apex(catalog, kind),
            Question::Version => self.of_type(RecordType::TXT, kind, || {
                vec![RData::TXT(TXT::new(vec![VERSION.to_owned()]))]
            }),
            Question::NameServer => self.addresses(self.zone.addresses.iter().copied(), kind),
            Question::Branch => Found::NoData,
            Question::Namespace(name) if catalog.has_namespace(name) => Found::NoData,
            Question::Pod(address) => self.addresses([*address], kind),
            Question::Service(key)
            | Question::Transport(key, _)
            | Question::Port(key, ..)
            | Question::Endpoint(key, _) => match catalog.service(key) {
                Some(service) => self.of_service(service, key, question, kind),
                None => Found::NoName,
            },
            Question::Namespace(_) | Question::Nothing => Found::NoName,
        }
    }

    fn apex(self, catalog: &Catalog, kind: RecordType) -> Found {
        match kind {
            RecordType::SOA => Found::only(vec![self.zone.start_of_authority(catalog)]),
            RecordType::NS => {
                let record = self.record(RData::NS(NS(self.zone.name_server.clone())));
                let server = Owner { name: &self.zone.name_server, ..self };
                let additionals = self.zone.addresses.iter().map(|a| server.address(*a)).collect();
                Found::Records { answers: vec![record], additionals }
            }
            _ => Found::NoData,
        }
    }

    fn of_service(
        self,
        service: Service<'_>,
        key: &NamespacedName,
        question: &Question,
        kind: RecordType,
    ) -> Found {
        if let Some(target) = service.external_name() {
            return match question {
                Question::Service(_) => self.alias(target),
                _ => Found::NoName,
            };
        }
        match question {
            Question::Service(_) if kind == RecordType::SRV => {
                self.ports(service, key, |_, _| true)
            }
            Question::Service(_) if service.is_headless() => self.endpoints(service, None, kind),
            Question::Service(_) => self.addresses(service.cluster_addresses(), kind),
            Question::Endpoint(_, host) if kind == RecordType::SRV => {
                self.named(service, host).map_or(Found::NoName, |_| Found::NoData)
            }
            Question::Endpoint(_, host) => self.endpoints(service, Some(host), kind),
            Question::Transport(_, wanted) => {
                match self.ports(service, key, |_, protocol| protocol == *wanted) {
                    Found::Records { .. } if kind != RecordType::SRV => Found::NoData,
                    found => found,
                }
            }
            Question::Port(_, wanted, port) => {
                let matches =
                    |name: &str, protocol| protocol == *wanted && name.eq_ignore_ascii_case(port);
                match self.ports(service, key, matches) {
                    Found::Records { .. } if kind != RecordType::SRV => Found::NoData,
                    found => found,
                }
            }
            _ => Found::NoName,
        }
    }

    /// Addresses of ready endpoints. Without any the name is not there (specification, 2.4.1).
    fn endpoints(self, service: Service<'_>, host: Option<&str>, kind: RecordType) -> Found {
        let wanted = |endpoint: &Endpoint<'_>| host.is_none_or(|host| endpoint.is_named(host));
        let mut addresses: Vec<IpAddr> =
            service.endpoints().filter(wanted).map(|endpoint| endpoint.address).collect();
        if addresses.is_empty() {
            return Found::NoName;
        }
        addresses.sort_unstable();
        addresses.dedup();
        self.addresses(addresses, kind)
    }

    fn named<'s>(self, service: Service<'s>, host: &str) -> Option<Endpoint<'s>> {
        service.endpoints().find(|endpoint| endpoint.is_named(host))
    }

    /// SRV records of the ports that a Service has, or its endpoints when it is headless.
    fn ports(
        self,
        service: Service<'_>,
        key: &NamespacedName,
        wanted: impl Fn(&str, Protocol) -> bool,
    ) -> Found {
        let mut targets: Vec<(Name, u16, Vec<IpAddr>)> = Vec::new();
        if service.is_headless() {
            for endpoint in service.endpoints() {
                let Some(name) = self.zone.name_of(Some(&endpoint.host()), key) else { continue };
                for port in &endpoint.slice.ports {
                    let (label, protocol) = (port.name.as_deref(), port.protocol);
                    let Some(number) = port.port else { continue };
                    if wanted(label.unwrap_or_default(), protocol.unwrap_or_default()) {
                        targets.push((name.clone(), number, vec![endpoint.address]));
                    }
                }
            }
        } else if let Some(name) = self.zone.name_of(None, key) {
            let ports = service.view.spec.ports.iter();
            let ports = ports.filter(|port| wanted(&port.name, port.protocol));
            let addresses: Vec<IpAddr> = service.cluster_addresses().collect();
            targets.extend(ports.map(|port| (name.clone(), port.port, addresses.clone())));
        }
        self.services(targets)
    }

    /// One record for each name and port, however many addresses stand behind the name.
    fn services(self, targets: Vec<(Name, u16, Vec<IpAddr>)>) -> Found {
        if targets.is_empty() {
            return Found::NoName;
        }
        let mut hosts: BTreeMap<Name, (BTreeSet<u16>, BTreeSet<IpAddr>)> = BTreeMap::new();
        for (name, port, addresses) in targets {
            let (ports, known) = hosts.entry(name).or_default();
            ports.insert(port);
            known.extend(addresses);
        }
        let count: usize = hosts.values().map(|(ports, _)| ports.len()).sum();
        let weight = u16::try_from((WEIGHT / count).max(1)).unwrap_or(1);
        let answers = hosts.iter().flat_map(|(target, (ports, _))| {
            let data = move |port: &u16| RData::SRV(SRV::new(0, weight, *port, target.clone()));
            ports.iter().map(move |port| self.record(data(port)))
        });
        let answers = answers.collect();
        let additionals = hosts.iter().flat_map(|(target, (_, addresses))| {
            let target = Owner { name: target, ..self };
            addresses.iter().map(move |address| target.address(*address))
        });
        Found::Records { answers, additionals: additionals.collect() }
    }

    fn reverse(self, catalog: &Catalog, address: IpAddr, kind: RecordType) -> Found {
        let mut names = Vec::new();
        for key in catalog.at_address(address) {
            let Some(service) = catalog.service(key) else { continue };
            if service.is_headless() {
                let here = service.endpoints().filter(|endpoint| endpoint.address == address);
                names.extend(here.filter_map(|e| self.zone.name_of(Some(&e.host()), key)));
            } else {
                names.extend(self.zone.name_of(None, key));
            }
        }
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Found::Elsewhere;
        }
        self.of_type(RecordType::PTR, kind, || {
            names.into_iter().map(|name| RData::PTR(PTR(name))).collect()
        })
    }

    fn alias(self, target: &str) -> Found {
        // An administrator's name: absolute, whether it ends in a dot or not.
        let Ok(mut target) = Name::from_ascii(target) else { return Found::NoData };
        target.set_fqdn(true);
        Found::Alias(Box::new(self.record(RData::CNAME(CNAME(target.clone())))), target)
    }

    fn of_type(
        self,
        has: RecordType,
        wanted: RecordType,
        data: impl FnOnce() -> Vec<RData>,
    ) -> Found {
        if wanted != has && wanted != RecordType::ANY {
            return Found::NoData;
        }
        Found::only(data().into_iter().map(|data| self.record(data)).collect())
    }

    fn addresses(self, addresses: impl IntoIterator<Item = IpAddr>, kind: RecordType) -> Found {
        let wanted = |address: &IpAddr| match kind {
            RecordType::A => address.is_ipv4(),
            RecordType::AAAA => address.is_ipv6(),
            RecordType::ANY => true,
            _ => false,
        };
        let records = addresses.into_iter().filter(wanted).map(|address| self.address(address));
        Found::only(records.collect())
    }

    fn address(self, address: IpAddr) -> Record {
        self.record(match address {
            IpAddr::V4(address) => RData::A(A(address)),
            IpAddr::V6(address) => RData::AAAA(AAAA(address)),
        })
    }

    fn record(self, data: RData) -> Record {
        Record::from_rdata(self.name.clone(), self.zone.ttl, data)
    }
}

// === impl Found ===

impl Found {
    fn only(answers: Vec<Record>) -> Self {
        if answers.is_empty() {
            return Self::NoData;
        }
        Self::Records { answers, additionals: Vec::new() }
    }
}

fn lower(label: &[u8]) -> Option<String> {
    std::str::from_utf8(label).ok().map(str::to_ascii_lowercase)
}

/// The address that a name under `in-addr.arpa` or `ip6.arpa` is of; a whole one, no network.
fn address(name: &Name) -> Option<IpAddr> {
    // Most names are no such names.
    if !name.iter().next_back().is_some_and(|label| label.eq_ignore_ascii_case(b"arpa")) {
        return None;
    }
    let network = name.parse_arpa_name().ok()?;
    (network.prefix_len() == network.max_prefix_len()).then(|| network.addr())
}
