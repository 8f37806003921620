//! What a certificate request asks for, and what Kubernetes' signers demand of it (reference: "Certificate Signing
//! Requests", Kubernetes signers).

use windlass_core::certificates::CertificateRequest;

pub(super) const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
pub(super) const KUBELET_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";
pub(super) const KUBELET_SERVING: &str = "kubernetes.io/kubelet-serving";
pub(super) const LEGACY: &str = "kubernetes.io/legacy-unknown";

const NODE_PREFIX: &str = "system:node:";
const NODES: &str = "system:nodes";

/// What a request asks for.
pub(super) struct Asked(CertificateRequest);

// === impl Asked ===

impl Asked {
    /// Out of PEM.
    pub(super) fn parse(pem: &str) -> Result<Self, String> {
        CertificateRequest::parse(pem).map(Self).map_err(|error| error.to_string())
    }

    pub(super) fn common_name(&self) -> &str {
        &self.0.common_name
    }

    /// Whether it is what a kubelet asks to enter the API server with.
    pub(super) fn check_kubelet_client(&self, usages: &[String]) -> Result<(), String> {
        self.check_node()?;
        let asked = &self.0;
        for (none, what) in [
            (asked.dns_names.is_empty(), "DNS"),
            (asked.addresses.is_empty(), "IP"),
            (asked.emails.is_empty(), "Email"),
            (asked.uris.is_empty(), "URI"),
        ] {
            refuse_if(!none, || format!("{what} subjectAltNames are not allowed"))?;
        }
        check_node_usages(usages, "client auth")
    }

    /// Whether it is what a kubelet asks to be known by.
    pub(super) fn check_kubelet_serving(&self, usages: &[String]) -> Result<(), String> {
        self.check_node()?;
        let asked = &self.0;
        refuse_if(asked.dns_names.is_empty() && asked.addresses.is_empty(), || {
            "DNS or IP subjectAltName is required".into()
        })?;
        refuse_if(!asked.emails.is_empty(), || "Email subjectAltNames are not allowed".into())?;
        refuse_if(!asked.uris.is_empty(), || "URI subjectAltNames are not allowed".into())?;
        check_node_usages(usages, "server auth")
    }

    fn check_client(&self, usages: &[String]) -> Result<(), String> {
        check_client_usages(usages)?;
        refuse_if(self.common_name().is_empty(), || "subject common name is required".into())
    }

    fn check_node(&self) -> Result<(), String> {
        refuse_if(self.0.organizations != [NODES], || {
            "subject organization is not system:nodes".into()
        })?;
        refuse_if(!self.common_name().starts_with(NODE_PREFIX), || {
            "subject common name does not begin with system:node: ".into()
        })
    }

    /// Whether a signer takes it; why not otherwise. `None` when it is none of Kubernetes' signers.
    pub(super) fn check(&self, signer: &str, usages: &[String]) -> Option<Result<(), String>> {
        Some(match signer {
            CLIENT => self.check_client(usages),
            KUBELET_CLIENT => self.check_kubelet_client(usages),
            KUBELET_SERVING => self.check_kubelet_serving(usages),
            // All is as it ever was there.
            LEGACY => Ok(()),
            _ => return None,
        })
    }
}

fn refuse_if(wrong: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if wrong { Err(why()) } else { Ok(()) }
}

fn check_node_usages(usages: &[String], purpose: &str) -> Result<(), String> {
    let mut usages: Vec<&str> = usages.iter().map(String::as_str).collect();
    usages.sort_unstable();
    usages.dedup();
    let with_encipherment = {
        let mut all = [purpose, "digital signature", "key encipherment"];
        all.sort_unstable();
        all
    };
    let without: Vec<_> =
        with_encipherment.iter().copied().filter(|one| *one != "key encipherment").collect();
    refuse_if(usages != with_encipherment && usages != without, || {
        format!("usages did not match [{}]", with_encipherment.join(" "))
    })
}

fn check_client_usages(usages: &[String]) -> Result<(), String> {
    for usage in usages {
        let known =
            matches!(usage.as_str(), "digital signature" | "key encipherment" | "client auth");
        refuse_if(!known, || format!("invalid usage for client certificate: {usage}"))?;
    }
    refuse_if(!usages.iter().any(|usage| usage == "client auth"), || {
        "missing required usage for client certificate: client auth".into()
    })
}
