//! `/etc/resolv.conf`, host name and `/etc/hosts` of a pod ("DNS for Services and Pods").

use crate::config::Config;
use crate::pod::PodExt;
use std::fmt::Write;
use std::net::IpAddr;
use windlass_core::apis::core::v1::Pod;

/// The resolver looks at no more name servers.
const MAX_NAMESERVERS: usize = 3;
/// A host name is no longer.
const MAX_HOSTNAME: usize = 63;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Resolver {
    nameservers: Vec<String>,
    searches: Vec<String>,
    options: Vec<String>,
}

/// The content of a pod's `/etc/resolv.conf`; `host` is the node's.
pub(crate) fn resolv_conf(pod: &Pod, config: &Config, host: &str) -> String {
    let spec = pod.pod_spec();
    let policy = spec.dns_policy.as_deref().unwrap_or("ClusterFirst");
    let host_network = spec.host_network == Some(true);
    let mut resolver = match (policy, config.cluster_dns) {
        ("None", _) => Resolver::default(),
        ("ClusterFirst", Some(dns)) if !host_network => cluster(pod, config, dns, host),
        ("ClusterFirstWithHostNet", Some(dns)) => cluster(pod, config, dns, host),
        _ => parse(host),
    };
    if let Some(own) = &spec.dns_config {
        resolver.nameservers.extend(own.nameservers.iter().flatten().cloned());
        resolver.searches.extend(own.searches.iter().flatten().cloned());
        for option in own.options.iter().flatten() {
            let Some(name) = &option.name else { continue };
            resolver.options.retain(|o| o != name && !o.starts_with(&format!("{name}:")));
            let value = option.value.as_ref().map(|v| format!(":{v}")).unwrap_or_default();
            resolver.options.push(format!("{name}{value}"));
        }
    }
    resolver.render()
}

fn cluster(pod: &Pod, config: &Config, dns: IpAddr, host: &str) -> Resolver {
    let domain = &config.cluster_domain;
    let mut searches =
        vec![format!("{}.svc.{domain}", pod.namespace()), format!("svc.{domain}"), domain.clone()];
    searches.extend(parse(host).searches);
    Resolver { nameservers: vec![dns.to_string()], searches, options: vec!["ndots:5".into()] }
}

fn parse(text: &str) -> Resolver {
    let mut resolver = Resolver::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => resolver.nameservers.extend(words.map(ToOwned::to_owned).take(1)),
            Some("search") => resolver.searches = words.map(ToOwned::to_owned).collect(),
            Some("options") => resolver.options.extend(words.map(ToOwned::to_owned)),
            _ => {}
        }
    }
    resolver
}

impl Resolver {
    fn render(mut self) -> String {
        let mut seen = std::collections::BTreeSet::new();
        self.searches.retain(|search| seen.insert(search.clone()));
        self.nameservers.retain(|server| seen.insert(server.clone()));
        self.nameservers.truncate(MAX_NAMESERVERS);
        let mut text = String::new();
        let mut line = |name: &str, words: &[String]| {
            if !words.is_empty() {
                text.extend([name, " ", &words.join(" "), "\n"]);
            }
        };
        line("search", &self.searches);
        for server in &self.nameservers {
            line("nameserver", std::slice::from_ref(server));
        }
        line("options", &self.options);
        text
    }
}

/// The pod's host name, and its full name when it has a subdomain.
pub(crate) fn hostname(pod: &Pod, config: &Config) -> (String, Option<String>) {
    let spec = pod.pod_spec();
    if spec.host_network == Some(true) {
        return (config.node_name.clone(), None);
    }
    let own = spec.hostname.as_deref().filter(|name| !name.is_empty()).unwrap_or(pod.name());
    let mut name: String = own.chars().take(MAX_HOSTNAME).collect();
    name.truncate(name.trim_end_matches(['-', '.']).len());
    let full = spec.subdomain.as_deref().filter(|s| !s.is_empty()).map(|subdomain| {
        format!("{name}.{subdomain}.{}.svc.{}", pod.namespace(), config.cluster_domain)
    });
    if spec.set_hostname_as_fqdn == Some(true) {
        return (full.clone().unwrap_or_else(|| name.clone()), full);
    }
    (name, full)
}

/// The content of a pod's `/etc/hosts`; `host` is the node's, for a pod in its network.
pub(crate) fn hosts(pod: &Pod, config: &Config, ips: &[IpAddr], host: Option<&str>) -> String {
    let mut text = match host {
        Some(host) => format!("# Kubernetes-managed hosts file (host network).\n{host}"),
        None => "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n".to_owned(),
    };
    let (name, full) = hostname(pod, config);
    let names = full.map_or_else(|| name.clone(), |full| format!("{full}\t{name}"));
    if host.is_none() {
        for ip in ips {
            // Writing to a String can't fail.
            writeln!(text, "{ip}\t{names}").ok();
        }
    }
    let aliases = pod.pod_spec().host_aliases.iter().flatten();
    let lines = aliases.map(|a| {
        format!(
            "{}\t{}\n",
            a.ip,
            a.hostnames.iter().flatten().cloned().collect::<Vec<_>>().join("\t")
        )
    });
    let lines: String = lines.collect();
    if !lines.is_empty() {
        text.push_str("\n# Entries added by HostAliases.\n");
        text.push_str(&lines);
    }
    text
}

#[cfg(test)]
mod tests;
