use super::*;
use crate::config::Machine;
use serde_json::json;

#[test]
fn variables_expand() {
    let lookup = |name: &str| (name == "A").then(|| "1".to_owned());
    for (text, expanded) in [
        ("$(A)", "1"),
        ("$$(A)", "$(A)"),
        ("$(B)", "$(B)"),
        ("x$(A)y$(A)", "x1y1"),
        ("$", "$"),
        ("$(A", "$(A"),
        ("$A", "$A"),
        ("$$$(A)", "$1"),
    ] {
        assert_eq!(expand(text, lookup), expanded, "{text}");
    }
}

fn made(container: serde_json::Value, sources: &Sources) -> Result<Environment, ConfigError> {
    let spec = json!({"nodeName": "n", "containers": [container]});
    let meta = json!({"name": "p", "namespace": "ns", "uid": "u", "labels": {"app": "x"}});
    let pod: Pod = serde_json::from_value(json!({"metadata": meta, "spec": spec})).expect("a pod");
    let ip = "10.0.0.1".parse().expect("an address");
    let facts = Facts { hostname: "p", host_ip: ip, pod_ips: &[ip], machine: &Machine::default() };
    let services = [("KUBERNETES_SERVICE_HOST".to_owned(), "10.96.0.1".to_owned())];
    environment(&pod, &pod.spec.as_ref().expect("one").containers[0], sources, &services, &facts)
}

#[test]
fn an_environment_is_made_of_many_sources() {
    let mut sources = Sources { namespace: "ns".into(), ..Sources::default() };
    let data = |key: &str, value: &str| Some([(key.to_owned(), value.to_owned())].into());
    sources.config_maps.insert("cm".into(), data("key", "from-cm"));
    sources.secrets.insert("sec".into(), data("key", "from-secret"));
    let field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    let made = made(
        json!({
            "name": "c", "args": ["$(SUM)", "$(NONE)"], "resources": {"limits": {"memory": "32Mi", "cpu": "1500m"}},
            "envFrom": [{"prefix": "P_", "configMapRef": {"name": "cm"}}],
            "env": [
                {"name": "NAME", "valueFrom": field("metadata.name")},
                {"name": "LABEL", "valueFrom": field("metadata.labels['app']")},
                {"name": "IP", "valueFrom": field("status.podIP")},
                {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
                {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                {"name": "MILLI", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
                {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "key"}}},
                {"name": "MAYBE", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x", "optional": true}}},
                {"name": "SUM", "value": "$(NAME)/$(P_key)/$(KUBERNETES_SERVICE_HOST)"},
                {"name": "EMPTY"},
            ],
        }),
        &sources,
    )
    .expect("all is there");
    let expected = [
        ("HOSTNAME", "p"),
        ("P_key", "from-cm"),
        ("NAME", "p"),
        ("LABEL", "x"),
        ("IP", "10.0.0.1"),
        ("MEM", "33554432"),
        ("CPU", "2"),
        ("MILLI", "1500"),
        ("SECRET", "from-secret"),
        ("SUM", "p/from-cm/10.96.0.1"),
        ("EMPTY", ""),
        ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
    ];
    let expected: Vec<_> = expected.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
    assert_eq!(made.variables, expected);
    assert_eq!(made.args, ["p/from-cm/10.96.0.1", "$(NONE)"]);
}

#[test]
fn what_is_missing_is_named() {
    let mut sources = Sources { namespace: "ns".into(), ..Sources::default() };
    sources.config_maps.insert("cm".into(), Some([].into()));
    for (from, message) in [
        (
            json!({"configMapKeyRef": {"name": "cm", "key": "k"}}),
            "couldn't find key k in ConfigMap ns/cm",
        ),
        (json!({"configMapKeyRef": {"name": "no", "key": "k"}}), "configmap \"no\" not found"),
        (json!({"secretKeyRef": {"name": "no", "key": "k"}}), "secret \"no\" not found"),
        (json!({"fieldRef": {"fieldPath": "spec.none"}}), "unsupported fieldPath: spec.none"),
    ] {
        let error =
            made(json!({"name": "c", "env": [{"name": "X", "valueFrom": from}]}), &sources).err();
        assert_eq!(error, Some(ConfigError(message.into())));
    }
}
