//! Several authorizers as one.

use super::{Attributes, Authorizer, Decision};
use crate::authentication::{MASTERS, User};
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

    fn unlisted(&self, user: &User) -> Option<String> {
        let all: Vec<_> = self.0.iter().filter_map(|one| one.unlisted(user)).collect();
        Some(all.join(", ")).filter(|all| !all.is_empty())
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

    /// They have the role `cluster-admin` too.
    fn unlisted(&self, _: &User) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorization::{AlwaysAllow, NodeAuthorizer, Rbac};

    #[test]
    fn rules_are_all_there_is_if_nobody_else_decides() {
        let one: Vec<Arc<dyn Authorizer>> =
            vec![Arc::new(Masters), Arc::<NodeAuthorizer>::default(), Arc::<Rbac>::default()];
        let more = one.iter().cloned().chain([Arc::new(AlwaysAllow) as _]).collect();
        let (usual, more) = (Union(one), Union(more));
        let (ann, node) = (User::new("ann", []), User::new("system:node:n", ["system:nodes"]));
        assert_eq!(usual.unlisted(&ann), None);
        assert!(usual.unlisted(&node).is_some_and(|why| why.starts_with("node authorizer")));
        assert!(more.unlisted(&ann).is_some());
    }
}
