//! The pods of a Job.

use super::GVK;
use crate::support::owner::name_of;
use crate::support::pods::from_template;
use crate::views::Pod;
use windlass_core::apis::batch::v1::{Job, JobSpec};
use windlass_core::apis::core::v1::{
    Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod as ApiPod,
};

pub(super) const FINALIZER: &str = "batch.kubernetes.io/job-tracking";
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

pub(super) fn spec(job: &Job) -> &JobSpec {
    job.spec.as_ref().expect("the server takes no Job without a spec")
}

pub(super) fn is_indexed(job: &Job) -> bool {
    spec(job).completion_mode.as_deref() == Some("Indexed")
}

/// The index of a pod, if it has one.
pub(super) fn index(pod: &Pod) -> Option<i32> {
    pod.view.annotation(INDEX)?.parse().ok()
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
