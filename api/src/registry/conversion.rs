//! Two versions of one kind: what is stored is shown as the other.

mod events;
mod horizontal_pod_autoscalers;

use crate::storage::EventStream;
use crate::strategy::Map;
use futures::StreamExt;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::object::canonical;
use windlass_core::scheme::{GroupVersionKind, Scheme};

/// Between the version a kind is served in and the one it is stored in. Pure.
pub(crate) trait Conversion: Send + Sync {
    /// From stored to served.
    fn to_served(&self, object: &mut Map);

    /// From served to stored.
    fn to_stored(&self, object: &mut Map);

    /// The stored name of a field to select by.
    fn stored_field(&self, name: &str) -> String {
        name.to_owned()
    }
}

impl dyn Conversion {
    /// The conversion between two versions; none is needed when they are the same.
    pub(crate) fn between(
        served: &GroupVersionKind,
        stored: &GroupVersionKind,
    ) -> Option<&'static dyn Conversion> {
        if served == stored {
            return None;
        }
        match (&*served.kind, &*served.group) {
            ("Event", "events.k8s.io") => Some(&events::Events),
            ("HorizontalPodAutoscaler", _) => Some(&horizontal_pod_autoscalers::Autoscalers),
            _ => Some(&SameShape),
        }
    }

    /// A stored object as it is served.
    pub(crate) fn served_object(&self, served: &GroupVersionKind, object: &Object) -> Arc<Object> {
        let Ok(mut map) = object.view::<Map>() else { return Arc::new(object.clone()) };
        self.served_map(served, &mut map);
        let converted = Object::from_stored(canonical(map), object.resource_version());
        Arc::new(converted.expect("canonical JSON was just made"))
    }

    /// The served form of a stored object.
    pub(crate) fn served_map(&self, served: &GroupVersionKind, map: &mut Map) {
        self.to_served(map);
        set_type(map, served);
    }

    /// The stored form of an object as a client sent it.
    pub(crate) fn stored_map(&self, stored: &GroupVersionKind, map: &mut Map) {
        self.to_stored(map);
        set_type(map, stored);
    }

    pub(crate) fn served_events(
        &'static self,
        served: GroupVersionKind,
        stream: EventStream,
    ) -> EventStream {
        stream
            .map(move |batch| {
                let batch = batch?;
                let convert = |object: Arc<Object>| self.served_object(&served, &object);
                Ok(batch.iter().map(|event| event.converted(convert)).collect())
            })
            .boxed()
    }
}

/// An object of a built-in kind in another version of it. None when the kind has no such version.
pub(crate) fn convert(object: &Map, from: &GroupVersionKind, to: &GroupVersionKind) -> Option<Map> {
    let stored = |gvk| Some(Scheme::builtin().by_gvk(gvk)?.storage.with_kind(to.kind.clone()));
    let stored = stored(from).filter(|kept| stored(to).as_ref() == Some(kept))?;
    let mut object = object.clone();
    if let Some(conversion) = <dyn Conversion>::between(from, &stored) {
        conversion.stored_map(&stored, &mut object);
    }
    if let Some(conversion) = <dyn Conversion>::between(to, &stored) {
        conversion.served_map(to, &mut object);
    }
    Some(object)
}

/// Versions that differ in nothing but their name.
struct SameShape;

impl Conversion for SameShape {
    fn to_served(&self, _: &mut Map) {}

    fn to_stored(&self, _: &mut Map) {}
}

fn set_type(map: &mut Map, gvk: &GroupVersionKind) {
    map.insert("apiVersion".into(), gvk.api_version().into());
    map.insert("kind".into(), gvk.kind.as_ref().into());
}

/// Moves what stands under one key to another.
fn rename(map: &mut Map, from: &str, to: &str) {
    if let Some(value) = map.shift_remove(from) {
        map.insert(to.into(), value);
    }
}
