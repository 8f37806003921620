//! Who somebody is, by the claims of his token.

use serde_json::{Map, Value};

/// Which claims make a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimMappings {
    /// His name.
    pub username: Mapping,
    /// His groups: a text or a list of texts. None when there is no such claim.
    pub groups: Option<Mapping>,
    /// His id.
    pub uid: Option<String>,
}

/// A claim, and what is put before its value so that it is no other's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// The claim.
    pub claim: String,
    /// The prefix.
    pub prefix: String,
}

// === impl ClaimMappings ===

impl ClaimMappings {
    /// Kubernetes' own: `sub`, behind the issuer and a `#`.
    #[must_use]
    pub fn of(issuer: &str) -> Self {
        let username = Mapping { claim: "sub".into(), prefix: format!("{issuer}#") };
        Self { username, ..Self::default() }
    }

    pub(super) fn username(&self, claims: &Map<String, Value>) -> Result<String, String> {
        let Mapping { claim, prefix } = &self.username;
        let name = text(claims, claim)?;
        // An address that nobody verified may be anybody's.
        if claim == "email" && claims.get("email_verified").is_some_and(|v| *v != Value::Bool(true))
        {
            return Err("oidc: email not verified".into());
        }
        Ok(format!("{prefix}{name}"))
    }

    pub(super) fn groups(&self, claims: &Map<String, Value>) -> Result<Vec<String>, String> {
        let Some(Mapping { claim, prefix }) = &self.groups else { return Ok(Vec::new()) };
        let groups = texts_of(claims.get(claim), claim)?;
        Ok(groups.into_iter().map(|group| format!("{prefix}{group}")).collect())
    }

    pub(super) fn uid(&self, claims: &Map<String, Value>) -> Result<String, String> {
        self.uid.as_ref().map_or(Ok(String::new()), |claim| text(claims, claim))
    }
}

fn text(claims: &Map<String, Value>, claim: &str) -> Result<String, String> {
    match claims.get(claim) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(_) => Err(format!("oidc: the claim {claim:?} is no text, or empty")),
        None => Err(format!("oidc: the claim {claim:?} is not there")),
    }
}

/// A text or a list of texts; none when there is nothing.
pub(super) fn texts_of(value: Option<&Value>, what: &str) -> Result<Vec<String>, String> {
    let bad = || format!("oidc: {what:?} is neither a text nor a list of texts");
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(all)) => {
            all.iter().map(|one| one.as_str().map(str::to_owned).ok_or_else(bad)).collect()
        }
        Some(_) => Err(bad()),
    }
}
