//! Calls to webhooks: over HTTPS only, to a URL or to a Service of the cluster.

mod client;
mod reviewer;
mod target;

pub(crate) use client::{Webhook, WebhookError, system_authorities};
pub(crate) use reviewer::Reviewer;
pub use reviewer::ReviewerError;
pub(crate) use target::ClientConfig;
