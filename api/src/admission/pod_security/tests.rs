use super::checks::{details, reasons, violations};
use super::policy::{Policy, Standard};
use super::subject::Subject;
use super::{Exemptions, Level, PodSecurity, Version};
use crate::admission::testing::Ask;
use crate::authentication::User;
use crate::local::LocalClient;
use crate::server::ApiServer;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::client::{ClientExt, Key};
use windlass_core::scheme;

fn standard(text: &str) -> Standard {
    let (level, version) = text.split_once(':').unwrap_or((text, "latest"));
    Standard { level: level.parse().unwrap(), version: version.parse().unwrap() }
}

/// What a standard says of a pod.
fn told(text: &str, pod: &Value) -> String {
    details(&violations(standard(text), &Subject::pod(pod.as_object().unwrap()).unwrap()))
}

/// A pod that no standard has anything against, with more in its spec.
fn good(more: Value) -> Value {
    let container = json!({"name": "a", "securityContext": {
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}});
    let mut spec = json!({"containers": [container],
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}});
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    json!({"metadata": {"name": "p"}, "spec": spec})
}

fn containers(contexts: &[Value]) -> Value {
    let names = ["a", "b", "c"];
    let all = names
        .iter()
        .zip(contexts)
        .map(|(name, context)| json!({"name": name, "securityContext": context}));
    json!({"spec": {"containers": all.collect::<Vec<_>>()}})
}

#[test]
fn baseline_keeps_pods_from_the_machine() {
    let pod = |spec: Value| json!({"spec": spec});
    let annotated = |key: &str, value: &str| json!({"metadata": {"annotations": {key: value}}, "spec": {"containers": [{"name": "a"}]}});
    let privileged = json!({"privileged": true});
    let port = |port: u16| json!({"ports": [{"hostPort": port}, {"hostPort": 0}], "name": port.to_string()});
    let probe = json!({"name": "a", "livenessProbe": {"httpGet": {"host": "h"}},
        "lifecycle": {"preStop": {"tcpSocket": {"host": "g"}}}});
    let cases = [
        (containers(&[json!(null)]), ""),
        (pod(json!({})), ""),
        (
            containers(std::slice::from_ref(&privileged)),
            "privileged (container \"a\" must not set securityContext.privileged=true)",
        ),
        (
            containers(&[privileged.clone(), json!({}), privileged]),
            "privileged (containers \"a\", \"c\" must not set securityContext.privileged=true)",
        ),
        (
            pod(json!({"hostNetwork": true, "hostPID": false, "hostIPC": true})),
            "host namespaces (hostNetwork=true, hostIPC=true)",
        ),
        (
            pod(
                json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}, {"name": "w", "emptyDir": {}}]}),
            ),
            "hostPath volumes (volume \"v\")",
        ),
        (
            pod(json!({"containers": [port(80), port(443)]})),
            "hostPort (containers \"80\", \"443\" use hostPorts 443, 80)",
        ),
        (
            pod(json!({"initContainers": [port(80)]})),
            "hostPort (container \"80\" uses hostPort 80)",
        ),
        (
            pod(json!({"containers": [probe]})),
            "probe or lifecycle host (container \"a\" uses probe or lifecycle hosts \"g\", \"h\")",
        ),
        (
            containers(&[json!({"capabilities": {"add": ["CHOWN", "SYS_ADMIN", "BPF"]}})]),
            "non-default capabilities (container \"a\" must not include \"BPF\", \"SYS_ADMIN\" in securityContext.capabilities.add)",
        ),
        (
            containers(&[json!({"procMount": "Unmasked"}), json!({"procMount": "Default"})]),
            "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")",
        ),
        (
            containers(&[json!({"seLinuxOptions": {"type": "spc_t", "user": "u"}})]),
            "seLinuxOptions (container \"a\" set forbidden securityContext.seLinuxOptions: type \"spc_t\"; user may not be set)",
        ),
        (
            pod(
                json!({"securityContext": {"seLinuxOptions": {"role": "r", "type": "container_t"}}}),
            ),
            "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: role may not be set)",
        ),
        (
            pod(json!({"securityContext": {"seccompProfile": {"type": "Unconfined"}}})),
            "seccompProfile (pod must not set securityContext.seccompProfile.type to \"Unconfined\")",
        ),
        (
            pod(
                json!({"securityContext": {"sysctls": [{"name": "kernel.msgmax"}, {"name": "net.ipv4.tcp_rmem"}]}}),
            ),
            "forbidden sysctls (kernel.msgmax)",
        ),
        (
            pod(json!({"securityContext": {"windowsOptions": {"hostProcess": true}},
                "containers": [{"name": "a", "securityContext": {"windowsOptions": {"hostProcess": true}}}]})),
            "hostProcess (pod and container \"a\" must not set securityContext.windowsOptions.hostProcess=true)",
        ),
        (
            containers(&[json!({"appArmorProfile": {"type": "Unconfined"}})]),
            "forbidden AppArmor profile (container \"a\" must not set AppArmor profile type to \"Unconfined\")",
        ),
        (
            annotated("container.apparmor.security.beta.kubernetes.io/a", "unconfined"),
            "forbidden AppArmor profile (annotation must not set AppArmor profile type to \"container.apparmor.security.beta.kubernetes.io/a=\"unconfined\"\")",
        ),
        (annotated("container.apparmor.security.beta.kubernetes.io/a", "localhost/x"), ""),
    ];
    for (pod, wanted) in cases {
        assert_eq!(told("baseline", &pod), wanted, "{pod}");
        assert_eq!(told("privileged", &pod), "", "{pod}");
    }
}

#[test]
fn restricted_asks_for_care() {
    let volumes = json!([{"name": "v", "hostPath": {}}, {"name": "w", "nfs": {}}, {"name": "x", "secret": {}}]);
    let own = |field: &str, value: Value| {
        let mut pod = good(json!({}));
        pod["spec"]["containers"][0]["securityContext"][field] = value;
        pod
    };
    let with = |field: &str, value: Value| {
        let mut pod = good(json!({}));
        pod["spec"]["securityContext"][field] = value;
        pod
    };
    let bare = json!({"spec": {"containers": [{"name": "a"}]}});
    let windows = |mut pod: Value| {
        pod["spec"]["os"] = json!({"name": "windows"});
        pod
    };
    let root_inside = |mut pod: Value| {
        pod["spec"]["hostUsers"] = json!(false);
        pod
    };
    let all = "allowPrivilegeEscalation != false (container \"a\" must set securityContext.allowPrivilegeEscalation=false), \
        unrestricted capabilities (container \"a\" must set securityContext.capabilities.drop=[\"ALL\"]), \
        runAsNonRoot != true (pod or container \"a\" must set securityContext.runAsNonRoot=true), \
        seccompProfile (pod or container \"a\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")";
    let root = "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)";
    let cases = [
        (good(json!({})), ""),
        (bare.clone(), all),
        (
            windows(bare),
            "runAsNonRoot != true (pod or container \"a\" must set securityContext.runAsNonRoot=true)",
        ),
        (
            good(json!({"volumes": volumes})),
            "restricted volume types (volumes \"v\", \"w\" use restricted volume types \"hostPath\", \"nfs\")",
        ),
        (with("runAsNonRoot", json!(false)), root),
        (root_inside(with("runAsNonRoot", json!(false))), ""),
        (with("runAsUser", json!(0)), "runAsUser=0 (pod must not set runAsUser=0)"),
        (own("runAsUser", json!(0)), "runAsUser=0 (container \"a\" must not set runAsUser=0)"),
        (own("runAsUser", json!(1000)), ""),
        (
            own("capabilities", json!({"drop": ["ALL"], "add": ["NET_BIND_SERVICE", "CHOWN"]})),
            "unrestricted capabilities (container \"a\" must not include \"CHOWN\" in securityContext.capabilities.add)",
        ),
        (
            own("seccompProfile", json!({"type": "Unconfined"})),
            "seccompProfile (container \"a\" must not set securityContext.seccompProfile.type to \"Unconfined\")",
        ),
        (
            root_inside(own("procMount", json!("Unmasked"))),
            "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")",
        ),
    ];
    for (pod, wanted) in cases {
        assert_eq!(told("restricted", &pod), wanted, "{pod}");
    }
}

#[test]
fn standards_have_versions() {
    let sysctl = |name: &str| json!({"spec": {"securityContext": {"sysctls": [{"name": name}]}}});
    let seccomp = json!({"metadata": {"annotations": {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}}, "spec": {}});
    let engine =
        json!({"spec": {"securityContext": {"seLinuxOptions": {"type": "container_engine_t"}}}});
    let cases = [
        ("baseline:v1.31", sysctl("net.ipv4.tcp_rmem"), "forbidden sysctls"),
        ("baseline:v1.32", sysctl("net.ipv4.tcp_rmem"), ""),
        ("baseline:v1.99", sysctl("net.ipv4.tcp_rmem"), ""),
        ("baseline:v1.18", seccomp.clone(), "seccompProfile"),
        ("baseline:v1.19", seccomp, ""),
        ("baseline:v1.30", engine.clone(), "seLinuxOptions"),
        ("baseline:v1.31", engine, ""),
        (
            "restricted:v1.7",
            json!({"spec": {"containers": [{"name": "a"}]}}),
            "runAsNonRoot != true",
        ),
        (
            "restricted:v1.21",
            containers(&[json!({"capabilities": {"add": ["BPF"]}})]),
            "non-default capabilities, allowPrivilegeEscalation != false, runAsNonRoot != true, seccompProfile",
        ),
    ];
    for (text, pod, wanted) in cases {
        let subject = Subject::pod(pod.as_object().unwrap()).unwrap();
        assert_eq!(reasons(&violations(standard(text), &subject)), wanted, "{text} {pod}");
    }
}

#[test]
fn labels_make_a_policy() {
    let default = Policy { audit: standard("baseline:v1.30"), ..Policy::default() };
    let policy = |enforce: &str, audit: &str, warn: &str| Policy {
        enforce: standard(enforce),
        audit: standard(audit),
        warn: standard(warn),
    };
    let why = "metadata.labels[pod-security.kubernetes.io/";
    let levels = "Invalid value: \"x\": must be one of privileged, baseline, restricted";
    let versions = "Invalid value: \"1\": must be \"latest\" or \"v1.x\"";
    let cases = [
        (vec![], default, String::new()),
        (vec![("app", "x")], default, String::new()),
        (
            vec![("enforce", "baseline"), ("enforce-version", "v1.28")],
            policy("baseline:v1.28", "baseline:v1.30", "baseline:v1.28"),
            String::new(),
        ),
        (
            vec![("enforce", "baseline"), ("warn", "restricted"), ("audit", "privileged")],
            policy("baseline", "privileged:v1.30", "restricted"),
            String::new(),
        ),
        (
            vec![("enforce", "x"), ("warn", "x")],
            policy("restricted", "baseline:v1.30", "privileged"),
            format!("[{why}enforce]: {levels}, {why}warn]: {levels}]"),
        ),
        (
            vec![("enforce-version", "1")],
            policy("privileged", "baseline:v1.30", "privileged"),
            format!("{why}enforce-version]: {versions}"),
        ),
    ];
    for (labels, wanted, errors) in cases {
        let full: Vec<_> = labels
            .iter()
            .map(|(key, value)| (format!("pod-security.kubernetes.io/{key}"), *value))
            .collect();
        let found = Policy::of(full.iter().map(|(key, value)| (key.as_str(), *value)), default);
        assert_eq!((found.0, super::told(&found.1)), (wanted, errors), "{labels:?}");
    }
    for text in ["v1.01", "v2.0", "v1.", "v1.x", "", "v1.+1"] {
        assert!(text.parse::<Version>().is_err(), "{text}");
    }
    assert!(Level::Restricted > Level::Baseline && Level::Baseline > Level::Privileged);
}

/// A server with a namespace of these labels.
async fn server(labels: Value) -> Arc<ApiServer> {
    let server = ApiServer::builder().build().await.unwrap();
    let client = LocalClient::new(server.clone(), User::admin());
    let namespace = json!({"metadata": {"name": "ns", "labels": labels}});
    client.create_from(&Key::cluster(scheme::NAMESPACES, ""), &namespace).await.unwrap();
    server
}

const STRICT: &str =
    "violates PodSecurity \"restricted:latest\": runAsUser=0 (pod must not set runAsUser=0)";

#[tokio::test]
async fn pods_are_refused_and_templates_warned_about() {
    let label = |mode: &str| format!("pod-security.kubernetes.io/{mode}");
    let labels = json!({label("enforce"): "restricted", label("audit"): "baseline"});
    let server = server(labels).await;
    let plugin = PodSecurity::default();
    let mut bad = good(json!({}));
    bad["spec"]["securityContext"]["runAsUser"] = json!(0);
    let create = Ask::create(scheme::PODS, &bad);
    let answer = create.clone().of(&plugin, &server).await;
    assert_eq!(answer.refusal(), format!("pods \"x\" is forbidden: {STRICT}"));
    let noted = vec![(label("enforce-policy"), "restricted:latest".to_owned())];
    assert_eq!((answer.annotations, answer.warnings), (noted, vec![]));

    let template = json!({"spec": {"template": {"metadata": {}, "spec": bad["spec"]}}});
    let answer = Ask::create(scheme::DEPLOYMENTS, &template).of(&plugin, &server).await;
    assert_eq!(
        (answer.refusal(), answer.warnings),
        (String::new(), vec![format!("would {}", STRICT.replacen("violates", "violate", 1))])
    );
    let none = Ask::create(scheme::DEPLOYMENTS, &json!({"spec": {}})).of(&plugin, &server).await;
    assert_eq!((none.refusal(), none.warnings), (String::new(), vec![]));

    let mut other = bad.clone();
    other["metadata"]["labels"] = json!({"a": "b"});
    let same = Ask::update(scheme::PODS, &bad, &other);
    assert_eq!(same.clone().of(&plugin, &server).await.refusal(), "");
    other["spec"]["ephemeralContainers"] = json!([{"name": "e", "image": "x"}]);
    let debug = Ask::update(scheme::PODS, &bad, &other).through("ephemeralcontainers");
    assert!(!debug.of(&plugin, &server).await.refusal().is_empty());
    let status = Ask::update(scheme::PODS, &bad, &other).through("status");
    assert_eq!(status.of(&plugin, &server).await.refusal(), "");

    let names = |name: &str| vec![name.to_owned()];
    for exempt in [
        Exemptions { usernames: names("system:admin"), ..Exemptions::default() },
        Exemptions { namespaces: names("ns"), ..Exemptions::default() },
    ] {
        let plugin = PodSecurity::new(Policy::default(), exempt);
        assert_eq!(create.clone().of(&plugin, &server).await.refusal(), "");
    }
    let exempt = Exemptions { runtime_classes: names("vm"), ..Exemptions::default() };
    let plugin = PodSecurity::new(Policy::default(), exempt);
    assert!(!create.of(&plugin, &server).await.refusal().is_empty());
    bad["spec"]["runtimeClassName"] = json!("vm");
    assert_eq!(Ask::create(scheme::PODS, &bad).of(&plugin, &server).await.refusal(), "");
}

#[tokio::test]
async fn labels_are_checked_and_pods_counted() {
    let server = server(json!({})).await;
    let plugin = PodSecurity::default();
    let client = LocalClient::new(server.clone(), User::admin());
    for name in ["c", "a", "b"] {
        let mut pod = json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
        if name == "b" {
            pod["spec"]["hostNetwork"] = json!(true);
        }
        client.create_from(&Key::new(scheme::PODS, "ns", ""), &pod).await.unwrap();
    }
    let labelled = |level: &str| json!({"metadata": {"name": "ns", "labels": {"pod-security.kubernetes.io/enforce": level}}});
    let update = |old: &str, new: &str| {
        let ask = Ask::update(scheme::NAMESPACES, &labelled(old), &labelled(new));
        ask.within("ns").named("ns")
    };
    let wrong = "Namespace \"ns\" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: \
        Invalid value: \"x\": must be one of privileged, baseline, restricted";
    let answer = update("baseline", "x").of(&plugin, &server).await;
    assert_eq!(answer.refusal(), wrong);
    assert_eq!(update("x", "x").of(&plugin, &server).await.refusal(), "", "it was wrong before");

    let head = |level: &str| {
        format!(
            "existing pods in namespace \"ns\" violate the new PodSecurity enforce level \"{level}:latest\""
        )
    };
    let answer = update("privileged", "baseline").of(&plugin, &server).await;
    let wanted = vec![head("baseline"), "b: host namespaces".to_owned()];
    assert_eq!((answer.refusal(), answer.warnings), (String::new(), wanted));
    let careless = "allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile";
    let answer = update("baseline", "restricted").of(&plugin, &server).await;
    let wanted = vec![
        head("restricted"),
        format!("a (and 1 other pod): {careless}"),
        format!("b: host namespaces, {careless}"),
    ];
    assert_eq!(answer.warnings, wanted);
    assert!(update("restricted", "baseline").of(&plugin, &server).await.warnings.is_empty());
}

#[tokio::test]
async fn a_namespace_made_just_now_is_asked() {
    let server = ApiServer::builder().build().await.unwrap();
    let client = LocalClient::new(server.clone(), User::admin());
    let labels = json!({"pod-security.kubernetes.io/enforce": "baseline"});
    let namespace = json!({"metadata": {"name": "ns", "labels": labels}});
    client.create_from(&Key::cluster(scheme::NAMESPACES, ""), &namespace).await.unwrap();
    let ask = Ask::create(scheme::PODS, &good(json!({"hostNetwork": true}))).behind();
    let refusal = ask.of(&PodSecurity::default(), &server).await.refusal();
    assert!(refusal.contains("host namespaces (hostNetwork=true)"), "{refusal}");
}
