//! Whom to call.

use super::WebhookError;
use crate::registry::Loopback;
use crate::storage::ReadVersion;
use crate::strategy::Map;
use crate::strategy::json::{map_of, str_of};
use http::Uri;
use serde::Deserialize;
use windlass_core::client::Key;
use windlass_core::scheme;

/// Whom to call, as configurations name it: a URL or a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ClientConfig {
    url: Option<String>,
    service: Option<ServiceReference>,
    /// PEM in base64: who may have signed its certificate. The system's authorities when there is none.
    pub(super) ca_bundle: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct ServiceReference {
    namespace: String,
    name: String,
    path: Option<String>,
    port: Option<u16>,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The URL, as errors show it.
    pub(super) url: Uri,
    /// The name in its certificate.
    pub(super) name: String,
    /// What is dialed: a host or an address.
    pub(super) host: String,
    pub(super) port: u16,
}

// === impl ClientConfig ===

impl ClientConfig {
    /// Where to call, as errors show it.
    pub(super) fn shown(&self) -> String {
        let service = self.service.as_ref().map(ServiceReference::url);
        self.url.clone().or(service).unwrap_or_default()
    }

    /// Finds out where to call.
    pub(super) async fn target(&self, objects: &Loopback) -> Result<Target, WebhookError> {
        match (&self.url, &self.service) {
            (Some(url), _) => by_url(url),
            (None, Some(service)) => service.target(objects).await,
            (None, None) => {
                Err(WebhookError::Config("it names neither a url nor a service".into()))
            }
        }
    }
}

fn by_url(url: &str) -> Result<Target, WebhookError> {
    let bad = |why: &str| WebhookError::Config(format!("invalid url {url:?}: {why}"));
    let uri: Uri = url.parse().map_err(|_| bad("not a URL"))?;
    let host = uri.host().ok_or_else(|| bad("no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    if uri.scheme_str() != Some("https") {
        return Err(bad("not https"));
    }
    let port = uri.port_u16().unwrap_or(443);
    Ok(Target { name: host.clone(), host, port, url: uri })
}

// === impl ServiceReference ===

impl ServiceReference {
    /// The URL by the name of its certificate.
    fn url(&self) -> String {
        let Self { namespace, name, .. } = self;
        let path = self.path.as_deref().unwrap_or("/").trim_start_matches('/');
        format!("https://{name}.{namespace}.svc:{}/{path}", self.port.unwrap_or(443))
    }

    async fn target(&self, objects: &Loopback) -> Result<Target, WebhookError> {
        let Self { namespace, name, .. } = self;
        let missing = |why: &str| WebhookError::Service(format!("service {name:?} {why}"));
        let key = Key::new(scheme::SERVICES, namespace.as_str(), name.as_str());
        let found = objects.get_at(&key, ReadVersion::Any).await;
        let service = found.map_err(|status| missing(&status.message))?;
        let service: Map = service
            .ok_or_else(|| missing("not found"))?
            .view()
            .map_err(|error| missing(&error.to_string()))?;
        let empty = Map::new();
        let spec = map_of(&service, "spec").unwrap_or(&empty);
        let host = match (str_of(spec, "type"), str_of(spec, "clusterIP")) {
            ("ExternalName", _) => str_of(spec, "externalName"),
            (_, "" | "None") => return Err(missing("has no cluster IP")),
            (_, address) => address,
        };
        let port = self.port.unwrap_or(443);
        let server = format!("{name}.{namespace}.svc");
        let url = self.url();
        let url = url.parse().map_err(|_| WebhookError::Config(format!("invalid url {url:?}")))?;
        Ok(Target { url, name: server, host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authentication::User;
    use crate::local::LocalClient;
    use crate::server::ApiServer;
    use serde_json::json;
    use windlass_core::client::ClientExt;

    fn config(json: serde_json::Value) -> ClientConfig {
        serde_json::from_value(json).expect("a configuration")
    }

    #[tokio::test]
    async fn services_are_called_at_their_address_by_their_name() {
        let server = ApiServer::builder().build().await.expect("a server");
        let client = LocalClient::new(server.clone(), User::admin());
        let namespaces = Key::cluster(scheme::NAMESPACES, "");
        client.create_from(&namespaces, &json!({"metadata": {"name": "a"}})).await.expect("made");
        let service = json!({"metadata": {"name": "hook"}, "spec": {"clusterIP": "10.96.0.7", "ports": [{"port": 443}]}});
        client.create_from(&Key::new(scheme::SERVICES, "a", ""), &service).await.expect("made");
        let reference = json!({"service": {"namespace": "a", "name": "hook", "path": "/convert", "port": 8443}});
        let target = config(reference).target(server.objects()).await.expect("it is there");
        assert_eq!((target.host.as_str(), target.port), ("10.96.0.7", 8443));
        assert_eq!((target.name.as_str(), target.url.path()), ("hook.a.svc", "/convert"));
        let missing = config(json!({"service": {"namespace": "a", "name": "other"}}));
        let why = missing.target(server.objects()).await.expect_err("it is not there");
        assert_eq!(why.to_string(), "service \"other\" not found");
    }

    #[test]
    fn urls_are_https() {
        let target = by_url("https://[::1]:8443/a").expect("a URL");
        assert_eq!((target.host.as_str(), target.port, target.url.path()), ("::1", 8443, "/a"));
        assert_eq!(by_url("https://a.b").expect("a URL").port, 443);
        for bad in ["http://a.b", "a.b", "/a", ""] {
            assert!(by_url(bad).is_err(), "{bad}");
        }
    }
}
