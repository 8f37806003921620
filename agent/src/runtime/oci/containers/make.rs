//! Makes containers that are not yet started.

use super::super::state::{self, ContainerRecord, Launch};
use super::super::{Inner, rootfs};
use super::{Entry, Own};
use crate::images::blob::random_hex;
use crate::images::store::Pin;
use crate::runtime::linux::describe::{Parts, describe, stop_signal};
use crate::runtime::linux::{lost, spec};
use crate::runtime::{
    ContainerConfig, ContainerId, ContainerState, Error, Result, SandboxConfig, SandboxId, Seccomp,
};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// Makes a container's folder.
pub(in super::super) async fn create(
    inner: &Arc<Inner>,
    sandbox: &SandboxId,
    config: ContainerConfig,
) -> Result<ContainerId> {
    let pod = inner.sandboxes.ready(sandbox)?;
    if cfg!(not(feature = "seccomp")) && config.security.seccomp != Seccomp::Unconfined {
        return Err(Error::Invalid("this agent was built without support for seccomp".into()));
    }
    let inner = inner.clone();
    let work = move || {
        let id = ContainerId(random_hex());
        let folder = inner.layout.container(&id);
        let made = lay_out(&inner, &id, &pod.id, &pod.config, config);
        if made.is_err() {
            state::remove(&folder)?;
        }
        let (record, layers) = made?;
        let own = Own::new(layers);
        inner.shelf.insert(Entry::new(&inner.layout, record, ContainerState::Created, own));
        Ok(id)
    };
    tokio::task::spawn_blocking(work).await.map_err(lost)?
}

fn lay_out(
    inner: &Inner,
    id: &ContainerId,
    sandbox: &SandboxId,
    pod: &SandboxConfig,
    config: ContainerConfig,
) -> Result<(ContainerRecord, Pin)> {
    let (layers, pin) = inner.options.images.layers(&config.image)?;
    let image = inner.options.images.config(&config.image)?;
    let image = image.config().clone().unwrap_or_default();
    let folder = inner.layout.container(id);
    state::make_folder(&folder)?;
    rootfs::prepare(&folder, &layers, &spec::working_dir(&config, &image), inner.overlay)?;
    let group = Path::new("/").join(&inner.options.root_cgroup);
    let cgroup = group.join(&pod.cgroup_parent).join(&id.0);
    let mut spec = describe(&Parts {
        pod,
        config: &config,
        image: &image,
        namespaces: inner.layout.namespaces(sandbox),
        cgroup: &cgroup,
        layers: &layers,
        folder: &folder,
        overlay: if inner.overlay { rootfs::overlay_options(&folder, &layers) } else { Vec::new() },
    })?;
    turn_masks(&mut spec);
    state::write(&folder.join("config.json"), &spec)?;
    let launch = Launch {
        id: id.0.clone(),
        log_path: config.log_path.clone(),
        log_limits: config.log_limits,
        tty: config.tty,
        stdin: config.stdin,
        stdin_once: config.stdin_once,
        kill_all: pod.share_process_namespace || pod.host_namespaces.pid,
        cgroup: cgroup.clone(),
        shim_cgroup: group.join("shims"),
    };
    state::write(&folder.join("launch.json"), &launch)?;
    let record = ContainerRecord {
        id: id.clone(),
        sandbox: sandbox.clone(),
        created_at: inner.now(),
        cgroup,
        layers,
        stop_signal: stop_signal(&config, &image)?,
        config,
    };
    state::write(&folder.join("container.json"), &record)?;
    Ok((record, pin))
}

/// For OCI `value` is the mask and `valueTwo` what must be left of an argument; libcontainer takes them the other way
/// round.
fn turn_masks(spec: &mut Value) {
    let calls = spec.pointer_mut("/linux/seccomp/syscalls").and_then(Value::as_array_mut);
    let arguments = calls.into_iter().flatten().filter_map(|call| call.get_mut("args"));
    let arguments = arguments.filter_map(Value::as_array_mut).flatten();
    for argument in arguments.filter(|argument| argument["op"] == "SCMP_CMP_MASKED_EQ") {
        let mask = argument["value"].take();
        argument["value"] = match argument["valueTwo"].take() {
            Value::Null => Value::from(0),
            wanted => wanted,
        };
        argument["valueTwo"] = mask;
    }
}
