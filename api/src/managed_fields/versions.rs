//! One object, as owners of another version of its kind see it: what they own are paths of that version.

use super::{
    Custom, Difference, FieldSet, Managed, Manager, Shape, compare, field_set, has_status, remove,
    schema_of, strip,
};
use crate::registry::convert;
use crate::strategy::Map;
use windlass_core::scheme::{GroupVersion, GroupVersionKind};

/// The kind that is written, in the version it is written in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written<'a> {
    pub(crate) gvk: &'a GroupVersionKind,
    pub(crate) custom: Option<Custom<'a>>,
    pub(crate) subresource: &'a str,
}

/// In what two objects differ, in each version that somebody owns fields in.
#[derive(Debug)]
pub(crate) struct Differences {
    /// In the version of the writer.
    pub(crate) own: Difference,
    others: Vec<(String, Difference)>,
}

// === impl Written ===

impl<'a> Written<'a> {
    pub(crate) fn shape(&self) -> Shape<'a> {
        Shape::of_kind(self.gvk, schema_of(self.custom))
    }

    /// Takes out of a set what nobody owns through this part of the object.
    pub(crate) fn strip(&self, set: &mut FieldSet) {
        strip(set, has_status(self.gvk, self.custom), self.subresource);
    }

    fn difference(&self, old: &Map, new: &Map) -> Difference {
        let mut difference = compare(old, new, self.shape());
        difference.restrict(|set| self.strip(set));
        difference
    }

    /// In what the objects differ to the owners.
    pub(crate) fn differences(&self, old: &Map, new: &Map, managed: &Managed) -> Differences {
        let other = |version: &str| {
            let gvk = self.in_version(version)?;
            let (old, new) = (convert(old, self.gvk, &gvk)?, convert(new, self.gvk, &gvk)?);
            let difference = Written { gvk: &gvk, ..*self }.difference(&old, &new);
            Some((version.to_owned(), difference))
        };
        let versions = managed.versions();
        let others = versions.into_iter().filter_map(other).collect();
        Differences { own: self.difference(old, new), others }
    }

    /// The kind in another version, if it is another.
    fn in_version(&self, version: &str) -> Option<GroupVersionKind> {
        let version: GroupVersion = version.parse().ok()?;
        (version != self.gvk.group_version()).then(|| version.with_kind(self.gvk.kind.clone()))
    }

    /// An object without what a manager owned and nobody owns now, in whichever version.
    ///
    /// # Errors
    /// What is wrong with a list, as of [`field_set`].
    pub(crate) fn prune(
        &self,
        object: &Map,
        managed: &Managed,
        last: &Manager,
    ) -> Result<Map, String> {
        let pruned =
            self.without(object, managed, &last.api_version, |_, _| Ok(last.fields.clone()))?;
        let others = managed.versions().into_iter().filter(|version| *version != last.api_version);
        others.into_iter().try_fold(pruned, |pruned, version| {
            self.without(object, managed, version, |seen, whole| {
                let pruned = convert(&pruned, self.gvk, seen.gvk).unwrap_or(pruned);
                let [whole, kept] = [whole, &pruned].map(|map| field_set(map, seen.shape()));
                Ok(whole?.ensure_named().difference(&kept?.ensure_named()))
            })
        })
    }

    /// An object without what is gone and has no owner in this version. A version that it does not have is taken for its
    /// own.
    fn without(
        &self,
        object: &Map,
        managed: &Managed,
        version: &str,
        gone: impl FnOnce(&Written<'_>, &Map) -> Result<FieldSet, String>,
    ) -> Result<Map, String> {
        let other = self.in_version(version);
        let converted = other.and_then(|gvk| Some((convert(object, self.gvk, &gvk)?, gvk)));
        let (mut object, gvk) = converted.unwrap_or_else(|| (object.clone(), self.gvk.clone()));
        let seen = Written { gvk: &gvk, ..*self };
        let owned = managed.union(version).ensure_named();
        let gone = gone(&seen, &object)?.ensure_named().difference(&owned);
        remove(&mut object, &gone, seen.shape());
        if gvk == *self.gvk {
            return Ok(object);
        }
        Ok(convert(&object, &gvk, self.gvk).unwrap_or(object))
    }
}

// === impl Differences ===

impl Differences {
    /// In what they differ to an owner. One whose version the kind does not have is asked in the writer's.
    pub(crate) fn seen_by(&self, owner: &Manager) -> &Difference {
        let other = self.others.iter().find(|(version, _)| *version == owner.api_version);
        other.map_or(&self.own, |(_, difference)| difference)
    }
}
