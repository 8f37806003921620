//! Several authorizers as one.

use super::{Attributes, Authorizer, Decision};
use crate::authentication::MASTERS;
use async_trait::async_trait;
use std::sync::Arc;

/// Asks one after the other until one says yes or no.
#[derive(Clone, Default)]
pub struct Union(pub Vec<Arc<dyn Authorizer>>);

/// Lets `system:masters` do everything: the way in when no role is there yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Masters;

#[async_trait]
impl Authorizer for Union {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let mut reasons = Vec::new();
        for authorizer in &self.0 {
            match authorizer.authorize(attributes).await {
                Decision::NoOpinion(reason) => reasons.push(reason),
                decided => return decided,
            }
        }
        reasons.retain(|reason| !reason.is_empty());
        Decision::NoOpinion(reasons.join(", "))
    }
}

#[async_trait]
impl Authorizer for Masters {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        match attributes.user.is_in(MASTERS) {
            true => Decision::allow(),
            false => Decision::NoOpinion(String::new()),
        }
    }
}
