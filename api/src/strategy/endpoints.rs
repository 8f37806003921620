//! Endpoints and EndpointSlices.

use super::json::{
    each_mut, fill, fill_nil, int_of, is_empty, list_of, map_of, maps_of, str_of, strs_of,
};
use super::{Map, Strategy};
use crate::validation::format::{dns1123_label, dns1123_subdomain, ip_address, port_number};
use crate::validation::rules::{immutable, one_of, texts};
use crate::validation::{Errors, Path};
use std::collections::BTreeSet;

const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
const FAMILIES: [&str; 3] = ["IPv4", "IPv6", "FQDN"];

/// The rules of Endpoints.
pub(super) struct Endpoints;

/// The rules of EndpointSlices.
pub(super) struct EndpointSlice;

// === impl Endpoints ===

impl Strategy for Endpoints {
    fn default(&self, object: &mut Map) {
        for subset in each_mut(object, "subsets") {
            each_mut(subset, "ports").for_each(|port| fill(port, "protocol", "TCP"));
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let list = Path::new("subsets");
        for (at, subset) in maps_of(object, "subsets") {
            let path = list.index(at);
            if is_empty(subset, "addresses") && is_empty(subset, "notReadyAddresses") {
                errors.required(path, "must specify `addresses` or `notReadyAddresses`");
            }
            for key in ["addresses", "notReadyAddresses"] {
                let list = path.child(key);
                for (at, address) in maps_of(subset, key) {
                    let ip = str_of(address, "ip");
                    texts(list.index(at).child("ip"), ip, &endpoint_ip(ip), &mut errors);
                }
            }
            let several = list_of(subset, "ports").len() > 1;
            let list = path.child("ports");
            for (at, port) in maps_of(subset, "ports") {
                let path = list.index(at);
                if several && is_empty(port, "name") {
                    errors.required(path.child("name"), "");
                }
                port_of(port, &path, &mut errors);
            }
        }
        errors
    }
}

// === impl EndpointSlice ===

impl Strategy for EndpointSlice {
    fn default(&self, object: &mut Map) {
        for port in each_mut(object, "ports") {
            fill_nil(port, "name", "");
            fill(port, "protocol", "TCP");
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        one_of(object, "addressType", &FAMILIES, &Path::ROOT, &mut errors);
        let list = Path::new("endpoints");
        if list_of(object, "endpoints").len() > 1000 {
            errors.too_many(list, list_of(object, "endpoints").len(), 1000);
        }
        for (at, endpoint) in maps_of(object, "endpoints") {
            endpoint_of(endpoint, str_of(object, "addressType"), &list.index(at), &mut errors);
        }
        let list = Path::new("ports");
        let mut names = BTreeSet::new();
        if list_of(object, "ports").len() > 20_000 {
            errors.too_many(list, list_of(object, "ports").len(), 20_000);
        }
        for (at, port) in maps_of(object, "ports") {
            let path = list.index(at);
            if !names.insert(str_of(port, "name")) {
                errors.duplicate(path.child("name"), str_of(port, "name"));
            }
            port_of(port, &path, &mut errors);
        }
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        immutable(new, old, "addressType", &Path::ROOT, &mut errors);
        errors
    }
}

fn endpoint_of(endpoint: &Map, family: &str, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("addresses");
    let count = list_of(endpoint, "addresses").len();
    if count == 0 {
        errors.required(list, "must contain at least 1 address");
    } else if count > 100 {
        errors.too_many(list, count, 100);
    }
    for (at, address) in strs_of(endpoint, "addresses") {
        let found = match family {
            "FQDN" => dns1123_subdomain(address),
            "IPv4" if address.contains(':') => vec!["must be an IPv4 address".into()],
            "IPv6" if !address.contains(':') => vec!["must be an IPv6 address".into()],
            _ => endpoint_ip(address),
        };
        texts(list.index(at), address, &found, errors);
    }
    let hostname = str_of(endpoint, "hostname");
    if !hostname.is_empty() {
        texts(path.child("hostname"), hostname, &dns1123_label(hostname), errors);
    }
    let topology = map_of(endpoint, "deprecatedTopology");
    if topology.is_some_and(|topology| topology.contains_key("kubernetes.io/hostname")) {
        errors.invalid(path.child("deprecatedTopology"), "kubernetes.io/hostname", "use nodeName");
    }
}

fn port_of(port: &Map, path: &Path<'_>, errors: &mut Errors) {
    if let Some(number) = int_of(port, "port") {
        for message in port_number(number) {
            errors.invalid(path.child("port"), number, &message);
        }
    }
    one_of(port, "protocol", &PROTOCOLS, path, errors);
    let name = str_of(port, "name");
    if !name.is_empty() {
        texts(path.child("name"), name, &dns1123_label(name), errors);
    }
}

/// An address that a packet can be sent to from another node.
fn endpoint_ip(text: &str) -> Vec<String> {
    let Ok(ip) = text.parse::<std::net::IpAddr>() else { return ip_address(text) };
    let local = match ip {
        std::net::IpAddr::V4(ip) => ip.is_link_local(),
        std::net::IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let mut found = Vec::new();
    if ip.is_unspecified() {
        found.push("may not be unspecified (0.0.0.0)".into());
    }
    if ip.is_loopback() {
        found.push("may not be in the loopback range (127.0.0.0/8, ::1/128)".into());
    }
    if local {
        found.push("may not be in the link-local range (169.254.0.0/16, fe80::/10)".into());
    }
    found
}
