use super::{AdmissionConfiguration, PluginError, Plugins};
use crate::authentication::User;
use crate::authorization::{AlwaysAllow, Authorizer};
use crate::local::LocalClient;
use crate::server::ApiServer;
use serde_json::json;
use std::sync::Arc;
use windlass_core::client::{ClientExt, Key};
use windlass_core::clock::Env;
use windlass_core::scheme;

const NONE: [&str; 0] = [];

#[test]
fn plugins_are_on_by_default_or_by_name() {
    let plugins = Plugins::new(["AlwaysPullImages"], ["PodSecurity"]).unwrap();
    let on = ["AlwaysPullImages", "ResourceQuota", "NamespaceLifecycle", "NodeRestriction"];
    assert!(on.iter().all(|name| plugins.has(name)));
    let off = ["PodSecurity", "DenyServiceExternalIPs", "EventRateLimit", "Nothing"];
    assert!(!off.iter().any(|name| plugins.has(name)));

    let said = |enabled: &[&str], disabled: &[&str]| {
        let own = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        Plugins::new(own(enabled), own(disabled)).unwrap_err().to_string()
    };
    assert_eq!(said(&["Nope"], &[]), "unknown admission plugin \"Nope\"");
    let both = "the admission plugin \"Priority\" is both enabled and disabled";
    assert_eq!(said(&["Priority"], &["Priority"]), both);
    let needed = "the admission plugin \"NamespaceLifecycle\" can't be disabled";
    assert_eq!(said(&[], &["NamespaceLifecycle"]), needed);
}

#[test]
fn configurations_are_in_place_or_in_files() {
    let text = "
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: PodSecurity
  configuration: {kind: PodSecurityConfiguration, defaults: {enforce: baseline}}
- name: EventRateLimit
  path: events.yaml
- name: ResourceQuota
";
    let read = |path: &str| match path {
        "events.yaml" => Ok("limits: [{type: Server, qps: 1, burst: 2}]".to_owned()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    let found = AdmissionConfiguration::parse(text, read).unwrap();
    let limit = json!({"limits": [{"type": "Server", "qps": 1, "burst": 2}]});
    assert_eq!(found.plugins["EventRateLimit"], limit);
    assert_eq!(found.plugins["ResourceQuota"], json!({}));
    let missing = text.replace("events.yaml", "nothing.yaml");
    let error = AdmissionConfiguration::parse(&missing, read).unwrap_err().to_string();
    assert!(error.contains("\"EventRateLimit\": nothing.yaml: "), "{error}");
    for wrong in ["", "kind: AdmissionConfiguration", "[", &text.replace("plugins", "plugin")] {
        assert!(AdmissionConfiguration::parse(wrong, read).is_err(), "{wrong}");
    }
}

async fn server(plugins: Plugins) -> Result<Arc<ApiServer>, PluginError> {
    let authorizer: Arc<dyn Authorizer> = Arc::new(AlwaysAllow);
    let builder = plugins.add_to(ApiServer::builder(), &authorizer, &Env::system())?;
    Ok(builder.build().await.unwrap())
}

fn configuration(plugin: &str, text: &str) -> AdmissionConfiguration {
    let file = format!(
        "{{apiVersion: apiserver.config.k8s.io/v1, kind: AdmissionConfiguration, plugins: [{{name: {plugin}, configuration: {text}}}]}}"
    );
    AdmissionConfiguration::parse(&file, |_| unreachable!("there are no files")).unwrap()
}

#[tokio::test]
async fn a_server_has_what_is_on_as_it_is_configured() {
    let text = "{apiVersion: pod-security.admission.config.k8s.io/v1, kind: PodSecurityConfiguration, defaults: {enforce: baseline, enforce-version: v1.30}, exemptions: {namespaces: [free]}}";
    let plugins = Plugins::new(NONE, ["ServiceAccount"]).unwrap();
    let plugins = plugins.configured(configuration("PodSecurity", text)).unwrap();
    let client = LocalClient::new(server(plugins).await.unwrap(), User::admin());
    for namespace in ["ns", "free"] {
        let namespace = json!({"metadata": {"name": namespace}});
        client.create_from(&Key::cluster(scheme::NAMESPACES, ""), &namespace).await.unwrap();
    }
    let pod = json!({"metadata": {"name": "p"}, "spec": {"hostPID": true, "containers": [{"name": "c", "image": "x"}]}});
    let error = client.create_from(&Key::new(scheme::PODS, "ns", ""), &pod).await.unwrap_err();
    let words = "violates PodSecurity \"baseline:v1.30\": host namespaces (hostPID=true)";
    assert!(error.to_string().contains(words), "{error}");
    client.create_from(&Key::new(scheme::PODS, "free", ""), &pod).await.unwrap();
}

#[tokio::test]
async fn what_can_not_be_read_is_said_at_once() {
    let wrong = [
        ("PodSecurity", "{defaults: {enforce: strictest}}", "must be one of privileged"),
        ("PodSecurity", "{exemption: {}}", "unknown field"),
        ("ResourceQuota", "{limitedResources: 3}", "invalid type"),
        ("EventRateLimit", "{limits: []}", "at least one"),
    ];
    for (name, text, why) in wrong {
        let plugins = Plugins::new(["EventRateLimit"], []).unwrap();
        let plugins = plugins
            .configured(configuration(
                "EventRateLimit",
                "{limits: [{type: Server, qps: 1, burst: 1}]}",
            ))
            .unwrap();
        let plugins = plugins.configured(configuration(name, text)).unwrap();
        let error = server(plugins).await.err().unwrap().to_string();
        assert!(error.contains(why) && error.contains(name), "{error}");
    }
}
