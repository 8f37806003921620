//! From a container of a pod to what the runtime is told.

use super::devices;
use super::effects::Effect;
use super::snapshot::{
    BACKOFF_ANNOTATION, IMAGE_ANNOTATION, IMAGE_ID_ANNOTATION, MESSAGE_PATH_ANNOTATION,
    MESSAGE_POLICY_ANNOTATION,
};
use super::start::Start;
use crate::dns;
use crate::environment::{ConfigError, Environment, Facts, Sources, environment, expand};
use crate::images::ImageStatus;
use crate::pod::PodExt;
use crate::resources;
use crate::runtime::{ContainerConfig, Mount, Propagation};
use crate::security::security;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use windlass_core::apis::core::v1::{Container, VolumeMount};

const MESSAGE_PATH: &str = "/dev/termination-log";

/// The configuration of a start of a container.
pub(super) async fn container_config(
    effect: &Effect,
    start: &Start,
    container: &Container,
    image: &ImageStatus,
) -> Result<ContainerConfig, ConfigError> {
    let (host, pod) = (&effect.host, &*effect.pod);
    let profiles = host.config.root_dir.join("seccomp");
    let security = security(pod, container, image, &profiles)?;
    let environment = variables(effect, container).await?;
    let message = message_file(effect, start, container).await?;
    let mounts = mounts(effect, container, &environment, &message).await?;
    let message_policy = container.termination_message_policy.clone().unwrap_or_default();
    let annotations = BTreeMap::from([
        (BACKOFF_ANNOTATION.to_owned(), start.backoff.to_string()),
        (IMAGE_ANNOTATION.to_owned(), container.image.clone().unwrap_or_default()),
        (IMAGE_ID_ANNOTATION.to_owned(), image.digests.first().unwrap_or(&image.id.0).clone()),
        (MESSAGE_PATH_ANNOTATION.to_owned(), message.display().to_string()),
        (MESSAGE_POLICY_ANNOTATION.to_owned(), message_policy),
    ]);
    let labels = BTreeMap::from([
        ("io.kubernetes.container.name".to_owned(), container.name.clone()),
        ("io.kubernetes.pod.name".to_owned(), pod.name().to_owned()),
        ("io.kubernetes.pod.namespace".to_owned(), pod.namespace().to_owned()),
        ("io.kubernetes.pod.uid".to_owned(), pod.uid().to_owned()),
    ]);
    let stop_signal = container.lifecycle.as_ref().and_then(|l| l.stop_signal.clone());
    let mut config = ContainerConfig {
        name: container.name.clone(),
        attempt: start.attempt,
        image: image.id.clone(),
        command: environment.command,
        args: environment.args,
        working_dir: container.working_dir.clone().filter(|dir| !dir.is_empty()),
        env: environment.variables,
        mounts,
        security,
        resources: resources::of_container(pod, container, host.config.machine.memory),
        log_path: effect.logs_dir().join(&container.name).join(format!("{}.log", start.attempt)),
        log_limits: host.config.log_limits,
        stdin: container.stdin == Some(true),
        stdin_once: container.stdin_once == Some(true),
        tty: container.tty == Some(true),
        stop_signal,
        labels,
        annotations,
        ..ContainerConfig::default()
    };
    devices::give(effect, container, &mut config).await?;
    Ok(config)
}

async fn variables(effect: &Effect, container: &Container) -> Result<Environment, ConfigError> {
    let (host, pod) = (&effect.host, &*effect.pod);
    let sources = Sources::gather(&host.references, pod, container).await?;
    let host_ip = host.config.node_ip;
    let pod_ips = match pod.pod_spec().host_network {
        Some(true) => vec![host_ip],
        _ => effect.runtime.sandbox().map(|s| s.ips.clone()).unwrap_or_default(),
    };
    let (hostname, _) = dns::hostname(pod, &host.config);
    let facts =
        Facts { hostname: &hostname, host_ip, pod_ips: &pod_ips, machine: &host.config.machine };
    environment(pod, container, &sources, &host.service_variables(pod), &facts)
}

/// The file of the node in which the container leaves its last words.
async fn message_file(
    effect: &Effect,
    start: &Start,
    container: &Container,
) -> Result<PathBuf, ConfigError> {
    let dir = effect.host.config.pod_dir(effect.pod.uid()).join("containers").join(&container.name);
    let path = dir.join(format!("{}.message", start.attempt));
    let make = async {
        tokio::fs::create_dir_all(&dir).await?;
        tokio::fs::write(&path, b"").await?;
        // Whoever the container runs as writes to it.
        tokio::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).await
    };
    let made: std::io::Result<()> = make.await;
    made.map_err(|e| ConfigError(format!("{}: {e}", path.display())))?;
    Ok(path)
}

async fn mounts(
    effect: &Effect,
    container: &Container,
    environment: &Environment,
    message: &Path,
) -> Result<Vec<Mount>, ConfigError> {
    let mut mounts = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        mounts.push(volume_mount(effect, container, environment, mount).await?);
    }
    let hosts = effect.host.config.pod_dir(effect.pod.uid()).join("etc-hosts");
    let message_target = container.termination_message_path.as_deref().unwrap_or(MESSAGE_PATH);
    for (source, target) in [(hosts.as_path(), "/etc/hosts"), (message, message_target)] {
        if !mounts.iter().any(|m: &Mount| m.target == Path::new(target)) {
            let (source, target) = (source.to_path_buf(), target.into());
            mounts.push(Mount { source, target, ..Mount::default() });
        }
    }
    Ok(mounts)
}

async fn volume_mount(
    effect: &Effect,
    container: &Container,
    environment: &Environment,
    mount: &VolumeMount,
) -> Result<Mount, ConfigError> {
    let sub_path = match &mount.sub_path_expr {
        Some(expression) if !expression.is_empty() => Some(sub_path(expression, environment)?),
        _ => mount.sub_path.clone(),
    };
    let volumes = &effect.host.volumes;
    let source = volumes.source(&effect.pod, &container.name, mount, sub_path).await;
    let (source, read_only) = source.map_err(|error| {
        ConfigError(format!(
            "failed to prepare subPath for volumeMount \"{}\" of container \"{}\": {error}",
            mount.name, container.name
        ))
    })?;
    let propagation = match mount.mount_propagation.as_deref() {
        Some("Bidirectional") => Propagation::Bidirectional,
        Some("HostToContainer") => Propagation::HostToContainer,
        _ => Propagation::Private,
    };
    let volumes = effect.pod.pod_spec().volumes.iter().flatten();
    let no_exec = volumes.filter(|v| v.image.is_some()).any(|volume| volume.name == mount.name);
    let target = mount.mount_path.clone().into();
    Ok(Mount { source, target, read_only, propagation, no_exec })
}

fn sub_path(expression: &str, environment: &Environment) -> Result<String, ConfigError> {
    let find = |name: &str| {
        let mut all = environment.variables.iter();
        all.find(|(variable, _)| variable == name).map(|(_, value)| value.clone())
    };
    let missing = std::cell::RefCell::new(None);
    let path = expand(expression, |name| {
        find(name).or_else(|| {
            *missing.borrow_mut() = Some(name.to_owned());
            None
        })
    });
    match missing.into_inner() {
        Some(name) => Err(ConfigError(format!("missing value for \"{name}\""))),
        None => Ok(path),
    }
}
