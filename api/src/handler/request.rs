//! Requests and answers, without the words of HTTP.

use crate::authentication::User;
use crate::registry::{Body, Entry};
use crate::storage::EventStream;
use std::sync::Arc;
use windlass_core::client::{DeleteOptions, ListOptions, Patch, WriteOptions};
use windlass_core::meta::Status;
use windlass_core::request::{ResourceTarget, Verb};
use windlass_core::{Object, ObjectList};

/// What somebody wants of some objects.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who.
    pub user: User,
    /// Which objects.
    pub target: ResourceTarget,
    /// What.
    pub action: Action,
}

/// What is to be done, with all that it needs.
#[derive(Clone, Debug)]
pub enum Action {
    /// Show one.
    Get,
    /// Show many.
    List(ListOptions),
    /// Tell what happens.
    Watch(ListOptions),
    /// Make one.
    Create(Body, WriteOptions),
    /// Replace one.
    Update(Body, WriteOptions),
    /// Change part of one.
    Patch(Patch, WriteOptions),
    /// Delete one.
    Delete(DeleteOptions),
    /// Delete many.
    DeleteCollection(ListOptions, DeleteOptions),
}

/// What came of it.
pub struct Answer {
    /// The resource it is about.
    pub entry: Arc<Entry>,
    /// What is to be shown.
    pub content: Content,
    /// Something was made.
    pub created: bool,
    /// What the user is told beside.
    pub warnings: Vec<String>,
}

/// What an answer shows.
pub enum Content {
    /// An object.
    Object(Arc<Object>),
    /// Objects.
    List(ObjectList),
    /// What happens.
    Watch(EventStream),
    /// That it was done.
    Status(Box<Status>),
}

// === impl Action ===

impl Action {
    /// Its verb.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            Self::Get => Verb::Get,
            Self::List(_) => Verb::List,
            Self::Watch(_) => Verb::Watch,
            Self::Create(..) => Verb::Create,
            Self::Update(..) => Verb::Update,
            Self::Patch(..) => Verb::Patch,
            Self::Delete(_) => Verb::Delete,
            Self::DeleteCollection(..) => Verb::DeleteCollection,
        }
    }

    /// Which objects it is about, if it is about many.
    pub(crate) fn list_options(&self) -> Option<&ListOptions> {
        match self {
            Self::List(options) | Self::Watch(options) | Self::DeleteCollection(options, _) => {
                Some(options)
            }
            _ => None,
        }
    }

    /// How it writes, if it does.
    pub(crate) fn write_options(&self) -> Option<&WriteOptions> {
        match self {
            Self::Create(_, options) | Self::Update(_, options) | Self::Patch(_, options) => {
                Some(options)
            }
            _ => None,
        }
    }
}
