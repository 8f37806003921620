//! What a request must pass before anything is done for it, and before its body is read.

use super::{Handler, Request};
use crate::authentication::User;
use crate::authorization::{Attributes, Selectors};
use crate::flowcontrol::{Listing, Permit, Refused, SchemaRef, Work};
use crate::registry::Entry;
use std::borrow::Cow;
use std::sync::Arc;
use windlass_core::client::ListOptions;
use windlass_core::meta::{Reason, Status};
use windlass_core::request::{ResourceTarget, Verb};

// === impl Handler ===

impl Handler {
    /// Lets a request in when its turn comes. One that is not exempt must `enter` before, so that not too many wait.
    pub(crate) async fn admit(
        &self,
        attributes: &Attributes<'_>,
        verb: Verb,
        list: Option<&ListOptions>,
        enter: impl FnOnce() -> bool,
    ) -> Result<(Permit, SchemaRef), Refused> {
        let work = || enter().then(|| self.work(attributes.resource, verb, list));
        self.flow.admit(attributes, work).await
    }

    /// The work that a transaction makes.
    pub(crate) fn together(&self, operations: &[Option<(Arc<Entry>, Request)>]) -> Work {
        let read = operations.iter().flatten();
        let hearing = read.map(|(_, request)| self.flow.hearing(&request.target));
        Work::Writes(operations.len(), hearing.sum())
    }

    fn work(
        &self,
        target: Option<&ResourceTarget>,
        verb: Verb,
        list: Option<&ListOptions>,
    ) -> Work {
        let Some(target) = target else { return Work::One };
        match (verb, list) {
            (Verb::Watch, Some(options)) if options.send_initial_events != Some(true) => Work::One,
            (Verb::List | Verb::Watch, Some(options)) => {
                let entry = self.registry.objects.entry(&target.resource).ok();
                let stats =
                    entry.and_then(|entry| self.registry.objects.storage.stats(&entry.place));
                let named = target.name.is_some();
                stats.map_or(Work::One, |stats| {
                    Work::List(Listing::new(stats, options, named, verb == Verb::Watch))
                })
            }
            (Verb::Create | Verb::Update | Verb::Patch | Verb::Delete, _) => {
                Work::Write(self.flow.hearing(target))
            }
            _ => Work::One,
        }
    }
}

/// The server has no room for a request.
pub(crate) fn too_busy() -> Status {
    let text = "Too many requests, please try again later.";
    Status::failure(Reason::TooManyRequests, text).retry_after(1)
}

/// What a request is about as authorizers see it: a selector that asks for one name names an object
/// (authorization reference, "Request verbs": `list` with `fieldSelector=metadata.name=x`).
pub(crate) struct Seen<'a> {
    target: Cow<'a, ResourceTarget>,
    selectors: Option<Selectors>,
}

impl<'a> Seen<'a> {
    /// Of many objects those that the options select.
    pub(crate) fn of(target: &'a ResourceTarget, list: Option<&ListOptions>) -> Self {
        let selectors =
            list.and_then(|list| Selectors::parse(&list.field_selector, &list.label_selector));
        let one = selectors.as_ref().and_then(|all| all.field("metadata.name"));
        let one = one.filter(|name| target.name.is_none() && is_name(name)).map(str::to_owned);
        let target = match one {
            None => Cow::Borrowed(target),
            name => Cow::Owned(ResourceTarget { name, ..target.clone() }),
        };
        Self { target, selectors }
    }

    pub(crate) fn attributes_of<'b>(&'b self, user: &'b User, verb: &'b str) -> Attributes<'b> {
        Attributes::of(user, verb, &self.target).selecting(self.selectors.as_ref())
    }
}

/// Whether it can stand in a path as one segment.
fn is_name(text: &str) -> bool {
    !matches!(text, "" | "." | "..") && !text.contains(['/', '%'])
}
