use super::*;
use crate::runtime::{PortMapping, SandboxId};
use std::os::unix::fs::PermissionsExt;

/// A plugin that notes what it was asked, and answers with an address.
const PLUGIN: &str = r#"#!/bin/sh
config=$(cat)
echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $config" >>"${0%/*}/calls"
case "$config" in *'"fails":true'*) echo '{"code":7,"msg":"no","details":"luck"}'; exit 1;; esac
[ "$CNI_COMMAND" = DEL ] || echo '{"cniVersion":"1.0.0","ips":[{"address":"10.5.0.7/16"}]}'
"#;

struct Setup {
    dir: tempfile::TempDir,
    network: CniNetwork,
}

fn setup(config: &str) -> Setup {
    let dir = tempfile::tempdir().unwrap();
    let at = |n: &str| dir.path().join(n);
    for folder in ["conf", "bin"] {
        std::fs::create_dir(at(folder)).unwrap();
    }
    std::fs::write(at("conf/10-net.conflist"), config).unwrap();
    std::fs::write(at("conf/20-other.conf"), "not even JSON").unwrap();
    for plugin in ["one", "two"] {
        let path = at("bin").join(plugin);
        std::fs::write(&path, PLUGIN).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let options = CniOptions {
        conf_dir: at("conf"),
        bin_dirs: vec![at("nowhere"), at("bin")],
        state_dir: at("state"),
    };
    let network = CniNetwork::find(options).unwrap().expect("there is a configuration");
    Setup { dir, network }
}

fn pod() -> Attachment {
    Attachment {
        sandbox: SandboxId("s1".into()),
        netns: "/gone".into(),
        name: "pod".into(),
        namespace: "default".into(),
        uid: "u".into(),
        ports: vec![PortMapping {
            host_ip: None,
            host_port: 80,
            container_port: 8080,
            protocol: "TCP".into(),
        }],
    }
}

impl Setup {
    fn calls(&self) -> Vec<(String, Value)> {
        let text = std::fs::read_to_string(self.dir.path().join("bin/calls")).unwrap();
        let line = |l: &str| {
            let (what, config) = l.split_at(l.find('{').unwrap());
            (what.trim().to_string(), serde_json::from_str(config).unwrap())
        };
        text.lines().map(line).collect()
    }
}

const CHAIN: &str = r#"{"cniVersion":"1.0.0","name":"net","plugins":[
    {"type":"one"},{"type":"two","capabilities":{"portMappings":true}}]}"#;

#[tokio::test]
async fn plugins_are_chained_and_undone_in_reverse() {
    let setup = setup(CHAIN);
    let ips = setup.network.connect(&pod()).await.unwrap();
    assert_eq!(ips, ["10.5.0.7".parse::<IpAddr>().unwrap()]);
    setup.network.detach(&pod()).await.unwrap();
    setup.network.detach(&pod()).await.expect("nothing left to undo");
    let calls = setup.calls();
    let what: Vec<_> =
        calls.iter().map(|(w, c)| (w.as_str(), c["type"].as_str().unwrap())).collect();
    assert_eq!(
        what,
        [
            ("ADD s1 eth0", "one"),
            ("ADD s1 eth0", "two"),
            ("DEL s1 eth0", "two"),
            ("DEL s1 eth0", "one")
        ]
    );
    assert!(calls[0].1.get("prevResult").is_none());
    assert_eq!(calls[1].1["prevResult"]["ips"][0]["address"], "10.5.0.7/16");
    assert_eq!(calls[1].1["runtimeConfig"]["portMappings"][0]["hostPort"], 80);
    assert!(calls[0].1.get("runtimeConfig").is_none());
    assert_eq!(calls[3].1["name"], "net");
}

#[tokio::test]
async fn a_failure_has_the_plugins_words() {
    let setup =
        setup(r#"{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"one","fails":true}]}"#);
    let error = setup.network.connect(&pod()).await.unwrap_err();
    assert_eq!(error.to_string(), "plugin type=\"one\" failed: no: luck");
}

#[tokio::test]
async fn a_missing_plugin_is_named() {
    let setup = setup(r#"{"name":"net","type":"../bin/one","cniVersion":"0.4.0"}"#);
    let error = setup.network.connect(&pod()).await.unwrap_err();
    assert!(error.to_string().starts_with("failed to find plugin \"../bin/one\""), "{error}");
}

#[test]
fn no_configuration_is_no_network() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = CniOptions::new(dir.path().join("state"));
    options.conf_dir = dir.path().join("nowhere");
    assert!(CniNetwork::find(options.clone()).unwrap().is_none());
    options.conf_dir = dir.path().to_path_buf();
    std::fs::write(dir.path().join("1.conf"), "{}").unwrap();
    assert!(matches!(CniNetwork::find(options), Err(Error::Invalid(_))));
}
