//! Who is let in, from a file (`apiserver.config.k8s.io/v1`, "AuthenticationConfiguration"; KEP-3331).

use super::Anonymous;
use super::oidc::{ClaimMappings, ClaimRules, Mapping, OidcOptions, Part};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a file says.
#[derive(Clone, Debug, Default)]
pub struct AuthenticationConfiguration {
    /// Providers whose tokens are taken.
    pub issuers: Vec<OidcOptions>,
    /// Where one may come without credentials, if it says so.
    pub anonymous: Option<Anonymous>,
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct ConfigurationError {
    field: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    api_version: String,
    kind: String,
    #[serde(default)]
    jwt: Vec<Jwt>,
    #[serde(default)]
    anonymous: Option<AnonymousFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnonymousFile {
    enabled: bool,
    #[serde(default)]
    conditions: Vec<AnonymousPath>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnonymousPath {
    path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Jwt {
    issuer: Issuer,
    #[serde(default)]
    claim_validation_rules: Vec<ClaimRule>,
    claim_mappings: Mappings,
    #[serde(default)]
    user_validation_rules: Vec<UserRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Issuer {
    url: String,
    #[serde(rename = "discoveryURL", default)]
    discovery_url: Option<String>,
    #[serde(default)]
    certificate_authority: String,
    audiences: Vec<String>,
    #[serde(default)]
    audience_match_policy: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct ClaimRule {
    claim: String,
    required_value: String,
    expression: String,
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct UserRule {
    expression: String,
    message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mappings {
    username: Mapped,
    #[serde(default)]
    groups: Mapped,
    #[serde(default)]
    uid: Mapped,
    #[serde(default)]
    extra: Vec<Extra>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Mapped {
    claim: String,
    prefix: Option<String>,
    expression: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Extra {
    key: String,
    value_expression: String,
}

type Result<T> = std::result::Result<T, ConfigurationError>;

// === impl AuthenticationConfiguration ===

impl AuthenticationConfiguration {
    /// Reads it from YAML or JSON, and compiles its expressions.
    ///
    /// # Errors
    /// What can't be, and where it stands.
    pub fn parse(text: &str) -> Result<Self> {
        let file: File = yaml_serde::from_str(text).map_err(|error| wrong("", &error))?;
        let version = file.api_version.strip_prefix("apiserver.config.k8s.io/");
        if file.kind != "AuthenticationConfiguration"
            || !matches!(version, Some("v1" | "v1beta1" | "v1alpha1"))
        {
            let why = "it is no AuthenticationConfiguration of apiserver.config.k8s.io/v1";
            return Err(wrong("kind", &why));
        }
        let mut seen = BTreeSet::new();
        let mut issuers = Vec::new();
        for (at, jwt) in file.jwt.into_iter().enumerate() {
            let path = format!("jwt[{at}]");
            let urls = [Some(jwt.issuer.url.clone()), jwt.issuer.discovery_url.clone()];
            for url in urls.into_iter().flatten() {
                if !seen.insert(url.clone()) {
                    return Err(wrong(
                        &format!("{path}.issuer"),
                        &format!("{url:?} stands there twice"),
                    ));
                }
            }
            issuers.push(jwt.options(&path)?);
        }
        let anonymous = file.anonymous.map(|given| {
            let paths: Vec<_> = given.conditions.into_iter().map(|one| one.path).collect();
            match (given.enabled, paths.is_empty()) {
                (false, _) => Anonymous::Nowhere,
                (true, true) => Anonymous::Everywhere,
                (true, false) => Anonymous::Paths(paths),
            }
        });
        Ok(Self { issuers, anonymous })
    }
}

// === impl Jwt ===

impl Jwt {
    fn options(self, path: &str) -> Result<OidcOptions> {
        let email = self.verifies_email();
        let Self { issuer, claim_validation_rules, claim_mappings, user_validation_rules } = self;
        issuer.check(&format!("{path}.issuer"))?;
        let mut options = OidcOptions {
            audiences: issuer.audiences,
            algorithms: OidcOptions::all_algorithms(),
            authority: Some(issuer.certificate_authority).filter(|pem| !pem.is_empty()),
            discovery: issuer.discovery_url,
            mappings: ClaimMappings::default(),
            ..OidcOptions::new(&issuer.url, "")
        };
        let mut rules = ClaimRules::default();
        let place = format!("{path}.claimMappings");
        claim_mappings.add_to(&mut options.mappings, &mut rules, email, &place)?;
        for (at, rule) in claim_validation_rules.into_iter().enumerate() {
            let place = format!("{path}.claimValidationRules[{at}]");
            match (rule.claim.is_empty(), rule.expression.is_empty()) {
                (false, true) => _ = options.required.insert(rule.claim, rule.required_value),
                (true, false) => rules
                    .demand_of_claims(&rule.expression, &rule.message)
                    .map_err(|why| wrong(&format!("{place}.expression"), &why))?,
                _ => return Err(wrong(&place, &"either claim or expression must be given")),
            }
        }
        for (at, rule) in user_validation_rules.iter().enumerate() {
            let added = rules.demand_of_users(&rule.expression, &rule.message);
            let place = format!("{path}.userValidationRules[{at}].expression");
            added.map_err(|why| wrong(&place, &why))?;
        }
        options.rules = Arc::new(rules);
        Ok(options)
    }

    /// Whether some expression looks whether an address was verified.
    fn verifies_email(&self) -> bool {
        let rules = self.claim_validation_rules.iter().map(|rule| &rule.expression);
        let extra = self.claim_mappings.extra.iter().map(|one| &one.value_expression);
        let mut all = rules.chain(extra).chain([&self.claim_mappings.username.expression]);
        all.any(|text| text.contains("claims.email_verified"))
    }
}

// === impl Issuer ===

impl Issuer {
    fn check(&self, path: &str) -> Result<()> {
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err(wrong(&format!("{path}.audiences"), &"at least one is needed, none empty"));
        }
        match (self.audiences.len(), self.audience_match_policy.as_str()) {
            (1, "" | "MatchAny") | (_, "MatchAny") => Ok(()),
            (_, "") => {
                let why = "audienceMatchPolicy must be MatchAny for several audiences";
                Err(wrong(&format!("{path}.audienceMatchPolicy"), &why))
            }
            (_, other) => {
                let why = format!("{other:?} is none of: MatchAny");
                Err(wrong(&format!("{path}.audienceMatchPolicy"), &why))
            }
        }
    }
}

// === impl Mappings ===

impl Mappings {
    fn add_to(
        self,
        mappings: &mut ClaimMappings,
        rules: &mut ClaimRules,
        verifies_email: bool,
        path: &str,
    ) -> Result<()> {
        let Self { username, groups, uid, extra } = self;
        if username.expression.contains("claims.email") && !verifies_email {
            let why = "claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression";
            return Err(wrong(&format!("{path}.username.expression"), &why));
        }
        for (part, given, name) in [
            (Part::Username, &username, "username"),
            (Part::Groups, &groups, "groups"),
            (Part::Uid, &uid, "uid"),
        ] {
            given.check(part, &format!("{path}.{name}"))?;
            if !given.expression.is_empty() {
                let place = format!("{path}.{name}.expression");
                rules.map(part, &given.expression).map_err(|why| wrong(&place, &why))?;
            }
        }
        mappings.username = username.mapping().unwrap_or_default();
        mappings.groups = groups.mapping();
        mappings.uid = Some(uid.claim).filter(|claim| !claim.is_empty());
        let mut keys = BTreeSet::new();
        for (at, one) in extra.iter().enumerate() {
            let place = format!("{path}.extra[{at}]");
            check_key(&one.key).map_err(|why| wrong(&format!("{place}.key"), &why))?;
            if !keys.insert(&one.key) {
                return Err(wrong(&format!("{place}.key"), &"it stands there twice"));
            }
            let added = rules.extra(&one.key, &one.value_expression);
            added.map_err(|why| wrong(&format!("{place}.valueExpression"), &why))?;
        }
        Ok(())
    }
}

// === impl Mapped ===

impl Mapped {
    fn check(&self, part: Part, path: &str) -> Result<()> {
        let why = match (self.claim.is_empty(), self.expression.is_empty(), &self.prefix) {
            (false, false, _) => "claim and expression can't both be given",
            (true, true, _) if part == Part::Username => "claim or expression is required",
            (true, true, Some(prefix)) if !prefix.is_empty() => "a prefix needs a claim",
            (true, false, Some(_)) => "prefix can't be given with expression",
            (false, true, None) if part != Part::Uid => {
                "prefix is required when claim is given; it can be an empty string"
            }
            (_, _, Some(_)) if part == Part::Uid => "there is no such field",
            _ => return Ok(()),
        };
        Err(wrong(path, &why))
    }

    fn mapping(self) -> Option<Mapping> {
        let prefix = self.prefix.unwrap_or_default();
        Some(Mapping { claim: self.claim, prefix }).filter(|mapping| !mapping.claim.is_empty())
    }
}

/// `example.com/tenant`, all in small letters, in a domain that is not Kubernetes'.
fn check_key(key: &str) -> std::result::Result<(), &'static str> {
    let (domain, rest) = key.split_once('/').unwrap_or((key, ""));
    let is_of =
        |own: &str| domain == own || domain.strip_suffix(own).is_some_and(|d| d.ends_with('.'));
    if rest.is_empty() || !crate::validation::format::dns1123_subdomain(domain).is_empty() {
        return Err("it must be a path in a domain: example.com/tenant");
    }
    if key != key.to_lowercase() {
        return Err("it must be lowercase");
    }
    if is_of("k8s.io") || is_of("kubernetes.io") {
        return Err("k8s.io and kubernetes.io are reserved for Kubernetes");
    }
    Ok(())
}

fn wrong(field: &str, why: &dyn std::fmt::Display) -> ConfigurationError {
    let field = if field.is_empty() { "AuthenticationConfiguration" } else { field };
    ConfigurationError { field: field.to_owned(), why: why.to_string() }
}

#[cfg(test)]
mod tests;
