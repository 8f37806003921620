//! Security contexts: what a pod and its container say, as the runtime is told.

use crate::environment::ConfigError;
use crate::images::ImageStatus;
use crate::images::resolve::{Missing, resolve_in};
use crate::pod::PodExt;
use crate::runtime::{Seccomp, Security};
use std::path::Path;
use windlass_core::apis::core::v1::{Container, Pod, SeccompProfile};

/// The rights of a container; `profiles` is the folder of seccomp profiles.
///
/// # Errors
/// When the container may not run as root, and would or might, or its seccomp profile can't be known.
pub(crate) fn security(
    pod: &Pod,
    container: &Container,
    image: &ImageStatus,
    profiles: &Path,
) -> Result<Security, ConfigError> {
    let of_pod = pod.pod_spec().security_context.clone().unwrap_or_default();
    let own = container.security_context.clone().unwrap_or_default();
    let user = own.run_as_user.or(of_pod.run_as_user);
    if own.run_as_non_root.or(of_pod.run_as_non_root) == Some(true) {
        verify_non_root(pod, container, user, &image.user)?;
    }
    let mut groups = of_pod.supplemental_groups.unwrap_or_default();
    groups.extend(of_pod.fs_group.filter(|group| !groups.contains(group)));
    let privileged = own.privileged == Some(true);
    let seccomp = own.seccomp_profile.or(of_pod.seccomp_profile);
    let capabilities = own.capabilities.unwrap_or_default();
    let names = |list: Option<Vec<String>>| -> Vec<String> {
        let plain = |name: String| name.strip_prefix("CAP_").unwrap_or(&name).to_uppercase();
        list.into_iter().flatten().map(plain).collect()
    };
    Ok(Security {
        run_as_user: user,
        run_as_group: own.run_as_group.or(of_pod.run_as_group),
        supplemental_groups: groups,
        privileged,
        read_only_root: own.read_only_root_filesystem == Some(true),
        no_new_privileges: own.allow_privilege_escalation == Some(false) && !privileged,
        add_capabilities: names(capabilities.add),
        drop_capabilities: names(capabilities.drop),
        seccomp: seccomp.map_or(Ok(Seccomp::Unconfined), |profile| filter(&profile, profiles))?,
    })
}

/// The filter that a profile stands for. What it names stays inside the folder of profiles, also by links.
fn filter(profile: &SeccompProfile, profiles: &Path) -> Result<Seccomp, ConfigError> {
    match (profile.type_.as_str(), profile.localhost_profile.as_deref().unwrap_or_default()) {
        ("Unconfined", _) => Ok(Seccomp::Unconfined),
        ("RuntimeDefault", _) => Ok(Seccomp::RuntimeDefault),
        ("Localhost", "") => Err(ConfigError(
            "localhostProfile must be set if seccompProfile type is Localhost.".into(),
        )),
        ("Localhost", name) => resolve_in(profiles, Path::new(name), Missing::Keep)
            .map(Seccomp::Localhost)
            .map_err(|e| ConfigError(format!("cannot load seccomp profile \"{name}\": {e}"))),
        (other, _) => Err(ConfigError(format!("seccomp profile type \"{other}\" is unknown"))),
    }
}

fn verify_non_root(
    pod: &Pod,
    container: &Container,
    user: Option<i64>,
    image_user: &str,
) -> Result<(), ConfigError> {
    let whose = format!("(pod: \"{}\", container: {})", pod.full_name(), container.name);
    let image_user = image_user.split(':').next().unwrap_or_default();
    match (user, image_user.parse::<i64>()) {
        (Some(0), _) => {
            Err(ConfigError(format!("container's runAsUser breaks non-root policy {whose}")))
        }
        (Some(_), _) => Ok(()),
        (None, Ok(user)) if user != 0 => Ok(()),
        (None, Err(_)) if !image_user.is_empty() && image_user != "root" => {
            Err(ConfigError(format!(
                "container has runAsNonRoot and image has non-numeric user ({image_user}), cannot verify user is non-root {whose}"
            )))
        }
        (None, _) => Err(ConfigError(format!(
            "container has runAsNonRoot and image will run as root {whose}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(pod: &Value, own: &Value, profiles: &Path) -> Result<Seccomp, ConfigError> {
        let pod = json!({"metadata": {}, "spec": {"securityContext": pod, "containers": [
            {"name": "c", "securityContext": own}]}});
        let pod: Pod = serde_json::from_value(pod).expect("a pod");
        let security =
            security(&pod, &pod.pod_spec().containers[0], &ImageStatus::default(), profiles);
        security.map(|security| security.seccomp)
    }

    #[test]
    fn a_containers_filter_is_its_own_or_the_pods() {
        let folder = tempfile::tempdir().expect("a folder");
        let is = |kind: &str| json!({"seccompProfile": {"type": kind}});
        let none = json!({});
        let of = |pod: &Value, own: &Value| of(pod, own, folder.path()).expect("fine");
        assert_eq!(of(&none, &none), Seccomp::Unconfined);
        assert_eq!(of(&is("RuntimeDefault"), &none), Seccomp::RuntimeDefault);
        assert_eq!(of(&is("RuntimeDefault"), &is("Unconfined")), Seccomp::Unconfined);
    }

    #[test]
    fn a_profile_does_not_lead_out_of_its_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).expect("a link");
        let of = |name: &str| {
            let own = json!({"seccompProfile": {"type": "Localhost", "localhostProfile": name}});
            of(&json!({}), &own, folder.path())
        };
        let at = |path: &str| Ok(Seccomp::Localhost(folder.path().join(path)));
        assert_eq!(of("audit/fine.json"), at("audit/fine.json"));
        assert_eq!(of("link"), at("etc/passwd"));
        assert_eq!(of("../../etc/passwd"), at("etc/passwd"));
        assert!(of("").is_err());
    }
}
