//! From one version of a kind to another.

mod review;

use super::definition::Definition;
use crate::registry::Loopback;
use crate::strategy::Map;
use crate::strategy::json::str_of;
use crate::webhook::Webhook;
use std::time::Duration;
use windlass_core::clock::Env;
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme::GroupVersionKind;

/// How long a webhook may take.
const WITHIN: Duration = Duration::from_secs(30);

/// How the versions of a kind become one another.
pub(super) enum Converter {
    /// They differ in nothing but their name.
    None,
    /// Somebody else knows.
    Webhook(Box<Hook>),
}

/// A conversion webhook.
pub(super) struct Hook {
    webhook: Webhook,
    /// The version of the review that is sent.
    version: &'static str,
    env: Env,
}

// === impl Converter ===

impl Converter {
    pub(super) fn new(definition: &Definition<'_>, objects: &Loopback, env: &Env) -> Self {
        let conversion = definition.spec.conversion.as_ref();
        let webhook =
            conversion.filter(|c| c.strategy == "Webhook").and_then(|c| c.webhook.as_ref());
        let Some(spec) = webhook else { return Self::None };
        let first = spec.conversion_review_versions.iter().find_map(|version| match &**version {
            "v1" => Some("v1"),
            "v1beta1" => Some("v1beta1"),
            _ => None,
        });
        let webhook = Webhook::new(spec.client_config.clone(), objects.clone());
        Self::Webhook(Box::new(Hook { webhook, version: first.unwrap_or("v1"), env: env.clone() }))
    }

    /// The same objects, in the same order, in another version. None of them is in it yet.
    ///
    /// # Errors
    /// `InternalError` in Kubernetes' words when a webhook fails.
    pub(super) async fn convert(
        &self,
        to: &GroupVersionKind,
        mut objects: Vec<Map>,
    ) -> Result<Vec<Map>, Status> {
        match self {
            Self::None => {
                let version = to.api_version();
                for object in &mut objects {
                    object.insert("apiVersion".into(), version.clone().into());
                }
                Ok(objects)
            }
            Self::Webhook(_) if objects.is_empty() => Ok(objects),
            Self::Webhook(hook) => {
                let from = str_of(&objects[0], "apiVersion").to_owned();
                hook.convert(to, objects).await.map_err(|why| {
                    let kind = &to.kind;
                    let text = format!("conversion webhook for {from}, Kind={kind} failed: {why}");
                    Status::failure(Reason::InternalError, text)
                })
            }
        }
    }

    /// Whether a field may stand elsewhere in another version.
    pub(super) fn moves_fields(&self) -> bool {
        matches!(self, Self::Webhook(_))
    }
}

// === impl Hook ===

impl Hook {
    async fn convert(&self, to: &GroupVersionKind, objects: Vec<Map>) -> Result<Vec<Map>, String> {
        let uid = self.env.uuid();
        let review = review::request(self.version, &uid, &to.api_version(), &objects);
        let answer = self.webhook.call(review.into(), WITHIN).await;
        let answer = answer.map_err(|error| error.to_string())?;
        review::read(self.version, &uid, to, &answer, objects)
    }
}
