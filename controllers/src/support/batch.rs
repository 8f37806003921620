//! Making and deleting many pods.

use super::writes::{Writes, ask};
use crate::views::Pod;
use futures::future::join_all;
use windlass_core::apis::core::v1::Pod as ApiPod;
use windlass_core::client::{Client, DeleteOptions, Key, ListOptions, Scope, WriteOptions};
use windlass_core::controller::ObjectKey;
use windlass_core::events::{EventType, Recorder, Reference};
use windlass_core::meta::Reason;
use windlass_core::{Error, Result, scheme};

/// Makes and deletes pods in the name of one owner, with an event for each.
pub(crate) struct Pods<'a> {
    pub(crate) client: &'a dyn Client,
    pub(crate) recorder: &'a Recorder,
    /// Who owns them.
    pub(crate) about: Reference,
    /// Where it is remembered what was written.
    pub(crate) writes: &'a Writes,
    /// For whom it is remembered.
    pub(crate) request: &'a ObjectKey,
}

/// Not all could be made or deleted.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Made, not deleted.
    pub(crate) creating: bool,
    /// How many were made before it failed.
    pub(crate) made: usize,
    /// Why the first one failed.
    pub(crate) error: Error,
}

// === impl Pods ===

impl Pods<'_> {
    /// Makes pods, then deletes others; deletes none when some could not be made.
    pub(crate) async fn apply(&self, create: Vec<ApiPod>, delete: &[Pod]) -> Result<(), Failure> {
        self.create(create).await?;
        self.delete(delete).await
    }

    /// Makes pods: one, then two, four and so on at once, and no more after the first that fails, so that a quota that is
    /// used up is asked a few times only. Says how many were made: in a namespace that goes no more are tried, which is no
    /// failure.
    pub(crate) async fn create(&self, pods: Vec<ApiPod>) -> Result<usize, Failure> {
        let (mut rest, mut size, mut sum) = (pods.as_slice(), 1, 0);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(size.min(rest.len()));
            let made = join_all(now.iter().map(|pod| self.create_one(pod))).await;
            if made.iter().any(|one| matches!(one, Err(Error::Transport(_)))) {
                self.learn_what_was_made().await;
            }
            sum += made.iter().filter(|one| matches!(one, Ok(true))).count();
            let made = made.into_iter().collect::<Result<Vec<bool>>>();
            let made = made.map_err(|error| Failure { creating: true, made: sum, error })?;
            if made.contains(&false) {
                break;
            }
            (rest, size) = (later, size * 2);
        }
        Ok(sum)
    }

    /// Whether it was made.
    async fn create_one(&self, pod: &ApiPod) -> Result<bool> {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let key = Key::new(scheme::PODS, &self.about.namespace, name);
        let body = serde_json::to_vec(pod).map_err(|error| Error::decode("pod", error))?;
        match self.client.create(&key, body.into(), &WriteOptions::default()).await {
            Ok(made) => {
                self.writes.wrote(self.request, made.resource_version());
                self.tell(
                    EventType::Normal,
                    "SuccessfulCreate",
                    format!("Created pod: {}", made.name()),
                );
                Ok(true)
            }
            // Nothing can be made in a namespace that goes.
            Err(error) if is_terminating(&error) => Ok(false),
            Err(error) => {
                self.tell(EventType::Warning, "FailedCreate", format!("Error creating: {error}"));
                Err(error)
            }
        }
    }

    /// When an answer got lost, a pod may have been made that nobody heard of. The server knows: before anything more is
    /// made, the cache has to show all that is there now.
    async fn learn_what_was_made(&self) {
        let scope = Scope::namespace(scheme::PODS, &self.about.namespace);
        let options = ListOptions::default();
        let Some(all) = ask(|| self.client.list(&scope, &options)).await else { return };
        let headers = all.items.iter().map(|pod| pod.header());
        let mine = headers.filter(|header| {
            header.controller().is_some_and(|owner| *owner.uid == *self.about.uid)
        });
        let last = mine.map(|header| header.resource_version).max();
        self.writes.wrote(self.request, last.unwrap_or(0));
    }

    /// Deletes pods, all at once.
    pub(crate) async fn delete(&self, pods: &[Pod]) -> Result<(), Failure> {
        let deleted = join_all(pods.iter().map(|pod| self.delete_one(pod))).await;
        deleted.into_iter().collect::<Result<Vec<()>>>().map(drop).map_err(|error| Failure {
            creating: false,
            made: 0,
            error,
        })
    }

    async fn delete_one(&self, pod: &Pod) -> Result<()> {
        let header = pod.object.header();
        let key = Key::new(scheme::PODS, &*header.namespace, &*header.name);
        match self.client.delete(&key, &DeleteOptions::uid(&*header.uid)).await {
            Ok(_) => {
                self.writes.deleted(self.request, header);
                self.tell(
                    EventType::Normal,
                    "SuccessfulDelete",
                    format!("Deleted pod: {}", header.name),
                );
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => {
                self.tell(EventType::Warning, "FailedDelete", format!("Error deleting: {error}"));
                Err(error)
            }
        }
    }

    fn tell(&self, kind: EventType, reason: &str, message: String) {
        self.recorder.event(self.about.clone(), kind, reason, &message);
    }
}

fn is_terminating(error: &Error) -> bool {
    let Error::Status(status) = error else { return false };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.reason == Reason::Forbidden
        && causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
}
