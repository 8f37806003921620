//! The pods of a Job.

use super::GVK;
use crate::support::owner::name_of;
use crate::support::pods::from_template;
use crate::views::{Pod, PodView};
use windlass_core::apis::batch::v1::{Job, JobSpec};
use windlass_core::apis::core::v1::{
    Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod as ApiPod,
};
use windlass_core::cache::Entry;
use windlass_core::controller::ObjectKey;

pub(super) const FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// Index of the pods that wait until their end is counted: by their Job.
pub(super) const TRACKED: &str = "job-tracking";
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// How often pods of the same index failed before this one, and how often that did not count (KEP-3850).
const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
const IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

pub(super) fn spec(job: &Job) -> &JobSpec {
    job.spec.as_ref().expect("the server takes no Job without a spec")
}

pub(super) fn is_indexed(job: &Job) -> bool {
    spec(job).completion_mode.as_deref() == Some("Indexed")
}

/// It waits until its end is counted.
pub(super) fn has_finalizer(pod: &Entry<PodView>) -> bool {
    pod.object.header().finalizers.iter().any(|finalizer| **finalizer == *FINALIZER)
}

/// The Job that a pod waits for until its end is counted. One without a name when nobody controls the pod; none when it
/// does not wait, or another kind controls it.
pub(super) fn tracked(pod: &Entry<PodView>) -> Option<ObjectKey> {
    let job = match pod.object.header().controller() {
        Some(owner) if owner.is_of(&GVK) => &*owner.name,
        Some(_) => return None,
        None => "",
    };
    has_finalizer(pod).then(|| ObjectKey::new(pod.object.namespace(), job))
}

/// The index of a pod, if it has one.
pub(super) fn index(pod: &Pod) -> Option<i32> {
    pod.view.annotation(INDEX)?.parse().ok()
}

/// Failures of an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Failures {
    pub(super) counted: i32,
    pub(super) ignored: i32,
}

/// The failures of a pod's index before it.
pub(super) fn failures(pod: &Pod) -> Failures {
    let number =
        |key: &str| pod.view.annotation(key).and_then(|count| count.parse().ok()).unwrap_or(0);
    Failures { counted: number(FAILURES), ignored: number(IGNORED) }
}

/// Whether each index has a number of failures of its own.
pub(super) fn limit_per_index(job: &Job) -> Option<i32> {
    spec(job).backoff_limit_per_index.filter(|_| is_indexed(job))
}

/// A pod for an index that failed so often.
pub(super) fn pod_after(job: &Job, index: i32, failures: Failures) -> ApiPod {
    let mut pod = pod(job, Some(index));
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(FAILURES.into(), failures.counted.to_string());
    if failures.ignored > 0 {
        annotations.insert(IGNORED.into(), failures.ignored.to_string());
    }
    pod
}

/// A pod of a Job, for an index if the Job has them.
pub(super) fn pod(job: &Job, index: Option<i32>) -> ApiPod {
    let mut pod = from_template(&GVK, &job.metadata, &spec(job).template);
    pod.metadata.finalizers.get_or_insert_default().push(FINALIZER.into());
    let Some(index) = index else { return pod };
    let name = format!("{}-{index}", name_of(&job.metadata));
    pod.metadata.annotations.get_or_insert_default().insert(INDEX.into(), index.to_string());
    pod.metadata.labels.get_or_insert_default().insert(INDEX.into(), index.to_string());
    pod.metadata.generate_name = Some(format!("{name}-"));
    let spec = pod.spec.get_or_insert_default();
    spec.hostname.get_or_insert(name);
    spec.containers
        .iter_mut()
        .chain(spec.init_containers.iter_mut().flatten())
        .for_each(tell_index);
    pod
}

fn tell_index(container: &mut Container) {
    const NAME: &str = "JOB_COMPLETION_INDEX";
    let env = container.env.get_or_insert_default();
    if env.iter().any(|variable| variable.name == NAME) {
        return;
    }
    let field = ObjectFieldSelector {
        api_version: None,
        field_path: format!("metadata.annotations['{INDEX}']"),
    };
    let source = EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() };
    env.push(EnvVar { name: NAME.into(), value: None, value_from: Some(source) });
}
