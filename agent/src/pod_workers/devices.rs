//! What device plugins give to a container.

use super::effects::Effect;
use crate::environment::ConfigError;
use crate::runtime::ContainerConfig;
use windlass_core::apis::core::v1::Container;

/// Without plugins nobody gets anything.
#[cfg(not(feature = "plugins"))]
pub(super) async fn give(
    _: &Effect,
    _: &Container,
    _: &mut ContainerConfig,
) -> Result<(), ConfigError> {
    Ok(())
}

/// Adds the devices that a container asks for.
#[cfg(feature = "plugins")]
pub(super) async fn give(
    effect: &Effect,
    container: &Container,
    config: &mut ContainerConfig,
) -> Result<(), ConfigError> {
    use crate::pod::{PodExt, Role, init_role};
    use crate::runtime::{DeviceNode, Mount};
    let (devices, pod) = (&effect.host.devices, &effect.pod);
    let limits = container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
    let Some(limits) = limits.filter(|limits| !limits.is_empty()) else { return Ok(()) };
    let count = |name: String| {
        let amount = crate::resources::amount(&Some(limits.clone()), &name)?.units();
        Some((name, usize::try_from(amount).ok()?))
    };
    let wanted = devices.known(limits.keys()).into_iter().filter_map(count).collect();
    let ended = pod.init_containers().iter().filter(|init| init_role(init) == Role::Init);
    let before: Vec<_> =
        ended.map(|init| init.name.clone()).take_while(|name| *name != container.name).collect();
    let given = devices.give((pod.uid(), &container.name), &before, &wanted).await;
    for given in given.map_err(ConfigError)? {
        config.env.extend(given.env);
        config.annotations.extend(given.annotations);
        config.mounts.extend(given.mounts.into_iter().map(|(source, target, read_only)| {
            let (source, target) = (source.into(), target.into());
            Mount { source, target, read_only, ..Mount::default() }
        }));
        config.devices.extend(given.nodes.into_iter().map(|(source, target, permissions)| {
            DeviceNode { source: source.into(), target: target.into(), permissions }
        }));
    }
    Ok(())
}
