//! Nothing is made in a namespace that is not there or that ends; some namespaces can't be deleted.

use super::{Admission, AdmissionRequest, Operation};
use crate::storage::ReadVersion;
use async_trait::async_trait;
use windlass_core::client::Key;
use windlass_core::meta::{Status, StatusCause};
use windlass_core::scheme::{self, GroupVersionResource};

const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct NamespaceLifecycle;

#[async_trait]
impl Admission for NamespaceLifecycle {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        operation == Operation::Create
            || (operation == Operation::Delete && *resource == scheme::NAMESPACES)
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if request.operation == Operation::Delete {
            return immortal(request);
        }
        if request.namespace.is_empty()
            || *request.resource == scheme::NAMESPACES
            // Who asks what he may do does not learn which namespaces there are.
            || *request.resource == scheme::LOCALSUBJECTACCESSREVIEWS
            || !request.objects.serves(&scheme::NAMESPACES)
        {
            return Ok(());
        }
        let key = Key::cluster(scheme::NAMESPACES, request.namespace);
        let cached = request.objects.get_at(&key, ReadVersion::Any).await?;
        let namespace = match cached {
            Some(namespace) => Some(namespace),
            None => request.objects.get_at(&key, ReadVersion::Newest).await?,
        };
        let Some(namespace) = namespace else {
            return Err(Status::not_found("", "namespaces", request.namespace));
        };
        if namespace.header().deleting && creates_object(request) {
            return Err(terminating(request));
        }
        Ok(())
    }
}

fn creates_object(request: &AdmissionRequest<'_>) -> bool {
    // Evictions and bindings change a pod that is there.
    request.subresource.is_empty()
}

fn immortal(request: &AdmissionRequest<'_>) -> Result<(), Status> {
    if IMMORTAL.contains(&request.name) {
        let why = "this namespace may not be deleted";
        return Err(Status::forbidden("", "namespaces", request.name, why));
    }
    Ok(())
}

fn terminating(request: &AdmissionRequest<'_>) -> Status {
    let (group, resource) = (&request.resource.group, &request.resource.resource);
    let namespace = request.namespace;
    let why = format!(
        "unable to create new content in namespace {namespace} because it is being terminated"
    );
    let mut status = Status::forbidden(group, resource, request.name, &why);
    status.details.get_or_insert_default().causes = vec![StatusCause {
        reason: "NamespaceTerminating".into(),
        message: format!("namespace {namespace} is being terminated"),
        field: "metadata.namespace".into(),
    }];
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::testing::Ask;
    use crate::server::ApiServer;
    use serde_json::json;

    #[tokio::test]
    async fn a_review_does_not_tell_which_namespaces_there_are() {
        let server = ApiServer::builder().build().await.unwrap();
        let object = json!({"metadata": {"name": "x", "namespace": "missing"}});
        for (resource, made) in
            [(scheme::LOCALSUBJECTACCESSREVIEWS, true), (scheme::CONFIGMAPS, false)]
        {
            let ask = Ask::create(resource.clone(), &object).within("missing");
            let answer = ask.of(&NamespaceLifecycle, &server).await;
            assert_eq!(answer.result.is_ok(), made, "{}", resource.resource);
        }
    }
}
