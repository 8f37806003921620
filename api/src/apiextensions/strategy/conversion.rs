//! How versions become one another.

use super::SPEC;
use crate::strategy::Map;
use crate::strategy::json::{is_nil, list_of, map_of, str_of};
use crate::validation::Errors;
use crate::validation::rules::{client_config, one_of};

const REVIEWS: [&str; 2] = ["v1", "v1beta1"];

pub(super) fn validate(spec: &Map, errors: &mut Errors) {
    let Some(conversion) = map_of(spec, "conversion") else { return };
    let path = SPEC.child("conversion");
    one_of(conversion, "strategy", &["None", "Webhook"], &path, errors);
    if str_of(conversion, "strategy") != "Webhook" {
        if !is_nil(conversion, "webhook") {
            let detail = "should not be set when strategy is not set to Webhook";
            errors.forbidden(path.child("webhook"), detail);
        }
        return;
    }
    let empty = Map::new();
    let webhook = map_of(conversion, "webhook").unwrap_or(&empty);
    match map_of(webhook, "clientConfig") {
        None => {
            let detail = "required when strategy is set to Webhook";
            errors.required(path.child("webhookClientConfig"), detail);
        }
        Some(config) => client_config(config, &path.child("webhookClientConfig"), errors),
    }
    let path = path.child("conversionReviewVersions");
    let versions = list_of(webhook, "conversionReviewVersions");
    let known = |version: &serde_json::Value| REVIEWS.iter().any(|review| version == review);
    if versions.is_empty() {
        errors.required(path, "");
    } else if !versions.iter().any(known) {
        errors.invalid(path, versions, "must include at least one of v1, v1beta1");
    }
}
