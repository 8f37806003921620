//! The one way in, for HTTP and for clients in the same process: from a request to an answer.

mod request;
mod visit;

pub use request::{Action, Answer, Content, Request};
pub(crate) use visit::{Seen, too_busy};

use crate::apiextensions::Registrar;
use crate::authentication::User;
use crate::authorization::{Attributes, Authorizer, Decision};
use crate::flowcontrol::{FlowControl, Watching};
use crate::registry::{Created, Creater, Deleted, Entry, Registry, Write, unknown_resource};
use crate::storage::EventStream;
use futures::{StreamExt, stream};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::Object;
use windlass_core::client::{ListOptions, WriteOptions};
use windlass_core::component::Shutdown;
use windlass_core::meta::{Reason, Status};
use windlass_core::object::canonical;
use windlass_core::request::{ResourceTarget, Verb};
use windlass_core::scheme::{self, GroupVersionKind, GroupVersionResource, TRANSACTIONS};

/// Who makes what is posted to a subresource.
pub(crate) type Creaters = FxHashMap<(GroupVersionResource, Cow<'static, str>), Arc<dyn Creater>>;

/// Subresources that are conversations: answered by a [`crate::server::Connect`], or by nobody.
pub(crate) const CONVERSATIONS: [&str; 5] = ["log", "exec", "attach", "portforward", "proxy"];

/// Authorizes requests and brings them to the registry.
pub(crate) struct Handler {
    pub(crate) registry: Arc<Registry>,
    /// Serves what definitions define, as soon as they are written. None where a write may still be undone.
    pub(crate) registrar: Option<Arc<Registrar>>,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) creaters: Creaters,
    pub(crate) flow: Arc<FlowControl>,
    /// Ends all watches.
    pub(crate) shutdown: Shutdown,
}

// === impl Handler ===

impl Handler {
    /// Does what is asked, when its turn comes and if it may be done.
    pub(crate) async fn handle(&self, request: Request) -> Result<Answer, Status> {
        let Request { user, target, action } = &request;
        let list = action.list_options();
        let (seen, verb) = (Seen::of(target, list), action.verb());
        let attributes = seen.attributes_of(user, verb.as_str());
        let admitted =
            self.admit(&attributes, verb, list, || true).await.map_err(|_| too_busy())?;
        let (mut permit, schema) = admitted;
        let operations = self.operations(&request);
        if !operations.is_empty() {
            self.flow.charge(&mut permit, &schema, &self.together(&operations));
        }
        self.authorized(&request).await
    }

    /// Does what is asked, if it may be done.
    pub(crate) async fn authorized(&self, request: &Request) -> Result<Answer, Status> {
        let Request { user, target, action } = request;
        let seen = Seen::of(target, action.list_options());
        self.authorize(&seen.attributes_of(user, action.verb().as_str())).await?;
        self.perform(request).await
    }

    /// Does what is asked. That it may be done was decided before.
    pub(crate) async fn perform(&self, request: &Request) -> Result<Answer, Status> {
        let Request { target, action, .. } = request;
        let entry = self.find(target)?;
        self.check_verb(&entry, target, action)?;
        self.dispatch(&entry, request).await
    }

    /// Whether it may be done.
    pub(crate) async fn authorize(&self, attributes: &Attributes<'_>) -> Result<(), Status> {
        match self.authorizer.authorize(attributes).await {
            Decision::Allow(_) => Ok(()),
            Decision::Deny(why) | Decision::NoOpinion(why) => Err(attributes.forbidden(&why)),
        }
    }

    /// The resource that a request is about, if there is one, named or not as it has to be.
    pub(crate) fn find(&self, target: &ResourceTarget) -> Result<Arc<Entry>, Status> {
        let entry = self.registry.objects.entry(&target.resource)?;
        let namespaced = entry.info.namespaced;
        let misplaced = match (&target.namespace, &target.name) {
            // An empty name stands between two slashes, and means no namespace at all.
            (Some(namespace), _) => !namespaced || namespace.is_empty(),
            (None, Some(_)) => namespaced,
            (None, None) => false,
        };
        if misplaced {
            return Err(unknown_resource());
        }
        Ok(entry)
    }

    fn check_verb(
        &self,
        entry: &Entry,
        target: &ResourceTarget,
        action: &Action,
    ) -> Result<(), Status> {
        let verb = action.verb().as_str();
        let everywhere = entry.info.namespaced && target.namespace.is_none();
        if everywhere && matches!(action, Action::DeleteCollection(..)) {
            return Err(not_allowed());
        }
        if let (Action::Create(..), Some(custom)) = (action, &entry.custom) {
            custom.check_create()?;
        }
        let served = match &target.subresource {
            None => {
                // A review is answered by somebody, and never kept.
                let makes = !matches!(action, Action::Create(..))
                    || entry.keeps()
                    || entry.info.gvr == TRANSACTIONS
                    || self.creater(target).is_some();
                entry.info.has_verb(verb) && is_named_right(target, action) && makes
            }
            Some(name) => {
                let subresource = entry.info.subresource(name).ok_or_else(unknown_resource)?;
                if CONVERSATIONS.contains(&name.as_str()) {
                    return Err(unknown_resource());
                }
                // What is posted to a subresource is made by somebody, or not at all.
                let makes = !matches!(action, Action::Create(..)) || self.creater(target).is_some();
                subresource.has_verb(verb) && makes
            }
        };
        if served { Ok(()) } else { Err(not_allowed()) }
    }

    async fn dispatch(&self, entry: &Arc<Entry>, request: &Request) -> Result<Answer, Status> {
        let Request { user, target, action } = request;
        let defaults = WriteOptions::default();
        let deprecation = entry.custom.as_ref().and_then(|custom| custom.deprecation());
        let mut write = Write {
            entry,
            user,
            namespace: target.namespace.as_deref(),
            name: target.name.as_deref().unwrap_or_default(),
            subresource: target.subresource.as_deref().unwrap_or_default(),
            options: action.write_options().unwrap_or(&defaults),
            warnings: deprecation.map(str::to_owned).into_iter().collect(),
        };
        if let Action::Create(body, _) = action
            && entry.info.gvr == TRANSACTIONS
        {
            return Box::pin(self.transact(entry, &write, body)).await;
        }
        if matches!(action, Action::Create(..))
            && let Some(creater) = self.creater(target)
        {
            return Box::pin(self.create_with(&**creater, write, request)).await;
        }
        let content = self.act(&mut write, target, action).await?;
        let created = matches!(content, (_, true));
        if let (Content::Object(object), Some(registrar)) = (&content.0, &self.registrar)
            && defines(request)
        {
            // Who reads the answer finds it so.
            Box::pin(registrar.apply(object)).await;
        }
        Ok(Answer { entry: entry.clone(), content: content.0, created, warnings: write.warnings })
    }

    /// What comes of an action, and whether it made something. What changes objects is boxed: a read would carry the
    /// room for it too.
    async fn act(
        &self,
        write: &mut Write<'_>,
        target: &ResourceTarget,
        action: &Action,
    ) -> Result<(Content, bool), Status> {
        let (registry, entry) = (&self.registry, write.entry);
        let is_scale = write.subresource == "scale";
        let content = match action {
            Action::Get if is_scale => Content::Object(Box::pin(registry.get_scale(write)).await?),
            Action::Get => Content::Object(registry.get(entry, write.namespace, write.name).await?),
            Action::List(options) => {
                let options = about_one(options, write.name);
                Content::List(registry.list(entry, write.namespace, &options).await?)
            }
            Action::Watch(options) => {
                let options = about_one(options, write.name);
                let counted = self.flow.watching(target, &options).ok_or_else(too_many)?;
                let events = match registry.watch(entry, write.namespace, &options).await {
                    // A watch says so itself: clients look there for it.
                    Err(status) if status.reason == Reason::Expired => {
                        stream::once(std::future::ready(Err(status))).boxed()
                    }
                    events => events?,
                };
                Content::Watch(self.limited(events, &options, counted))
            }
            Action::Create(body, _) => {
                if entry.info.namespaced && write.namespace.is_none() {
                    return Err(no_namespace());
                }
                return Ok((Content::Object(Box::pin(registry.create(write, body)).await?), true));
            }
            Action::Update(body, _) if is_scale => {
                Content::Object(Box::pin(registry.update_scale(write, body)).await?)
            }
            Action::Update(body, _) => {
                let may_create = self.may_create(entry, write.user, target);
                let (object, created) = Box::pin(registry.update(write, body, may_create)).await?;
                return Ok((Content::Object(object), created));
            }
            Action::Patch(patch, _) if is_scale => {
                Content::Object(Box::pin(registry.patch_scale(write, patch)).await?)
            }
            Action::Patch(patch, _) => {
                let may_create = self.may_create(entry, write.user, target);
                let (object, created) = Box::pin(registry.patch(write, patch, may_create)).await?;
                return Ok((Content::Object(object), created));
            }
            Action::Delete(options) => match Box::pin(registry.delete(write, options)).await? {
                Deleted::Waiting(object) => Content::Object(entry.serve(object).await?),
                Deleted::Gone(object) => Content::Status(Deleted::status(entry, &object).into()),
            },
            Action::DeleteCollection(list, options) => {
                Content::List(Box::pin(registry.delete_collection(write, list, options)).await?)
            }
        };
        Ok((content, false))
    }

    /// Whether a write may make what it does not find: not everybody who may change may also make.
    async fn may_create(
        &self,
        entry: &Entry,
        user: &User,
        target: &ResourceTarget,
    ) -> Result<(), Status> {
        let verb = Verb::Create.as_str();
        self.authorize(&Attributes::of(user, verb, target)).await?;
        entry.custom.as_ref().map_or(Ok(()), |custom| custom.check_create())
    }

    fn creater(&self, target: &ResourceTarget) -> Option<&Arc<dyn Creater>> {
        let subresource = Cow::Owned(target.subresource.clone().unwrap_or_default());
        self.creaters.get(&(target.resource.clone(), subresource))
    }

    async fn create_with(
        &self,
        creater: &dyn Creater,
        write: Write<'_>,
        request: &Request,
    ) -> Result<Answer, Status> {
        let Action::Create(body, _) = &request.action else {
            return Err(Status::internal("only what is posted is made"));
        };
        let entry = write.entry.clone();
        let kind = posted_kind(&entry, write.subresource);
        let made = self.registry.create_with(creater, write, &kind, body).await?;
        let (created, warnings) = made;
        let content = match created {
            Created::Object(object) => {
                let object = Object::from_wire(canonical(object)).map_err(Status::internal)?;
                Content::Object(Arc::new(object))
            }
            Created::Done(_) => {
                Content::Status(Box::new(Status { code: 201, ..Status::success(None) }))
            }
        };
        Ok(Answer { entry, content, created: true, warnings })
    }

    /// A watch ends when its time is over, or the server's.
    fn limited(
        &self,
        events: EventStream,
        options: &ListOptions,
        counted: Watching,
    ) -> EventStream {
        let shutdown = self.shutdown.clone();
        let seconds = options.timeout_seconds.filter(|seconds| *seconds > 0);
        let end = async move {
            let _counted = counted;
            match seconds {
                Some(seconds) => {
                    let over = tokio::time::sleep(Duration::from_secs(seconds));
                    shutdown.run_until_cancelled(over).await;
                }
                None => shutdown.cancelled().await,
            }
        };
        events.take_until(Box::pin(end)).boxed()
    }
}

/// Whether a request changes what is served.
fn defines(request: &Request) -> bool {
    let writes = request.action.write_options().is_some_and(|options| !options.dry_run);
    writes && request.target.resource == scheme::CUSTOMRESOURCEDEFINITIONS
}

/// The kind that is posted to a subresource, or to the resource itself.
fn posted_kind(entry: &Entry, subresource: &str) -> GroupVersionKind {
    let own = entry.info.subresource(subresource).map(|subresource| subresource.gvk.clone());
    own.unwrap_or_else(|| entry.served.clone())
}

/// Options for one object, when one is named.
fn about_one<'a>(options: &'a ListOptions, name: &str) -> Cow<'a, ListOptions> {
    if name.is_empty() {
        return Cow::Borrowed(options);
    }
    let mut options = options.clone();
    let comma = if options.field_selector.is_empty() { "" } else { "," };
    options.field_selector += &format!("{comma}metadata.name={name}");
    Cow::Owned(options)
}

/// A collection is posted to; what is replaced or patched has a name.
fn is_named_right(target: &ResourceTarget, action: &Action) -> bool {
    match action {
        Action::Create(..) => target.name.is_none(),
        Action::Update(..) | Action::Patch(..) | Action::Delete(_) => target.name.is_some(),
        Action::Get | Action::List(_) | Action::Watch(_) | Action::DeleteCollection(..) => true,
    }
}

/// The resource has no such verb.
pub(crate) fn not_allowed() -> Status {
    let text = "the server does not allow this method on the requested resource";
    Status::failure(Reason::MethodNotAllowed, text)
}

/// There is no place for another watch.
fn too_many() -> Status {
    Status::failure(Reason::TooManyRequests, "there are too many watches already").retry_after(10)
}

fn no_namespace() -> Status {
    Status::bad_request("an empty namespace may not be set during creation")
}
