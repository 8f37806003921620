//! Short ways to what a pod says.

use jiff::Timestamp;
use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;
use windlass_core::apis::core::v1::{Container, EphemeralContainer, Pod, PodSpec};
use windlass_core::events::Reference;

/// What Kubernetes gives a pod to end by itself when it does not say.
const DEFAULT_GRACE: i64 = 30;

static NO_SPEC: LazyLock<PodSpec> = LazyLock::new(PodSpec::default);

/// How a container takes part in its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Runs to its end before the next one starts.
    Init,
    /// An init container that goes on beside the others (`restartPolicy: Always`).
    Sidecar,
    /// What the pod is for.
    App,
    /// Added to a running pod.
    Ephemeral,
}

/// What a pod does when a container ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

pub(crate) trait PodExt {
    fn name(&self) -> &str;
    fn namespace(&self) -> &str;
    fn uid(&self) -> &str;
    /// Whether a file of the node describes it, not the API.
    fn is_static(&self) -> bool;
    fn pod_spec(&self) -> &PodSpec;
    fn restart_policy(&self) -> RestartPolicy;
    /// Init containers and sidecars, in order.
    fn init_containers(&self) -> &[Container];
    /// All containers with their roles: init, app, ephemeral.
    fn containers(&self) -> Vec<(Role, Cow<'_, Container>)>;
    /// `name_namespace(uid)`, as Kubernetes' messages name a pod.
    fn full_name(&self) -> String;
    /// When its grace period is over, if it is being deleted.
    fn deletion(&self) -> Option<Timestamp>;
    /// How long its containers may take to end.
    fn grace(&self) -> Duration;
    /// A reference to one of its containers, for events.
    fn reference(&self, field_path: &str) -> Reference;
}

impl PodExt for Pod {
    fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    fn is_static(&self) -> bool {
        let annotations = self.metadata.annotations.as_ref();
        annotations.and_then(|all| all.get(crate::static_pods::SOURCE)).is_some_and(|s| s == "file")
    }

    fn pod_spec(&self) -> &PodSpec {
        self.spec.as_ref().unwrap_or(&NO_SPEC)
    }

    fn restart_policy(&self) -> RestartPolicy {
        match self.pod_spec().restart_policy.as_deref() {
            Some("Never") => RestartPolicy::Never,
            Some("OnFailure") => RestartPolicy::OnFailure,
            _ => RestartPolicy::Always,
        }
    }

    fn init_containers(&self) -> &[Container] {
        self.pod_spec().init_containers.as_deref().unwrap_or_default()
    }

    fn containers(&self) -> Vec<(Role, Cow<'_, Container>)> {
        let spec = self.pod_spec();
        let init = self.init_containers().iter().map(|c| (init_role(c), Cow::Borrowed(c)));
        let app = spec.containers.iter().map(|c| (Role::App, Cow::Borrowed(c)));
        let ephemeral = spec.ephemeral_containers.iter().flatten();
        let ephemeral = ephemeral.map(|c| (Role::Ephemeral, Cow::Owned(as_container(c))));
        init.chain(app).chain(ephemeral).collect()
    }

    fn full_name(&self) -> String {
        format!("{}_{}({})", self.name(), self.namespace(), self.uid())
    }

    fn deletion(&self) -> Option<Timestamp> {
        self.metadata.deletion_timestamp.as_ref().map(|time| time.0)
    }

    fn grace(&self) -> Duration {
        let spec = self.pod_spec().termination_grace_period_seconds.unwrap_or(DEFAULT_GRACE);
        let seconds = self.metadata.deletion_grace_period_seconds.unwrap_or(spec);
        Duration::from_secs(seconds.max(1).unsigned_abs())
    }

    fn reference(&self, field_path: &str) -> Reference {
        Reference {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: self.namespace().into(),
            name: self.name().into(),
            uid: self.uid().into(),
            field_path: field_path.into(),
        }
    }
}

/// Where a container stands in its pod: `spec.containers{web}`.
pub(crate) fn field_path(role: Role, name: &str) -> String {
    let list = match role {
        Role::Init | Role::Sidecar => "initContainers",
        Role::App => "containers",
        Role::Ephemeral => "ephemeralContainers",
    };
    format!("spec.{list}{{{name}}}")
}

/// The role of an init container.
pub(crate) fn init_role(container: &Container) -> Role {
    match container.restart_policy.as_deref() {
        Some("Always") => Role::Sidecar,
        _ => Role::Init,
    }
}

fn as_container(c: &EphemeralContainer) -> Container {
    Container {
        args: c.args.clone(),
        command: c.command.clone(),
        env: c.env.clone(),
        env_from: c.env_from.clone(),
        image: c.image.clone(),
        image_pull_policy: c.image_pull_policy.clone(),
        name: c.name.clone(),
        security_context: c.security_context.clone(),
        stdin: c.stdin,
        stdin_once: c.stdin_once,
        termination_message_path: c.termination_message_path.clone(),
        termination_message_policy: c.termination_message_policy.clone(),
        tty: c.tty,
        volume_mounts: c.volume_mounts.clone(),
        working_dir: c.working_dir.clone(),
        ..Container::default()
    }
}
