//! Which volumes a claim may take.

use crate::support::storage::{ClassView, Volume, class_of};
use windlass_core::apis::core::v1::{PersistentVolume, PersistentVolumeClaim};
use windlass_core::meta::{LabelSelector, Quantity};

/// The volume a claim shall have. One that waits for its first pod takes only what was set aside for it.
pub(super) fn choose<'a>(
    claim: &PersistentVolumeClaim,
    volumes: &'a [Volume],
    class: Option<&ClassView>,
) -> Option<&'a Volume> {
    let named = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref());
    let any = named.is_some_and(|name| !name.is_empty())
        || !class.is_some_and(ClassView::waits_for_consumer);
    let wish = Wish::of(claim)?;
    let fitting = volumes.iter().filter(|volume| wish.is_met_by(volume));
    // The smallest; one that was set aside for the claim before all.
    let best = fitting.min_by_key(|volume| {
        let view = &volume.view.spec;
        (!is_set_aside(volume, claim), view.capacity.storage, volume.object.name())
    });
    best.filter(|volume| any || is_set_aside(volume, claim))
}

/// Whether a volume names the claim as its own.
pub(super) fn is_reserved_for(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let reserved = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    reserved.is_some_and(|reserved| {
        let names = (reserved.namespace.as_deref(), reserved.name.as_deref());
        is_same(names, reserved.uid.as_deref().unwrap_or_default(), claim)
    })
}

fn is_set_aside(volume: &Volume, claim: &PersistentVolumeClaim) -> bool {
    volume.view.spec.claim_ref.as_ref().is_some_and(|reserved| {
        let names = (Some(reserved.namespace.as_str()), Some(&*reserved.name));
        is_same(names, &reserved.uid, claim)
    })
}

/// A reservation that names no uid is for any claim of its name.
fn is_same(names: (Option<&str>, Option<&str>), uid: &str, claim: &PersistentVolumeClaim) -> bool {
    let meta = &claim.metadata;
    names == (meta.namespace.as_deref(), meta.name.as_deref())
        && (uid.is_empty() || meta.uid.as_deref() == Some(uid))
}

/// What a claim asks for.
struct Wish<'a> {
    claim: &'a PersistentVolumeClaim,
    volume: &'a str,
    class: &'a str,
    modes: &'a [String],
    filesystem: bool,
    size: Option<Quantity>,
    selector: Option<LabelSelector>,
}

// === impl Wish ===

impl<'a> Wish<'a> {
    /// None: nothing meets it.
    fn of(claim: &'a PersistentVolumeClaim) -> Option<Self> {
        let spec = claim.spec.as_ref()?;
        let selector = spec.selector.as_ref().map(LabelSelector::from_api).transpose();
        let requests = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
        Some(Self {
            claim,
            volume: spec.volume_name.as_deref().unwrap_or_default(),
            class: class_of(claim),
            modes: spec.access_modes.as_deref().unwrap_or_default(),
            filesystem: is_filesystem(spec.volume_mode.as_deref()),
            size: requests.and_then(|all| all.get("storage")?.0.parse().ok()),
            // The server takes no other.
            selector: selector.ok()?,
        })
    }

    fn is_met_by(&self, volume: &Volume) -> bool {
        let (header, has) = (volume.object.header(), &volume.view.spec);
        if header.deleting || !(self.volume.is_empty() || *header.name == *self.volume) {
            return false;
        }
        let fits = self.filesystem == is_filesystem(has.volume_mode.as_deref())
            && self.size.is_none_or(|size| has.capacity.storage >= size);
        if is_set_aside(volume, self.claim) {
            // When each names the other, nobody asks more.
            return fits || !self.volume.is_empty();
        }
        let phase = volume.view.status.phase.as_str();
        has.claim_ref.is_none()
            && matches!(phase, "" | "Pending" | "Available")
            && has.storage_class_name == self.class
            && self.modes.iter().all(|mode| has.access_modes.iter().any(|has| has == mode))
            && fits
            && self.selector.as_ref().is_none_or(|selector| selector.matches(&header.labels))
    }
}

fn is_filesystem(mode: Option<&str>) -> bool {
    mode.is_none_or(|mode| mode == "Filesystem")
}
