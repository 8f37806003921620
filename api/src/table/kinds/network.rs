//! Services, endpoints, ingress and policies.

use crate::strategy::Map;
use crate::strategy::json::{is_nil, list_of, map_of, maps_of, str_at, str_of, strs_of};
use crate::table::column::Column;
use crate::table::row::{Cells, NONE, Row, has, labels, plain, selector, service_port, some_of};
use serde_json::Value;

pub(in crate::table) static SERVICE: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Type", "string", 0),
    Column::new("Cluster-IP", "string", 0),
    Column::new("External-IP", "string", 0),
    Column::new("Port(s)", "string", 0),
    Column::new("Age", "string", 0),
    Column::new("Selector", "string", 1),
];
pub(in crate::table) static ENDPOINTS: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Endpoints", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static SLICE: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("AddressType", "string", 0),
    Column::new("Ports", "string", 0),
    Column::new("Endpoints", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static INGRESS: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Class", "string", 0),
    Column::new("Hosts", "string", 0),
    Column::new("Address", "string", 0),
    Column::new("Ports", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static INGRESS_CLASS: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Controller", "string", 0),
    Column::new("Parameters", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static POLICY: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Pod-Selector", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static IP_ADDRESS: &[Column] =
    &[Column::new("Name", "string", 0), Column::new("ParentRef", "string", 0)];
pub(in crate::table) static SERVICE_CIDR: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("CIDRs", "string", 0),
    Column::new("Age", "string", 0),
];

pub(in crate::table) fn service(row: &Row) -> Cells {
    let empty = Map::new();
    let spec = map_of(&row.object, "spec").unwrap_or(&empty);
    let ports: Vec<_> = maps_of(spec, "ports").map(|(_, port)| service_port(port)).collect();
    let ip = strs_of(spec, "clusterIPs").next().map_or(str_of(spec, "clusterIP"), |(_, ip)| ip);
    vec![
        row.name(),
        str_of(spec, "type").into(),
        or_none(ip).into(),
        external(row, spec).into(),
        or_none(&ports.join(",")).into(),
        row.age(),
        labels(map_of(spec, "selector")),
    ]
}

fn external(row: &Row, spec: &Map) -> String {
    let own: Vec<_> = strs_of(spec, "externalIPs").map(|(_, ip)| ip.to_owned()).collect();
    match str_of(spec, "type") {
        "ExternalName" => str_of(spec, "externalName").to_owned(),
        "LoadBalancer" => {
            let mut all = balancer(row);
            all.extend(own);
            if all.is_empty() { "<pending>".into() } else { all.join(",") }
        }
        _ => or_none(&own.join(",")),
    }
}

fn balancer(row: &Row) -> Vec<String> {
    let Some(status) = row.map(&["status", "loadBalancer"]) else { return Vec::new() };
    let address = |(_, ingress): (usize, &Map)| match str_of(ingress, "ip") {
        "" => str_of(ingress, "hostname").to_owned(),
        ip => ip.to_owned(),
    };
    maps_of(status, "ingress").map(address).filter(|text| !text.is_empty()).collect()
}

pub(in crate::table) fn endpoints(row: &Row) -> Cells {
    let mut all = Vec::new();
    for (_, subset) in maps_of(&row.object, "subsets") {
        for (_, address) in maps_of(subset, "addresses") {
            let ip = str_of(address, "ip");
            if !has(subset, "ports") {
                all.push(ip.to_owned());
            }
            for (_, port) in maps_of(subset, "ports") {
                all.push(format!("{ip}:{}", plain(port.get("port"), "0")));
            }
        }
    }
    vec![row.name(), or_none(&some_of(&all, 3)).into(), row.age()]
}

pub(in crate::table) fn slice(row: &Row) -> Cells {
    let number = |(_, port): (usize, &Map)| plain(port.get("port"), "*");
    let ports: Vec<_> = maps_of(&row.object, "ports").map(number).collect();
    let addresses: Vec<_> = maps_of(&row.object, "endpoints")
        .flat_map(|(_, endpoint)| strs_of(endpoint, "addresses"))
        .map(|(_, address)| address.to_owned())
        .collect();
    let or_unset = |text: String| if text.is_empty() { "<unset>".to_owned() } else { text };
    vec![
        row.name(),
        row.text(&["addressType"]),
        or_unset(some_of(&ports, 3)).into(),
        or_unset(some_of(&addresses, 3)).into(),
        row.age(),
    ]
}

pub(in crate::table) fn ingress(row: &Row) -> Cells {
    let empty = Map::new();
    let spec = map_of(&row.object, "spec").unwrap_or(&empty);
    let hosts: Vec<_> = maps_of(spec, "rules")
        .map(|(_, rule)| str_of(rule, "host").to_owned())
        .filter(|host| !host.is_empty())
        .collect();
    let hosts = if hosts.is_empty() { "*".into() } else { some_of(&hosts, 3) };
    let ports = if list_of(spec, "tls").is_empty() { "80" } else { "80, 443" };
    vec![
        row.name(),
        row.text_or(&["spec", "ingressClassName"], NONE),
        hosts.into(),
        balancer(row).join(",").into(),
        ports.into(),
        row.age(),
    ]
}

pub(in crate::table) fn ingress_class(row: &Row) -> Cells {
    let parameters = row.map(&["spec", "parameters"]).map_or_else(|| NONE.to_owned(), reference);
    vec![row.name(), row.text(&["spec", "controller"]), parameters.into(), row.age()]
}

pub(in crate::table) fn policy(row: &Row) -> Cells {
    let pods = row.map(&["spec", "podSelector"]).map_or_else(|| NONE.into(), selector);
    vec![row.name(), pods, row.age()]
}

pub(in crate::table) fn ip_address(row: &Row) -> Cells {
    let part = |key| str_at(&row.object, &["spec", "parentRef", key]);
    let all = ["resource", "group", "namespace", "name"].map(part);
    let [resource, group, namespace, name] = all;
    let what = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
    let path = [what.as_str(), namespace, name].map(str::to_owned);
    let path: Vec<_> = path.into_iter().filter(|part| !part.is_empty()).collect();
    vec![row.name(), path.join("/").into()]
}

pub(in crate::table) fn service_cidr(row: &Row) -> Cells {
    let empty = Map::new();
    let spec = map_of(&row.object, "spec").unwrap_or(&empty);
    let all: Vec<_> = strs_of(spec, "cidrs").map(|(_, cidr)| cidr).collect();
    vec![row.name(), all.join(",").into(), row.age()]
}

fn reference(parameters: &Map) -> String {
    let kind = str_of(parameters, "kind");
    let name = str_of(parameters, "name");
    match parameters.get("apiGroup").and_then(Value::as_str) {
        Some(group) if !is_nil(parameters, "apiGroup") => format!("{kind}.{group}/{name}"),
        _ => format!("{kind}/{name}"),
    }
}

fn or_none(text: &str) -> String {
    if text.is_empty() { NONE.into() } else { text.into() }
}
