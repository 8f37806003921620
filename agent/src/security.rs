//! Security contexts: what a pod and its container say, as the runtime is told.

use crate::environment::ConfigError;
use crate::images::ImageStatus;
use crate::pod::PodExt;
use crate::runtime::Security;
use windlass_core::apis::core::v1::{Container, Pod};

/// The rights of a container.
///
/// # Errors
/// When the container may not run as root, and would or might.
pub(crate) fn security(
    pod: &Pod,
    container: &Container,
    image: &ImageStatus,
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
    })
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
