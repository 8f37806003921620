//! Which objects a controller may call its own (client-go's `ControllerRefManager`).

use super::owner::{controller_ref, name_of, namespace_of, uid_of};
use super::writes::Writes;
use crate::Context;
use crate::views::{self, Pod, PodView, Pods, Selector};
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::apis::meta::v1::{ObjectMeta, OwnerReference};
use windlass_core::cache::Entry;
use windlass_core::client::{Client, Key, Patch, WriteOptions};
use windlass_core::controller::ObjectKey;
use windlass_core::object::Header;
use windlass_core::scheme::{self, GroupVersionKind, GroupVersionResource};
use windlass_core::{Error, Result};

/// Who claims.
pub(crate) struct Claimant<'a> {
    /// Its uid.
    pub(crate) uid: &'a str,
    /// It goes, so it takes nothing new and leaves everything alone.
    pub(crate) deleting: bool,
    /// What it selects.
    pub(crate) selector: &'a Selector,
}

/// What a claim comes to.
#[derive(Debug)]
pub(crate) struct Claimed<V> {
    /// Its own.
    pub(crate) owned: Vec<Arc<Entry<V>>>,
    /// To be made its own.
    pub(crate) adopt: Vec<Arc<Entry<V>>>,
    /// To be let go.
    pub(crate) release: Vec<Arc<Entry<V>>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Owned,
    Adopt,
    Release,
    NotMine,
}

/// Sorts candidates. Those for which `live` is false are neither adopted nor let go.
pub(crate) fn claim<V>(
    claimant: &Claimant<'_>,
    candidates: Vec<Arc<Entry<V>>>,
    live: impl Fn(&Entry<V>) -> bool,
) -> Claimed<V> {
    let mut claimed = Claimed { owned: vec![], adopt: vec![], release: vec![] };
    for entry in candidates {
        let list = match verdict(claimant, entry.object.header()) {
            Verdict::Owned => &mut claimed.owned,
            Verdict::Adopt if live(&entry) => &mut claimed.adopt,
            Verdict::Release if live(&entry) => &mut claimed.release,
            _ => continue,
        };
        list.push(entry);
    }
    claimed
}

fn verdict(claimant: &Claimant<'_>, header: &Header) -> Verdict {
    let matches = claimant.selector.matches(&header.labels);
    match header.controller() {
        Some(owner) if *owner.uid != *claimant.uid => Verdict::NotMine,
        Some(_) if matches => Verdict::Owned,
        Some(_) if claimant.deleting => Verdict::NotMine,
        Some(_) => Verdict::Release,
        None if matches && !claimant.deleting && !header.deleting => Verdict::Adopt,
        None => Verdict::NotMine,
    }
}

/// Whose pods are claimed.
pub(crate) struct Owning<'a> {
    pub(crate) context: &'a Context,
    pub(crate) pods: &'a Pods,
    /// Where it is remembered what was written.
    pub(crate) writes: &'a Writes,
    pub(crate) resource: GroupVersionResource,
    pub(crate) gvk: &'a GroupVersionKind,
    pub(crate) meta: &'a ObjectMeta,
    pub(crate) selector: &'a Selector,
    /// What its pods wait for when they go: comes with the owner, goes with it.
    pub(crate) finalizer: Option<&'static str>,
}

/// What makes an object somebody's own.
pub(crate) struct Tie {
    pub(crate) reference: OwnerReference,
    pub(crate) finalizer: Option<&'static str>,
}

// === impl Owning ===

impl Owning<'_> {
    /// The pods of an owner, with those it takes now and without those it lets go now.
    pub(crate) async fn claim(&self, live: impl Fn(&Entry<PodView>) -> bool) -> Result<Vec<Pod>> {
        let (uid, name, namespace) =
            (uid_of(self.meta), name_of(self.meta), namespace_of(self.meta));
        let deleting = self.meta.deletion_timestamp.is_some();
        let candidates = views::claimable(self.pods, namespace, uid);
        let claimant = Claimant { uid, deleting, selector: self.selector };
        let claimed = claim(&claimant, candidates, live);
        let reference = controller_ref(self.gvk, name, uid);
        let tie = Tie { reference, finalizer: self.finalizer };
        let (client, owner) =
            (&*self.context.client, Key::new(self.resource.clone(), namespace, name));
        let version = settle(client, &owner, &tie, &scheme::PODS, &claimed).await?;
        self.writes.wrote(&ObjectKey::new(namespace, name), version);
        Ok(claimed.owned.into_iter().chain(claimed.adopt).collect())
    }
}

// === impl Tie ===

impl Tie {
    /// The change of the metadata of what is adopted.
    fn tied(&self) -> Value {
        let mut change = json!({"ownerReferences": [self.reference]});
        if let Some(finalizer) = self.finalizer {
            change["finalizers"] = json!([finalizer]);
        }
        change
    }

    /// The change of the metadata of what is let go.
    fn untied(&self) -> Value {
        let mut change =
            json!({"ownerReferences": [{"$patch": "delete", "uid": self.reference.uid}]});
        if let Some(finalizer) = self.finalizer {
            change["$deleteFromPrimitiveList/finalizers"] = json!([finalizer]);
        }
        change
    }
}

/// Applies a claim: adopts and lets go. What was adopted in vain because it went in the meantime is no error.
pub(crate) async fn settle<V: Send + Sync>(
    client: &dyn Client,
    owner: &Key,
    tie: &Tie,
    children: &GroupVersionResource,
    claimed: &Claimed<V>,
) -> Result<u64> {
    let mut version = 0;
    if !claimed.adopt.is_empty() {
        still_there(client, owner, &tie.reference.uid).await?;
    }
    let adopts = claimed.adopt.iter().map(|child| (child, tie.tied()));
    let releases = claimed.release.iter().map(|child| (child, tie.untied()));
    for (child, patch) in adopts.chain(releases) {
        version = version.max(patched(client, children, child.object.header(), patch).await?);
    }
    Ok(version)
}

/// Before it adopts, an owner makes sure with the server that it is there and stays: a cache may be old.
async fn still_there(client: &dyn Client, owner: &Key, uid: &str) -> Result<()> {
    let live = client.get(owner).await?;
    if *live.header().uid == *uid && !live.header().deleting {
        return Ok(());
    }
    let why = "it was deleted or made anew, so it adopts nothing";
    let resource = &owner.resource;
    let status = windlass_core::meta::Status::conflict(
        &resource.group,
        &resource.resource,
        &owner.name,
        why,
    );
    Err(status.into())
}

async fn patched(
    client: &dyn Client,
    resource: &GroupVersionResource,
    child: &Header,
    mut metadata: Value,
) -> Result<u64> {
    let key = Key::new(resource.clone(), &*child.namespace, &*child.name);
    metadata["uid"] = json!(child.uid);
    let patch = json!({"metadata": metadata});
    match client.patch(&key, Patch::strategic(&patch), &WriteOptions::default()).await {
        Ok(object) => Ok(object.resource_version()),
        Err(error) if gone(&error) => Ok(0),
        Err(error) => Err(error),
    }
}

/// It is not there any more, or another object has its name.
fn gone(error: &Error) -> bool {
    use windlass_core::meta::Reason;
    matches!(error.reason(), Some(Reason::NotFound | Reason::Invalid | Reason::Conflict))
}
