//! Certificate requests (PKCS #10, RFC 2986), read in one way by all who admit, approve and sign them: what one of them
//! judges is what the next one signs.

use std::net::IpAddr;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
use x509_parser::prelude::{FromDer, ParsedCriAttribute};

const PEM_LABEL: &str = "CERTIFICATE REQUEST";

/// What somebody asks a certificate for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateRequest {
    /// The common name: the user. Empty when there is none.
    pub common_name: String,
    /// The organizations: the groups.
    pub organizations: Vec<String>,
    /// Host names it shall answer to.
    pub dns_names: Vec<String>,
    /// Addresses it shall answer to.
    pub addresses: Vec<IpAddr>,
    /// Mail addresses.
    pub emails: Vec<String>,
    /// URIs.
    pub uris: Vec<String>,
    /// The subject, DER.
    pub subject: Vec<u8>,
    /// The key (`SubjectPublicKeyInfo`), DER.
    pub key: Vec<u8>,
    /// The content of the extension with the other names, DER; it holds nothing but what is listed above.
    pub alternative_names: Option<Vec<u8>>,
    /// All of it, as it is signed.
    der: Vec<u8>,
}

/// Why something is no certificate request. Asking again does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It is no PEM of that kind.
    #[error("PEM block type must be {PEM_LABEL}")]
    Label,
    /// It is not encoded as it should be.
    #[error("{0}")]
    Encoding(String),
    /// Readers would take it for different things.
    #[error("{0}")]
    Ambiguous(&'static str),
    /// It is not signed with the key it asks a certificate for.
    #[error("unable to verify certificate request signature: {0}")]
    Signature(String),
}

// === impl CertificateRequest ===

impl CertificateRequest {
    /// Out of PEM. One that readers could take for different things is refused: several common names, an extension twice, a
    /// name of another kind.
    ///
    /// # Errors
    /// When it is none. Its signature is not looked at (see [`Self::verify_signature`]).
    pub fn parse(pem: &str) -> Result<Self, RequestError> {
        let (_, pem) =
            x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|_| RequestError::Label)?;
        if pem.label != PEM_LABEL {
            return Err(RequestError::Label);
        }
        let asked = decoded(&pem.contents)?;
        let info = &asked.certification_request_info;
        let mut names = info.subject.iter_common_name();
        let common_name = names.next().map(text).transpose()?.unwrap_or_default();
        if names.next().is_some() {
            return Err(RequestError::Ambiguous("more than one common name"));
        }
        let mut request = Self {
            common_name,
            organizations: info.subject.iter_organization().map(text).collect::<Result<_, _>>()?,
            subject: info.subject.as_raw().to_vec(),
            key: info.subject_pki.raw.to_vec(),
            ..Self::default()
        };
        if let Some(names) = other_names(&asked)? {
            request.add_names(names)?;
        }
        Ok(Self { der: pem.contents.clone(), ..request })
    }

    /// Whether it is signed with the key it asks a certificate for.
    ///
    /// # Errors
    /// When it is not.
    pub fn verify_signature(&self) -> Result<(), RequestError> {
        let wrong = |error| RequestError::Signature(format!("{error}"));
        decoded(&self.der)?.verify_signature().map_err(wrong)
    }

    fn add_names(&mut self, extension: &X509Extension<'_>) -> Result<(), RequestError> {
        let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() else {
            return Err(RequestError::Encoding("subjectAltName can't be read".into()));
        };
        for name in &names.general_names {
            match name {
                GeneralName::DNSName(name) => self.dns_names.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => self.addresses.push(address(bytes)?),
                GeneralName::RFC822Name(name) => self.emails.push((*name).to_owned()),
                GeneralName::URI(uri) => self.uris.push((*uri).to_owned()),
                _ => return Err(RequestError::Ambiguous("a subjectAltName of another kind")),
            }
        }
        self.alternative_names = Some(extension.value.to_vec());
        Ok(())
    }
}

fn decoded(der: &[u8]) -> Result<X509CertificationRequest<'_>, RequestError> {
    match X509CertificationRequest::from_der(der) {
        Ok(([], asked)) => Ok(asked),
        Ok(_) => Err(RequestError::Encoding("there is more after it".into())),
        Err(error) => Err(RequestError::Encoding(error.to_string())),
    }
}

/// The extension with other names, of which there is one at most.
fn other_names<'a>(
    asked: &'a X509CertificationRequest<'a>,
) -> Result<Option<&'a X509Extension<'a>>, RequestError> {
    let attributes = asked.certification_request_info.iter_attributes();
    let extensions = attributes.filter_map(|attribute| match attribute.parsed_attribute() {
        ParsedCriAttribute::ExtensionRequest(asked) => Some(&asked.extensions),
        _ => None,
    });
    let mut names = extensions.flatten().filter(|one| one.oid == OID_X509_EXT_SUBJECT_ALT_NAME);
    let first = names.next();
    match names.next() {
        Some(_) => Err(RequestError::Ambiguous("more than one subjectAltName")),
        None => Ok(first),
    }
}

fn text(value: &x509_parser::x509::AttributeTypeAndValue<'_>) -> Result<String, RequestError> {
    let text = value.as_str().map_err(|error| RequestError::Encoding(error.to_string()))?;
    Ok(text.to_owned())
}

fn address(bytes: &[u8]) -> Result<IpAddr, RequestError> {
    let four = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let sixteen = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    four().or_else(|_| sixteen()).map_err(|_| RequestError::Encoding("no address".into()))
}

#[cfg(test)]
mod tests;
