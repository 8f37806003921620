//! Names with a scheme and a port: `web`, `web:80`, `https:web:443`.

use crate::nodes::backend::Security;
use windlass_core::client::Key;
use windlass_core::meta::Status;
use windlass_core::scheme::PODS;

/// What a proxy's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nodes) struct SchemeNamePort<'a> {
    kind: &'static str,
    asked: &'a str,
    tls: bool,
    pub(in crate::nodes) name: &'a str,
    /// Empty when none is named.
    pub(in crate::nodes) port: &'a str,
}

// === impl SchemeNamePort ===

impl<'a> SchemeNamePort<'a> {
    /// Reads one; `kind` is for the error.
    pub(in crate::nodes) fn parse(kind: &'static str, asked: &'a str) -> Result<Self, Status> {
        let parts: Vec<_> = asked.split(':').collect();
        let (scheme, name, port) = match parts.as_slice() {
            [name] => ("", *name, ""),
            [name, port] => ("", *name, *port),
            [scheme, name, port] => (*scheme, *name, *port),
            _ => return Err(invalid(kind, asked)),
        };
        if name.is_empty() || !matches!(scheme, "" | "http" | "https") {
            return Err(invalid(kind, asked));
        }
        Ok(Self { kind, asked, tls: scheme == "https", name, port })
    }

    pub(in crate::nodes) fn security(&self) -> Security {
        if self.tls { Security::Unverified } else { Security::Plain }
    }

    /// The port as a number, where it can't be anything else.
    pub(in crate::nodes) fn port_number(&self) -> Result<Option<u16>, Status> {
        match self.port {
            "" => Ok(None),
            port => match port.parse() {
                Ok(port) if port > 0 => Ok(Some(port)),
                _ => Err(invalid(self.kind, self.asked)),
            },
        }
    }

    pub(super) fn pod(&self, namespace: &str) -> Key {
        Key::new(PODS, namespace, self.name)
    }
}

fn invalid(kind: &str, asked: &str) -> Status {
    Status::bad_request(format!("invalid {kind} request {asked:?}"))
}
