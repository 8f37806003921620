//! Flags for who is let in and who decides, under kube-apiserver's names.

use crate::standalone::{Access, Decider, ServiceAccountKeys};
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use windlass_api::authentication::oidc::{ClaimMappings, Mapping, Oidc, OidcOptions};
use windlass_api::authentication::tokens::{Cached, TokenAuthenticator, TokenFile, WebhookTokens};
use windlass_api::authentication::{Anonymous, AuthenticationConfiguration};
use windlass_api::authorization::{
    AlwaysAllow, AlwaysDeny, AuthorizationConfiguration, ConfiguredAuthorizer, WebhookAuthorizer,
    WebhookCache, WebhookOptions,
};
use windlass_core::clock::Clock;
use windlass_core::component::BoxError;
use windlass_core::meta::parse_duration;

/// How long it is remembered that a webhook knows no user of a token.
const UNKNOWN: Duration = Duration::from_secs(30);

/// Who is let in, and who decides.
#[derive(Args)]
#[command(next_help_heading = "Access")]
pub(super) struct AccessFlags {
    /// Lets those in who show no credentials, as system:anonymous
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    anonymous_auth: bool,
    /// Lets them in under these paths only: /livez, /readyz
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    anonymous_auth_paths: Vec<String>,
    /// Who is let in (apiserver.config.k8s.io/v1, AuthenticationConfiguration): providers of tokens, anonymous requests
    #[arg(long, value_name = "FILE", conflicts_with = "oidc_issuer_url")]
    authentication_config: Option<PathBuf>,
    /// Tokens of users, a line of TOKEN,USER,UID,"GROUP,GROUP" each
    #[arg(long, value_name = "FILE")]
    token_auth_file: Option<PathBuf>,
    /// OpenID Connect provider: https://accounts.example.com
    #[arg(long, value_name = "URL", requires = "oidc_client_id")]
    oidc_issuer_url: Option<String>,
    /// For whom its tokens are meant
    #[arg(long, value_name = "ID", requires = "oidc_issuer_url")]
    oidc_client_id: Option<String>,
    /// The claim with a user's name
    #[arg(long, value_name = "CLAIM", default_value = "sub")]
    oidc_username_claim: String,
    /// Stands before names; - for nothing [default: the issuer and #, nothing for email]
    #[arg(long, value_name = "TEXT")]
    oidc_username_prefix: Option<String>,
    /// The claim with a user's groups
    #[arg(long, value_name = "CLAIM")]
    oidc_groups_claim: Option<String>,
    /// Stands before groups
    #[arg(long, value_name = "TEXT", default_value = "")]
    oidc_groups_prefix: String,
    /// CLAIM=VALUE that a token must have
    #[arg(long, value_name = "CLAIM=VALUE")]
    oidc_required_claim: Vec<String>,
    /// How its tokens may be signed
    #[arg(long, value_name = "ALG", value_delimiter = ',', default_value = "RS256")]
    oidc_signing_algs: Vec<String>,
    /// Its certificate authority [default: the system's]
    #[arg(long, value_name = "FILE")]
    oidc_ca_file: Option<PathBuf>,
    /// Kubeconfig of a server that knows tokens
    #[arg(long, value_name = "FILE")]
    authentication_token_webhook_config_file: Option<PathBuf>,
    /// How long its answers are remembered
    #[arg(long, value_name = "DURATION", default_value = "2m0s", value_parser = parse_duration)]
    authentication_token_webhook_cache_ttl: Duration,
    /// Who decides, in which order (apiserver.config.k8s.io/v1, AuthorizationConfiguration)
    #[arg(long, value_name = "FILE", conflicts_with = "authorization_webhook_config_file")]
    authorization_config: Option<PathBuf>,
    /// Kubeconfig of a server that decides what roles don't allow
    #[arg(long, value_name = "FILE")]
    authorization_webhook_config_file: Option<PathBuf>,
    /// How long it is remembered that it allowed something
    #[arg(long, value_name = "DURATION", default_value = "5m0s", value_parser = parse_duration)]
    authorization_webhook_cache_authorized_ttl: Duration,
    /// How long it is remembered that it did not
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    authorization_webhook_cache_unauthorized_ttl: Duration,
    /// Who signs service account tokens; more are names it had before
    #[arg(long, value_name = "URL")]
    service_account_issuer: Vec<String>,
    /// The private key that signs them (PKCS #8) [default: made at the first start]
    #[arg(long, value_name = "FILE")]
    service_account_signing_key_file: Option<PathBuf>,
    /// Public keys whose tokens are taken too
    #[arg(long, value_name = "FILE")]
    service_account_key_file: Vec<PathBuf>,
    /// For whom tokens must be meant [default: the issuer]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    api_audiences: Vec<String>,
}

impl AccessFlags {
    /// Reads the files that are named.
    pub(super) async fn open(self, clock: Arc<dyn Clock>) -> Result<Access, BoxError> {
        let mut tokens: Vec<Arc<dyn TokenAuthenticator>> = Vec::new();
        if let Some(path) = &self.token_auth_file {
            let file = TokenFile::parse(&read(path)?).map_err(|error| named(path, &error))?;
            tokens.push(Arc::new(file));
        }
        let configured = self.configuration()?;
        let service_accounts = self.service_accounts()?;
        for options in self.oidc()?.into_iter().chain(configured.issuers) {
            let issuer = &options.issuer;
            if service_accounts.names().any(|own| own == issuer) {
                let why = "it signs service account tokens, and nobody else does in its name";
                return Err(format!("issuer {issuer:?}: {why}").into());
            }
            tokens.push(Arc::new(Oidc::new(options, clock.clone())?));
        }
        if let Some(path) = &self.authentication_token_webhook_config_file {
            let audiences = service_accounts.own_audiences();
            let webhook = WebhookTokens::from_kubeconfig(&read(path)?, audiences).await;
            let webhook = webhook.map_err(|error| named(path, &error))?;
            let time = self.authentication_token_webhook_cache_ttl;
            tokens.push(Arc::new(Cached::new(webhook, time, UNKNOWN.min(time))));
        }
        let by_flags = match (self.anonymous_auth, &self.anonymous_auth_paths) {
            (false, _) => Anonymous::Nowhere,
            (true, paths) if paths.is_empty() => Anonymous::Everywhere,
            (true, paths) => Anonymous::Paths(paths.clone()),
        };
        Ok(Access {
            tokens,
            deciders: self.deciders().await?,
            anonymous: configured.anonymous.unwrap_or(by_flags),
            service_accounts,
        })
    }

    fn configuration(&self) -> Result<AuthenticationConfiguration, BoxError> {
        let Some(path) = &self.authentication_config else { return Ok(Default::default()) };
        let read = AuthenticationConfiguration::parse(&read(path)?);
        let read = read.map_err(|error| named(path, &error))?;
        let flags = !self.anonymous_auth || !self.anonymous_auth_paths.is_empty();
        if flags && read.anonymous.is_some() {
            let why = "anonymous requests are spoken of there and by --anonymous-auth";
            return Err(named(path, &why).into());
        }
        Ok(read)
    }

    fn oidc(&self) -> Result<Option<OidcOptions>, BoxError> {
        let (Some(issuer), Some(client)) = (&self.oidc_issuer_url, &self.oidc_client_id) else {
            return Ok(None);
        };
        let prefix = match self.oidc_username_prefix.as_deref() {
            Some("-") => String::new(),
            Some(prefix) => prefix.to_owned(),
            None if self.oidc_username_claim == "email" => String::new(),
            None => format!("{issuer}#"),
        };
        let groups = self.oidc_groups_claim.clone();
        let prefix_of_groups = self.oidc_groups_prefix.clone();
        let pair = |text: &String| {
            let pair =
                text.split_once('=').map(|(claim, value)| (claim.to_owned(), value.to_owned()));
            pair.ok_or_else(|| format!("--oidc-required-claim={text}: it must be CLAIM=VALUE"))
        };
        Ok(Some(OidcOptions {
            authority: self.oidc_ca_file.as_deref().map(read).transpose()?,
            algorithms: self.oidc_signing_algs.clone(),
            required: self.oidc_required_claim.iter().map(pair).collect::<Result<_, _>>()?,
            mappings: ClaimMappings {
                username: Mapping { claim: self.oidc_username_claim.clone(), prefix },
                groups: groups.map(|claim| Mapping { claim, prefix: prefix_of_groups }),
                uid: None,
            },
            ..OidcOptions::new(issuer, client)
        }))
    }

    /// Nodes, roles and a webhook, or what a file says.
    async fn deciders(&self) -> Result<Vec<Decider>, BoxError> {
        if let Some(path) = &self.authorization_config {
            let all = AuthorizationConfiguration::parse(&read(path)?);
            let mut deciders = Vec::new();
            for one in all.map_err(|error| named(path, &error))?.authorizers {
                deciders.push(decider(one).await?);
            }
            return Ok(deciders);
        }
        let mut deciders = vec![Decider::Node, Decider::Rbac];
        if let Some(path) = &self.authorization_webhook_config_file {
            let cache = WebhookCache {
                authorized: self.authorization_webhook_cache_authorized_ttl,
                unauthorized: self.authorization_webhook_cache_unauthorized_ttl,
            };
            deciders.push(webhook(path, cache.into()).await?);
        }
        Ok(deciders)
    }

    fn service_accounts(&self) -> Result<ServiceAccountKeys, BoxError> {
        let keys = self.service_account_key_file.iter().map(|path| read(path));
        Ok(ServiceAccountKeys {
            signing: self.service_account_signing_key_file.as_deref().map(read).transpose()?,
            accepted: keys.collect::<Result<_, _>>()?,
            issuers: self.service_account_issuer.clone(),
            audiences: self.api_audiences.clone(),
        })
    }
}

async fn decider(configured: ConfiguredAuthorizer) -> Result<Decider, BoxError> {
    Ok(match configured {
        ConfiguredAuthorizer::Node => Decider::Node,
        ConfiguredAuthorizer::Rbac => Decider::Rbac,
        ConfiguredAuthorizer::AlwaysAllow => Decider::Other(Arc::new(AlwaysAllow)),
        ConfiguredAuthorizer::AlwaysDeny => Decider::Other(Arc::new(AlwaysDeny)),
        ConfiguredAuthorizer::Webhook(path, options) => webhook(&path, options).await?,
    })
}

async fn webhook(path: &Path, options: WebhookOptions) -> Result<Decider, BoxError> {
    let webhook = WebhookAuthorizer::from_kubeconfig(&read(path)?, options).await;
    Ok(Decider::Other(Arc::new(webhook.map_err(|error| named(path, &error))?)))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| named(path, &error))
}

fn named(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use windlass_core::clock::Env;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        access: AccessFlags,
    }

    #[tokio::test]
    async fn nobody_else_signs_in_the_name_of_service_accounts() {
        for (provider, own, good) in [
            ("https://a.example", "https://b.example", true),
            ("https://a.example", "https://a.example", false),
            ("https://kubernetes.default.svc.cluster.local", "", false),
        ] {
            let mut flags = vec!["x", "--oidc-issuer-url", provider, "--oidc-client-id", "us"];
            if !own.is_empty() {
                flags.extend(["--service-account-issuer", own]);
            }
            let access = Line::parse_from(flags).access;
            let opened = access.open(Env::system().clock).await.map(drop);
            assert_eq!(opened.is_ok(), good, "{provider} {own} {opened:?}");
        }
    }
}
