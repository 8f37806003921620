//! What a certificate request asks for, and what Kubernetes' signers demand of it (reference: "Certificate Signing
//! Requests", Kubernetes signers).

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

pub(super) const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
pub(super) const KUBELET_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";
pub(super) const KUBELET_SERVING: &str = "kubernetes.io/kubelet-serving";
pub(super) const LEGACY: &str = "kubernetes.io/legacy-unknown";

const NODE_PREFIX: &str = "system:node:";
const NODES: &str = "system:nodes";

/// What a request asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Asked {
    pub(super) common_name: String,
    organizations: Vec<String>,
    dns: usize,
    addresses: usize,
    emails: usize,
    uris: usize,
}

// === impl Asked ===

impl Asked {
    /// Out of PEM.
    pub(super) fn parse(pem: &str) -> Result<Self, String> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes())
            .map_err(|_| "PEM block type must be CERTIFICATE REQUEST".to_owned())?;
        let (_, request) =
            X509CertificationRequest::from_der(&pem.contents).map_err(|e| e.to_string())?;
        let subject = &request.certification_request_info.subject;
        if subject.iter_common_name().count() > 1 {
            return Err("more than one common name".to_owned());
        }
        let text = |value: &x509_parser::x509::AttributeTypeAndValue<'_>| {
            value.as_str().unwrap_or_default().to_owned()
        };
        let mut asked = Self {
            common_name: subject.iter_common_name().last().map(text).unwrap_or_default(),
            organizations: subject.iter_organization().map(text).collect(),
            ..Self::default()
        };
        for extension in request.requested_extensions().into_iter().flatten() {
            if let ParsedExtension::SubjectAlternativeName(names) = extension {
                names.general_names.iter().for_each(|name| asked.count(name));
            }
        }
        Ok(asked)
    }

    fn count(&mut self, name: &GeneralName<'_>) {
        match name {
            GeneralName::DNSName(_) => self.dns += 1,
            GeneralName::IPAddress(_) => self.addresses += 1,
            GeneralName::RFC822Name(_) => self.emails += 1,
            GeneralName::URI(_) => self.uris += 1,
            _ => {}
        }
    }

    /// Whether it is what a kubelet asks to enter the API server with.
    pub(super) fn check_kubelet_client(&self, usages: &[String]) -> Result<(), String> {
        self.check_node()?;
        for (count, what) in
            [(self.dns, "DNS"), (self.addresses, "IP"), (self.emails, "Email"), (self.uris, "URI")]
        {
            refuse_if(count > 0, || format!("{what} subjectAltNames are not allowed"))?;
        }
        check_node_usages(usages, "client auth")
    }

    /// Whether it is what a kubelet asks to be known by.
    pub(super) fn check_kubelet_serving(&self, usages: &[String]) -> Result<(), String> {
        self.check_node()?;
        refuse_if(self.dns + self.addresses == 0, || {
            "DNS or IP subjectAltName is required".into()
        })?;
        refuse_if(self.emails > 0, || "Email subjectAltNames are not allowed".into())?;
        refuse_if(self.uris > 0, || "URI subjectAltNames are not allowed".into())?;
        check_node_usages(usages, "server auth")
    }

    fn check_node(&self) -> Result<(), String> {
        refuse_if(self.organizations != [NODES], || {
            "subject organization is not system:nodes".into()
        })?;
        refuse_if(!self.common_name.starts_with(NODE_PREFIX), || {
            "subject common name does not begin with system:node: ".into()
        })
    }

    /// Whether a signer takes it; why not otherwise. `None` when it is none of Kubernetes' signers.
    pub(super) fn check(&self, signer: &str, usages: &[String]) -> Option<Result<(), String>> {
        Some(match signer {
            CLIENT => check_client_usages(usages),
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
