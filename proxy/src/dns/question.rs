//! What a name within the cluster's domain asks for.

use std::net::IpAddr;

use crate::model::{NamespacedName, Protocol};

/// What a name stands for, by its shape alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// The domain itself.
    Apex,
    /// `dns-version`
    Version,
    /// `ns.dns`: the server.
    NameServer,
    /// `svc`, `pod`, `dns`: names that only have names below them.
    Branch,
    /// `<namespace>.svc`
    Namespace(String),
    /// `<service>.<namespace>.svc`
    Service(NamespacedName),
    /// `_<protocol>.<service>.<namespace>.svc`
    Transport(NamespacedName, Protocol),
    /// `_<port>._<protocol>.<service>.<namespace>.svc`
    Port(NamespacedName, Protocol, String),
    /// `<host>.<service>.<namespace>.svc`
    Endpoint(NamespacedName, String),
    /// `<address with dashes>.<namespace>.pod`
    Pod(IpAddr),
    /// There is no such name.
    Nothing,
}

// === impl Question ===

impl Question {
    /// Reads the labels before the domain, in lower case, the leftmost first.
    pub(super) fn read(labels: &[&str]) -> Self {
        match labels {
            [] => Self::Apex,
            ["dns-version"] => Self::Version,
            ["ns", "dns"] => Self::NameServer,
            ["svc" | "pod" | "dns"] => Self::Branch,
            [namespace, "svc"] => Self::Namespace((*namespace).to_owned()),
            [_, "pod"] => Self::Branch,
            [address, _, "pod"] => dashed(address).map_or(Self::Nothing, Self::Pod),
            [rest @ .., service, namespace, "svc"] => {
                below(rest, NamespacedName::new(*namespace, *service))
            }
            _ => Self::Nothing,
        }
    }
}

fn below(labels: &[&str], service: NamespacedName) -> Question {
    match labels {
        [] => Question::Service(service),
        [word] => match word.strip_prefix('_') {
            None => Question::Endpoint(service, (*word).to_owned()),
            Some(word) => transport(word)
                .map_or(Question::Nothing, |protocol| Question::Transport(service, protocol)),
        },
        [port, word] => {
            match (port.strip_prefix('_'), word.strip_prefix('_').and_then(transport)) {
                (Some(port), Some(protocol)) => Question::Port(service, protocol, port.to_owned()),
                _ => Question::Nothing,
            }
        }
        _ => Question::Nothing,
    }
}

fn transport(word: &str) -> Option<Protocol> {
    match word {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        "sctp" => Some(Protocol::Sctp),
        _ => None,
    }
}

/// `10-244-0-5`, `fd00--1`
fn dashed(label: &str) -> Option<IpAddr> {
    let with = |mark: &str| label.replace('-', mark).parse().ok();
    with(".").or_else(|| with(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let read = |name: &str| Question::read(&name.split('.').collect::<Vec<_>>());
        let web = || NamespacedName::new("shop", "web");
        assert_eq!(Question::read(&[]), Question::Apex);
        for (name, question) in [
            ("dns-version", Question::Version),
            ("ns.dns", Question::NameServer),
            ("svc", Question::Branch),
            ("shop.svc", Question::Namespace("shop".into())),
            ("web.shop.svc", Question::Service(web())),
            ("_tcp.web.shop.svc", Question::Transport(web(), Protocol::Tcp)),
            ("_http._tcp.web.shop.svc", Question::Port(web(), Protocol::Tcp, "http".into())),
            ("web-0.web.shop.svc", Question::Endpoint(web(), "web-0".into())),
            ("10-1-2-3.shop.pod", Question::Pod(IpAddr::from([10, 1, 2, 3]))),
            ("fd00--1.shop.pod", Question::Pod("fd00::1".parse().unwrap())),
            ("nobody.shop.pod", Question::Nothing),
            ("_http.tcp.web.shop.svc", Question::Nothing),
            ("_icmp.web.shop.svc", Question::Nothing),
            ("a._b._tcp.web.shop.svc", Question::Nothing),
            ("shop", Question::Nothing),
        ] {
            assert_eq!(read(name), question, "{name}");
        }
    }
}
