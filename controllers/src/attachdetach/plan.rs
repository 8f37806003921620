//! Which volumes to attach to a node, and which to detach.

use super::promises::Place;
use crate::support::ops::Op;
use crate::support::owner::reference_of;
use crate::support::time::until;
use crate::support::writes::PATIENCE;
use crate::views::{NodeView, Pod};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;
use windlass_core::Object;
use windlass_core::client::{DeleteOptions, Key};
use windlass_core::scheme::{self, GroupVersionKind};

/// A node that is lost, and so can't say that a volume is unmounted, is not waited for any longer.
const UNMOUNT: i64 = 6 * 60;
/// Somebody says that nothing runs on the node any more.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
const POD: GroupVersionKind = GroupVersionKind::new("", "v1", "Pod");

/// What is read of a VolumeAttachment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AttachmentView {
    pub(super) spec: AttachmentSpec,
    pub(super) status: AttachmentStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct AttachmentSpec {
    pub(super) attacher: String,
    pub(super) node_name: String,
    source: Source,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Source {
    persistent_volume_name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AttachmentStatus {
    pub(super) attached: bool,
}

/// A volume that pods of the node need.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) driver: String,
    pub(super) handle: String,
    /// Where it is, if it may be attached to one node only.
    pub(super) place: Place,
    /// Who needs it.
    pub(super) pods: Vec<Pod>,
}

/// An attachment that there is.
#[derive(Clone, Debug)]
pub(super) struct Attached {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) driver: String,
    /// None when the volume is not known (any more).
    pub(super) handle: Option<String>,
    pub(super) attached: bool,
    pub(super) deleting: bool,
    /// Since when no pod needs it.
    pub(super) unwanted: Timestamp,
}

/// What a plan is made from: volumes by name.
pub(super) struct Snapshot<'a> {
    pub(super) node: &'a str,
    pub(super) view: Option<&'a NodeView>,
    pub(super) wanted: BTreeMap<String, Wanted>,
    pub(super) attached: BTreeMap<String, Attached>,
    pub(super) now: Timestamp,
}

/// What comes of it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) ops: Vec<Op>,
    /// Look again after this time: a volume is detached then.
    pub(super) again: Option<Duration>,
}

/// Why a volume that nobody needs is still attached.
enum Hold {
    /// The node works and has it mounted.
    Mounted,
    /// The node is lost; how long it is waited for.
    Lost(Duration),
}

// === impl AttachmentView ===

impl AttachmentView {
    /// The volume; empty for one that is written in the attachment itself.
    pub(super) fn volume(&self) -> &str {
        self.spec.source.persistent_volume_name.as_deref().unwrap_or_default()
    }
}

// === impl Attached ===

impl Attached {
    fn unique_name(&self) -> Option<String> {
        self.handle.as_ref().map(|handle| unique_name(&self.driver, handle))
    }

    /// Whether a name in a node's status is its own. Of an unknown volume any of its driver's may be.
    fn may_be(&self, name: &str) -> bool {
        match self.unique_name() {
            Some(own) => own == name,
            None => name.starts_with(&unique_name(&self.driver, "")),
        }
    }
}

/// Namespace and name of the claim a volume is for.
pub(super) fn claim_of(volume: &Object) -> Option<String> {
    let view: Value = volume.view().ok()?;
    let claim = &view["spec"]["claimRef"];
    Some(format!("{}/{}", claim["namespace"].as_str()?, claim["name"].as_str()?))
}

pub(super) fn plan(at: &Snapshot<'_>) -> Plan {
    let mut plan = Plan::default();
    for (volume, wanted) in &at.wanted {
        // What goes is made anew when it is gone.
        if !at.attached.contains_key(volume) {
            plan.ops.extend(attach(at, volume, wanted));
            // If nothing comes of the promise, no change tells.
            plan.again =
                matches!(wanted.place, Place::Promised(_)).then_some(PATIENCE).or(plan.again);
        }
    }
    let mut detached = vec![];
    for (volume, attached) in &at.attached {
        if at.wanted.contains_key(volume) || attached.deleting {
            continue;
        }
        match hold(at, attached) {
            None => {
                detached.push(attached);
            }
            Some(Hold::Mounted) => {}
            Some(Hold::Lost(left)) => {
                plan.again = Some(plan.again.map_or(left, |again| again.min(left)));
            }
        }
    }
    // An agent mounts what the node's status shows, so that is taken back first.
    plan.ops.extend(tell(at, &detached));
    plan.ops.extend(detached.into_iter().map(|one| {
        let key = Key::cluster(scheme::VOLUMEATTACHMENTS, &one.name);
        Op::Delete(key, DeleteOptions::uid(&one.uid))
    }));
    plan
}

fn attach(at: &Snapshot<'_>, volume: &str, wanted: &Wanted) -> Vec<Op> {
    if let Place::On(other) | Place::Promised(other) = &wanted.place {
        let message = format!(
            "Multi-Attach error for volume \"{volume}\" Volume is already exclusively attached to one node and can't be attached to another"
        );
        tracing::debug!(volume, node = at.node, other, "waits until it is detached there");
        return wanted.pods.iter().map(|pod| warn(pod, &message)).collect();
    }
    let name = attachment_name(&wanted.handle, &wanted.driver, at.node);
    let body = json!({"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": name},
        "spec": {"attacher": wanted.driver, "nodeName": at.node, "source": {"persistentVolumeName": volume}}});
    vec![Op::Create(Key::cluster(scheme::VOLUMEATTACHMENTS, name), body)]
}

fn warn(pod: &Pod, message: &str) -> Op {
    Op::warning(reference_of(&POD, pod.object.header()), "FailedAttachVolume", message)
}

/// Whether a volume may be attached to one node only. If nothing is said of it, its driver has to know.
pub(super) fn is_exclusive(modes: &[String]) -> bool {
    !modes.is_empty() && modes.iter().all(|mode| mode.starts_with("ReadWriteOnce"))
}

/// The name by which agents find the attachment of a volume to their node.
pub(super) fn attachment_name(handle: &str, driver: &str, node: &str) -> String {
    let hash = Sha256::digest(format!("{handle}{driver}{node}").as_bytes());
    hash.iter().fold("csi-".to_owned(), |mut name, byte| {
        // Writing to a string does not fail.
        write!(name, "{byte:02x}").expect("a string takes all");
        name
    })
}

/// A volume's name in the status of nodes.
fn unique_name(driver: &str, handle: &str) -> String {
    format!("kubernetes.io/csi/{driver}^{handle}")
}

/// Why a volume is not detached yet; none: it may be. A node that is ready says itself when it has unmounted it, however
/// long that takes: taking the volume away under it would lose data.
fn hold(at: &Snapshot<'_>, attached: &Attached) -> Option<Hold> {
    if at.view.is_some_and(|node| !is_in_use(node, attached) || is_out_of_service(node)) {
        return None;
    }
    if at.view.is_some_and(|node| node.condition("Ready") == Some("True")) {
        return Some(Hold::Mounted);
    }
    let left = until(attached.unwanted, UNMOUNT, at.now);
    (!left.is_zero()).then_some(Hold::Lost(left))
}

fn is_in_use(node: &NodeView, attached: &Attached) -> bool {
    node.status.volumes_in_use.iter().flatten().any(|one| attached.may_be(one))
}

/// Whether somebody has said that nothing runs on the node any more.
pub(super) fn is_out_of_service(node: &NodeView) -> bool {
    node.spec.taints.iter().any(|taint| taint.key == OUT_OF_SERVICE)
}

/// Tells the node what is attached to it, and pods that theirs is.
fn tell(at: &Snapshot<'_>, detached: &[&Attached]) -> Vec<Op> {
    let Some(view) = at.view else { return vec![] };
    let goes = |one: &Attached| one.deleting || detached.iter().any(|gone| gone.uid == one.uid);
    let attached = at.attached.iter().filter(|(_, one)| one.attached && !goes(one));
    let before = view.status.volumes_attached.iter().flatten().map(|one| one.name.clone());
    // Volumes of other kinds are not attached here.
    let before: Vec<String> = before.collect();
    let unknown =
        |name: &&String| attached.clone().any(|(_, one)| one.handle.is_none() && one.may_be(name));
    let known = attached.clone().filter_map(|(_, one)| one.unique_name());
    let mut names: Vec<String> = known.chain(before.iter().filter(unknown).cloned()).collect();
    names.sort_unstable();
    names.dedup();
    if names == before {
        return vec![];
    }
    let list: Vec<Value> =
        names.iter().map(|name| json!({"name": name, "devicePath": ""})).collect();
    let key = Key::cluster(scheme::NODES, at.node).subresource("status");
    let mut ops = vec![Op::Patch(key, json!({"status": {"volumesAttached": list}}))];
    for (volume, one) in attached {
        if one.unique_name().is_none_or(|name| before.contains(&name)) {
            continue;
        }
        let message = format!("AttachVolume.Attach succeeded for volume \"{volume}\" ");
        let pods = at.wanted.get(volume).into_iter().flat_map(|wanted| &wanted.pods);
        ops.extend(pods.map(|pod| {
            let about = reference_of(&POD, pod.object.header());
            Op::normal(about, "SuccessfulAttachVolume", message.clone())
        }));
    }
    ops
}
