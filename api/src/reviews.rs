//! Questions about who one is and what one may do, and tokens: objects that are answered, not kept.

mod access;
mod rules;
mod token;
mod who;

use crate::authentication::{BearerTokens, TokenKeys};
use crate::authorization::{Authorizer, Rbac};
use crate::registry::Creater;
use std::sync::Arc;
use windlass_core::scheme::{self, GroupVersionResource};

/// What the answers come from.
#[derive(Clone)]
pub struct Reviews {
    /// Decides.
    pub authorizer: Arc<dyn Authorizer>,
    /// Lists rules.
    pub rbac: Arc<Rbac>,
    /// Signs and reads tokens.
    pub keys: Arc<TokenKeys>,
    /// Recognizes tokens.
    pub tokens: Arc<BearerTokens>,
}

impl Reviews {
    /// The answerers, each with its resource and subresource (empty for none).
    #[must_use]
    pub fn creaters(&self) -> Vec<(GroupVersionResource, &'static str, Arc<dyn Creater>)> {
        let mut all = AccessReviews(self.authorizer.clone()).creaters();
        let rules = rules::Rules { rbac: self.rbac.clone(), authorizer: self.authorizer.clone() };
        let more: [(_, _, Arc<dyn Creater>); 4] = [
            (scheme::SELFSUBJECTRULESREVIEWS, "", Arc::new(rules)),
            (scheme::SELFSUBJECTREVIEWS, "", Arc::new(who::Oneself)),
            (scheme::TOKENREVIEWS, "", Arc::new(who::TokenReview(self.tokens.clone()))),
            (scheme::SERVICEACCOUNTS, "token", Arc::new(token::TokenRequest(self.keys.clone()))),
        ];
        all.extend(more);
        all
    }
}

/// Answers to what somebody may do, by what the authorizer decides: the three that are about access.
#[derive(Clone)]
pub struct AccessReviews(pub Arc<dyn Authorizer>);

// === impl AccessReviews ===

impl AccessReviews {
    /// The answerers, each with its resource and subresource (empty for none).
    #[must_use]
    pub fn creaters(&self) -> Vec<(GroupVersionResource, &'static str, Arc<dyn Creater>)> {
        let access = |of| Arc::new(access::Access { authorizer: self.0.clone(), of });
        vec![
            (scheme::SUBJECTACCESSREVIEWS, "", access(access::Of::Anyone)),
            (scheme::LOCALSUBJECTACCESSREVIEWS, "", access(access::Of::AnyoneHere)),
            (scheme::SELFSUBJECTACCESSREVIEWS, "", access(access::Of::Oneself)),
        ]
    }
}
