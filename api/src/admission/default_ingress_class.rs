//! An Ingress that names no class gets the default one (Kubernetes' DefaultIngressClass admission controller).

use super::classes::default_class;
use super::{Admission, AdmissionRequest, Operation};
use crate::strategy::json::{is_nil, map_at, map_mut, map_of};
use async_trait::async_trait;
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

const OF_INGRESS: &str = "kubernetes.io/ingress.class";
const DEFAULT: [&str; 1] = ["ingressclass.kubernetes.io/is-default-class"];

/// Fills in `spec.ingressClassName` of new Ingresses that do not use the annotation of old.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultIngressClass;

#[async_trait]
impl Admission for DefaultIngressClass {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        operation == Operation::Create && *resource == scheme::INGRESSES
    }

    async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let Some(ingress) = request.object.as_ref().filter(|_| request.subresource.is_empty())
        else {
            return Ok(());
        };
        let annotated = map_at(ingress, &["metadata", "annotations"])
            .is_some_and(|all| all.contains_key(OF_INGRESS));
        if annotated
            || map_of(ingress, "spec").is_some_and(|spec| !is_nil(spec, "ingressClassName"))
        {
            return Ok(());
        }
        let class = default_class(request, scheme::INGRESSCLASSES, &DEFAULT).await?;
        if let (Some(class), Some(ingress)) = (class, &mut request.object) {
            map_mut(ingress, "spec").insert("ingressClassName".into(), class.into());
        }
        Ok(())
    }
}
