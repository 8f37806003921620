//! Who may have certificates signed, and approve that (Kubernetes' CertificateApproval, CertificateSigning and
//! CertificateSubjectRestriction admission controllers).

#[cfg(test)]
mod tests;

use super::{Admission, AdmissionRequest, Operation};
use crate::authentication::MASTERS;
use crate::authorization::{Attributes, Authorizer};
use crate::strategy::Map;
use crate::strategy::json::{str_at, value_at};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;
use windlass_core::certificates::CertificateRequest;
use windlass_core::meta::Status;
use windlass_core::request::ResourceTarget;
use windlass_core::scheme::{self, GroupVersionResource};

const CLIENTS: &str = "kubernetes.io/kube-apiserver-client";
/// What roles call those whose names requests are signed in.
const SIGNERS: GroupVersionResource =
    GroupVersionResource::new("certificates.k8s.io", "*", "signers");

/// Only who may `approve` for a signer approves or denies requests to it.
pub struct CertificateApproval {
    authorizer: Arc<dyn Authorizer>,
}

/// Only who may `sign` for a signer puts certificates into requests to it.
pub struct CertificateSigning {
    authorizer: Arc<dyn Authorizer>,
}

/// Nobody gets a client certificate of the group `system:masters`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CertificateSubjectRestriction;

// === impl CertificateApproval ===

impl CertificateApproval {
    /// Asks `authorizer` for the verb.
    pub fn new(authorizer: Arc<dyn Authorizer>) -> Self {
        Self { authorizer }
    }
}

#[async_trait]
impl Admission for CertificateApproval {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        operation == Operation::Update && *resource == scheme::CERTIFICATESIGNINGREQUESTS
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        match request.old.filter(|_| request.subresource == "approval") {
            Some(old) => may(&*self.authorizer, request, "approve", old).await,
            None => Ok(()),
        }
    }
}

// === impl CertificateSigning ===

impl CertificateSigning {
    /// Asks `authorizer` for the verb.
    pub fn new(authorizer: Arc<dyn Authorizer>) -> Self {
        Self { authorizer }
    }
}

#[async_trait]
impl Admission for CertificateSigning {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        operation == Operation::Update && *resource == scheme::CERTIFICATESIGNINGREQUESTS
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let (Some(new), Some(old), "status") = (&request.object, request.old, request.subresource)
        else {
            return Ok(());
        };
        let same = |field| value_at(new, &["status", field]) == value_at(old, &["status", field]);
        if same("certificate") && same("conditions") {
            return Ok(());
        }
        may(&*self.authorizer, request, "sign", old).await
    }
}

/// Whether a user may do this for the signer of a request, or for all signers of its domain.
async fn may(
    authorizer: &dyn Authorizer,
    request: &AdmissionRequest<'_>,
    verb: &str,
    asked: &Map,
) -> Result<(), Status> {
    let signer = str_at(asked, &["spec", "signerName"]);
    let domain = signer.split('/').next().unwrap_or_default();
    for name in [signer.to_owned(), format!("{domain}/*")] {
        let target = ResourceTarget {
            resource: SIGNERS,
            namespace: None,
            name: Some(name),
            subresource: None,
            rest: String::new(),
        };
        let user = request.user;
        let attributes = Attributes::of(user, verb, &target);
        if authorizer.authorize(&attributes).await.is_allowed() {
            return Ok(());
        }
    }
    let why = format!("user not permitted to {verb} requests with signerName \"{signer}\"");
    Err(request.forbidden(&why))
}

// === impl CertificateSubjectRestriction ===

#[async_trait]
impl Admission for CertificateSubjectRestriction {
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        operation == Operation::Create && *resource == scheme::CERTIFICATESIGNINGREQUESTS
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let Some(asked) = request.object.as_ref().filter(|_| request.subresource.is_empty()) else {
            return Ok(());
        };
        if str_at(asked, &["spec", "signerName"]) != CLIENTS {
            return Ok(());
        }
        match is_of_masters(str_at(asked, &["spec", "request"])) {
            Ok(false) => Ok(()),
            Ok(true) => {
                let why = format!("use of {CLIENTS} signer with {MASTERS} group is not allowed");
                Err(request.forbidden(&why))
            }
            Err(why) => Err(request.forbidden(&format!("failed to parse CSR: {why}"))),
        }
    }
}

fn is_of_masters(encoded: &str) -> Result<bool, String> {
    Ok(request_of(encoded)?.organizations.iter().any(|group| group == MASTERS))
}

/// The request in `spec.request`.
pub(super) fn request_of(encoded: &str) -> Result<CertificateRequest, String> {
    let pem = STANDARD.decode(encoded).map_err(|error| error.to_string())?;
    let pem = String::from_utf8(pem).map_err(|error| error.to_string())?;
    CertificateRequest::parse(&pem).map_err(|error| error.to_string())
}
