//! Probes, hooks, images, ends: what happens to pods beside the straight way.

use super::*;
use crate::runtime::fake::{Script, Steady};
use parking_lot::Mutex;

/// Containers run for ever; what their probes say is in here.
#[derive(Clone, Default)]
struct Probed {
    exit_codes: Arc<Mutex<std::collections::BTreeMap<String, i32>>>,
    asked: Arc<Mutex<Vec<String>>>,
    deaf: bool,
}

impl Probed {
    fn say(&self, command: &str, exit_code: i32) {
        self.exit_codes.lock().insert(command.into(), exit_code);
    }
}

impl Director for Probed {
    fn container(&self, _: &ContainerConfig) -> Script {
        Script { on_term: (!self.deaf).then_some(0), ..Script::default() }
    }

    fn exec(&self, _: &ContainerConfig, command: &[String]) -> Script {
        self.asked.lock().push(command[0].clone());
        let exit_code = self.exit_codes.lock().get(&command[0]).copied().unwrap_or(0);
        let stderr = format!("{} says {exit_code}", command[0]);
        Script { runs: Some(Duration::ZERO), exit_code, stderr, ..Script::default() }
    }
}

fn status(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]
}

fn with(fields: Value) -> Value {
    let mut container =
        json!({"name": "c", "image": "busybox:1", "imagePullPolicy": "IfNotPresent"});
    api::merge(&mut container, &fields);
    json!({"containers": [container]})
}

fn exec(command: &str) -> Value {
    json!({"exec": {"command": [command]}})
}

fn probe(command: &str, fields: Value) -> Value {
    let mut probe = exec(command);
    api::merge(&mut probe, &fields);
    probe
}

#[tokio::test(start_paused = true)]
async fn a_failed_liveness_probe_starts_a_container_anew() {
    let probed = Probed::default();
    let node = TestNode::start(probed.clone()).await;
    let live = probe("live", json!({"periodSeconds": 1, "failureThreshold": 3}));
    node.api.put("pods", pod("a", &with(json!({"livenessProbe": live}))));
    node.until("a", |pod| status(pod)["ready"] == true).await;
    probed.say("live", 1);
    node.until("a", |pod| status(pod)["restartCount"] == 1).await;
    assert_eq!(node.api.messages("Unhealthy"), ["Liveness probe failed: live says 1"]);
    assert_eq!(
        node.api.messages("Killing"),
        ["Container c failed liveness probe, will be restarted"]
    );
}

#[tokio::test(start_paused = true)]
async fn readiness_comes_and_goes_with_its_probe() {
    let probed = Probed::default();
    probed.say("ready", 1);
    let node = TestNode::start(probed.clone()).await;
    let ready = probe("ready", json!({"periodSeconds": 2, "failureThreshold": 1}));
    node.api.put("pods", pod("a", &with(json!({"readinessProbe": ready}))));
    let seen = node.until("a", |pod| status(pod)["started"] == true).await;
    assert_eq!(status(&seen)["ready"], false);
    probed.say("ready", 0);
    node.until("a", |pod| status(pod)["ready"] == true).await;
    probed.say("ready", 1);
    let seen = node.until("a", |pod| status(pod)["ready"] == false).await;
    assert_eq!(status(&seen)["restartCount"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_startup_probe_holds_the_others_back() {
    let probed = Probed::default();
    probed.say("up", 1);
    probed.say("live", 1);
    let node = TestNode::start(probed.clone()).await;
    let up = probe("up", json!({"periodSeconds": 1, "failureThreshold": 30}));
    let live = probe("live", json!({"periodSeconds": 1, "failureThreshold": 1}));
    let fields = json!({"startupProbe": up, "livenessProbe": live});
    node.api.put("pods", pod("a", &with(fields)));
    node.until("a", |pod| status(pod)["state"]["running"].is_object()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!probed.asked.lock().contains(&"live".to_owned()));
    probed.say("live", 0);
    probed.say("up", 0);
    let seen = node.until("a", |pod| status(pod)["started"] == true).await;
    assert_eq!(status(&seen)["restartCount"], 0);
}

#[tokio::test(start_paused = true)]
async fn hooks_run_and_a_failed_one_ends_the_container() {
    let probed = Probed::default();
    let node = TestNode::start(probed.clone()).await;
    let hooks = json!({"lifecycle": {"postStart": exec("post"), "preStop": exec("pre")}});
    node.api.put("pods", pod("a", &with(hooks.clone())));
    node.until("a", |pod| status(pod)["ready"] == true).await;
    node.api.delete_pod("a", node.env.clock.now(), 30);
    node.until_gone("a").await;
    assert_eq!(*probed.asked.lock(), ["post", "pre"]);
    probed.say("post", 1);
    node.api.put("pods", pod("b", &with(hooks)));
    node.until("b", |pod| status(pod)["restartCount"] == 1).await;
    assert_eq!(node.api.messages("FailedPostStartHook"), ["PostStartHook failed: post says 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_deaf_container_is_killed_after_its_grace() {
    let node = TestNode::start(Probed { deaf: true, ..Probed::default() }).await;
    node.api.put("pods", pod("a", &json!({})));
    node.until("a", |pod| status(pod)["ready"] == true).await;
    let begin = node.env.clock.now();
    node.api.delete_pod("a", begin, 30);
    node.until_gone("a").await;
    let took = node.env.clock.now().duration_since(begin).as_secs();
    assert!((28..=31).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_second_delete_hurries_the_first() {
    let node = TestNode::start(Probed { deaf: true, ..Probed::default() }).await;
    node.api.put("pods", pod("a", &json!({})));
    node.until("a", |pod| status(pod)["ready"] == true).await;
    let begin = node.env.clock.now();
    node.api.delete_pod("a", begin, 300);
    tokio::time::sleep(Duration::from_secs(5)).await;
    node.api.delete_pod("a", node.env.clock.now(), 2);
    node.until_gone("a").await;
    let took = node.env.clock.now().duration_since(begin).as_secs();
    assert!((5..=9).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn images_that_do_not_come_are_named_as_kubernetes_does() {
    let node = TestNode::start(Steady).await;
    for (name, image, policy, reason) in [
        ("never", "registry.invalid/no/such:2", "Never", "ErrImageNeverPull"),
        ("odd", "UPPER::bad", "IfNotPresent", "InvalidImageName"),
    ] {
        let fields = with(json!({"image": image, "imagePullPolicy": policy}));
        node.api.put("pods", pod(name, &fields));
        let waits = |pod: &Value| status(pod)["state"]["waiting"]["reason"] == reason;
        let seen = node.until(name, waits).await;
        assert_eq!(seen["status"]["phase"], "Pending", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_pod() {
    let node = TestNode::start(Steady).await;
    let spec = json!({"activeDeadlineSeconds": 3, "restartPolicy": "Never"});
    node.api.put("pods", pod("a", &spec));
    let seen = node.until("a", |pod| pod["status"]["phase"] == "Failed").await;
    assert_eq!(seen["status"]["reason"], "DeadlineExceeded");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_does_not_fit_is_rejected() {
    let node = TestNode::start(Steady).await;
    let fields = with(json!({"resources": {"requests": {"cpu": "99"}}}));
    node.api.put("pods", pod("a", &fields));
    let seen = node.until("a", |pod| pod["status"]["phase"] == "Failed").await;
    assert_eq!(seen["status"]["reason"], "OutOfcpu");
}

#[tokio::test(start_paused = true)]
async fn what_no_pod_owns_is_removed_by_the_next_agent() {
    let node = TestNode::start(Steady).await;
    node.api.put("pods", pod("a", &json!({})));
    node.until("a", |pod| status(pod)["ready"] == true).await;
    node.shutdown.cancel();
    node.api.remove("pods", "default", "a");
    let runtime: &dyn Runtime = &node.runtime;
    let second = Shutdown::new();
    node.start_agent(&second, None).await;
    node.api.put("pods", pod("b", &json!({})));
    node.until("b", |pod| status(pod)["ready"] == true).await;
    // The clock moves once all tasks wait: then all is removed.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let sandboxes = runtime.list_sandboxes().await.expect("lists");
    let names: Vec<_> = sandboxes.iter().map(|s| s.config.name.as_str()).collect();
    assert_eq!(names, ["b"]);
    assert!(!node.root.path().join("pods/uid-a").exists());
    assert!(!node.root.path().join("logs/default_a_uid-a").exists());
    second.cancel();
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_expires() {
    let node = TestNode::start(Steady).await;
    let source = json!({"serviceAccountToken": {"path": "token", "expirationSeconds": 1000}});
    let spec = json!({"serviceAccountName": "default",
        "volumes": [{"name": "v", "projected": {"sources": [source]}}]});
    node.api.put("pods", pod("a", &spec));
    node.until("a", |pod| status(pod)["ready"] == true).await;
    let file = node.root.path().join("pods/uid-a/volatile/kubernetes.io~projected/v/token");
    assert_eq!(std::fs::read_to_string(file).expect("it is there"), "token 1");
    tokio::time::timeout(Duration::from_secs(810), node.api.tokens(2)).await.expect("renewed");
}

#[tokio::test(start_paused = true)]
async fn a_restart_of_the_agent_takes_no_pod_out_of_service() {
    let probed = Probed::default();
    let node = TestNode::start(probed.clone()).await;
    let up = probe("up", json!({"periodSeconds": 1}));
    let ready = probe("ready", json!({"periodSeconds": 5, "failureThreshold": 3}));
    let fields = json!({"startupProbe": up, "readinessProbe": ready});
    node.api.put("pods", pod("a", &with(fields)));
    node.until("a", |pod| status(pod)["ready"] == true).await;
    node.shutdown.cancel();
    probed.say("ready", 1);
    probed.say("up", 1);
    let second = Shutdown::new();
    node.start_agent(&second, None).await;
    // Another pod shows that the new agent works.
    node.api.put("pods", pod("b", &json!({})));
    node.until("b", |pod| status(pod)["ready"] == true).await;
    let seen = node.api.read("pods", "default", "a");
    assert_eq!((&status(&seen)["started"], &status(&seen)["ready"]), (&json!(true), &json!(true)));
    // What the new agent finds counts as ever.
    let seen = node.until("a", |pod| status(pod)["ready"] == false).await;
    assert_eq!(
        (&status(&seen)["started"], &status(&seen)["restartCount"]),
        (&json!(true), &json!(0))
    );
    second.cancel();
}

/// Panics at the first container it is asked about.
#[derive(Default)]
struct Stumbling(std::sync::atomic::AtomicBool);

impl Director for Stumbling {
    fn container(&self, config: &ContainerConfig) -> Script {
        assert!(self.0.swap(true, std::sync::atomic::Ordering::Relaxed), "the first one fails");
        Steady.container(config)
    }

    fn exec(&self, config: &ContainerConfig, command: &[String]) -> Script {
        Steady.exec(config, command)
    }
}

#[tokio::test(start_paused = true)]
async fn an_effect_that_breaks_off_does_not_hold_its_pod_for_ever() {
    let node = TestNode::start(Stumbling::default()).await;
    node.api.put("pods", pod("a", &json!({})));
    node.until("a", |pod| status(pod)["ready"] == true).await;
}
