//! Keys that sign tokens and check them: ECDSA (P-256, P-384) and RSA.

use super::legacy;
use super::{Claims, broken, unauthorized};
use crate::pki;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use windlass_core::meta::Status;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};
use x509_parser::public_key::PublicKey;

/// Signs tokens with one key, and reads those that it or one of its predecessors signed. `Debug` shows no key.
pub struct TokenKeys {
    issuer: String,
    /// Others whose tokens are taken: names that the issuer had before.
    issuers: Vec<String>,
    audiences: Vec<String>,
    signing: EncodingKey,
    /// The first is the public half of the key that signs.
    readers: Vec<Reader>,
}

/// A public key.
struct Reader {
    /// Names the key in the head of each token and among the published ones.
    id: String,
    algorithm: Algorithm,
    key: DecodingKey,
    published: Value,
}

/// The forms of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// With an end, and bound to objects.
    Bound,
    /// Kept in a Secret.
    Legacy,
}

#[derive(Deserialize)]
struct Issued {
    iss: String,
}

// === impl TokenKeys ===

impl TokenKeys {
    /// With a key (PKCS #8, PEM; ECDSA over P-256 or P-384, or RSA) and its public half (PEM).
    ///
    /// # Errors
    /// When one is no such key.
    pub fn new(issuer: &str, private: &str, public: &str) -> Result<Self, pki::Error> {
        let reader = Reader::of(public)?;
        let signing = match reader.algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(private.as_bytes()),
            _ => EncodingKey::from_ec_pem(private.as_bytes()),
        };
        let signing = signing.map_err(broken)?;
        let (issuers, audiences) = (Vec::new(), vec![issuer.to_owned()]);
        Ok(Self { issuer: issuer.into(), issuers, audiences, signing, readers: vec![reader] })
    }

    /// Takes tokens that were signed with another key too: the public half (PEM, or a certificate) of one that signed
    /// before, or will. That is how keys are changed: add the new one here, then sign with it, and drop the old one when its
    /// last token has ended. Another time does nothing.
    ///
    /// # Errors
    /// When it is no such key.
    pub fn accept(mut self, public: &str) -> Result<Self, pki::Error> {
        let reader = Reader::of(public)?;
        if self.readers.iter().all(|known| known.id != reader.id) {
            self.readers.push(reader);
        }
        Ok(self)
    }

    /// Takes tokens of another issuer too, signed with one of the keys: a name that this one had before.
    #[must_use]
    pub fn accept_issuer(mut self, issuer: &str) -> Self {
        self.issuers.push(issuer.to_owned());
        self
    }

    /// For whom tokens are meant when nobody says so, and which the server takes for itself. The issuer when there is
    /// nothing else.
    #[must_use]
    pub fn for_audiences(mut self, audiences: Vec<String>) -> Self {
        self.audiences = audiences;
        self
    }

    /// For whom tokens are meant when nobody says so.
    #[must_use]
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// The public keys as JSON Web Keys (RFC 7517).
    pub(in crate::authentication) fn published(&self) -> Vec<&Value> {
        self.readers.iter().map(|reader| &reader.published).collect()
    }

    /// How tokens may be signed.
    pub(in crate::authentication) fn algorithms(&self) -> BTreeSet<String> {
        self.readers.iter().map(|reader| format!("{:?}", reader.algorithm)).collect()
    }

    /// Who signs.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A token that says this: [`Claims`], or those of a token that is kept in a Secret.
    ///
    /// # Errors
    /// When the key can't sign.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, Status> {
        let Reader { id, algorithm, .. } = &self.readers[0];
        let header = Header { kid: Some(id.clone()), ..Header::new(*algorithm) };
        jsonwebtoken::encode(&header, claims, &self.signing).map_err(Status::internal)
    }

    /// What a token says, if it is ours and holds for one of `audiences` now.
    ///
    /// # Errors
    /// `Unauthorized` when it is expired, not yet valid, meant for others, tampered with or signed by another.
    pub fn read(&self, token: &str, audiences: &[&str], now: Timestamp) -> Result<Claims, Status> {
        let claims: Claims = self.verified(token, |rules| {
            rules.set_issuer(&self.issuers());
            rules.set_audience(audiences);
        })?;
        let now = now.as_second();
        if now < claims.nbf || now >= claims.exp { Err(unauthorized()) } else { Ok(claims) }
    }

    /// What a token says whose signature fits one of the keys. Each key reads tokens of its own algorithm and no other,
    /// whatever the token says of itself. Time is injected: it is not compared here.
    pub(super) fn verified<T: DeserializeOwned>(
        &self,
        token: &str,
        set: impl Fn(&mut Validation),
    ) -> Result<T, Status> {
        let head = jsonwebtoken::decode_header(token).map_err(|_| unauthorized())?;
        let fits = |reader: &&Reader| {
            head.alg == reader.algorithm && head.kid.as_ref().is_none_or(|id| *id == reader.id)
        };
        for reader in self.readers.iter().filter(fits) {
            let mut rules = Validation::new(reader.algorithm);
            set(&mut rules);
            (rules.validate_exp, rules.validate_nbf) = (false, false);
            if let Ok(read) = jsonwebtoken::decode::<T>(token, &reader.key, &rules) {
                return Ok(read.claims);
            }
        }
        Err(unauthorized())
    }

    fn issuers(&self) -> Vec<&str> {
        std::iter::once(&self.issuer).chain(&self.issuers).map(String::as_str).collect()
    }

    /// What a token claims to be; none when it names another issuer and is not ours to judge.
    pub(super) fn form(&self, token: &str) -> Option<Form> {
        let token = jsonwebtoken::dangerous::insecure_decode::<Issued>(token).ok()?;
        match token.claims.iss {
            iss if self.issuers().contains(&iss.as_str()) => Some(Form::Bound),
            iss if iss == legacy::ISSUER => Some(Form::Legacy),
            _ => None,
        }
    }
}

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKeys").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

// === impl Reader ===

impl Reader {
    /// Out of PEM: a public key, or the certificate of one.
    fn of(pem: &str) -> Result<Self, pki::Error> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(broken)?;
        let certificate;
        let der = match pem.label.as_str() {
            "PUBLIC KEY" => pem.contents.as_slice(),
            "CERTIFICATE" => {
                certificate = X509Certificate::from_der(&pem.contents).map_err(broken)?.1;
                certificate.public_key().raw
            }
            other => return Err(broken(format!("{other:?} is no public key"))),
        };
        let (_, key) = SubjectPublicKeyInfo::from_der(der).map_err(broken)?;
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(der));
        match key.parsed().map_err(broken)? {
            PublicKey::RSA(key) => Self::rsa(id, key.modulus, key.exponent),
            PublicKey::EC(point) => Self::elliptic(id, point.data()),
            _ => Err(broken("neither RSA nor ECDSA")),
        }
    }

    fn rsa(id: String, modulus: &[u8], exponent: &[u8]) -> Result<Self, pki::Error> {
        let plain = |bytes: &[u8]| {
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            URL_SAFE_NO_PAD.encode(&bytes[zeros..])
        };
        let (n, e) = (plain(modulus), plain(exponent));
        let key = DecodingKey::from_rsa_components(&n, &e).map_err(broken)?;
        let published =
            json!({"use": "sig", "kty": "RSA", "kid": id, "alg": "RS256", "n": n, "e": e});
        Ok(Self { id, algorithm: Algorithm::RS256, key, published })
    }

    /// An uncompressed point: a byte that says so, and two coordinates.
    fn elliptic(id: String, point: &[u8]) -> Result<Self, pki::Error> {
        let (algorithm, curve) = match point.len() {
            65 => (Algorithm::ES256, "P-256"),
            97 => (Algorithm::ES384, "P-384"),
            _ => return Err(broken("a curve other than P-256 and P-384")),
        };
        let (x, y) = point[1..].split_at(point.len() / 2);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let key = DecodingKey::from_ec_components(&x, &y).map_err(broken)?;
        let published = json!({"use": "sig", "kty": "EC", "kid": id, "crv": curve,
            "alg": format!("{algorithm:?}"), "x": x, "y": y});
        Ok(Self { id, algorithm, key, published })
    }
}
