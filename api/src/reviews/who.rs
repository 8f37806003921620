//! Who one is: `SelfSubjectReview`, `TokenReview`.

use crate::authentication::{AUTHENTICATED, BearerTokens, User, unauthorized};
use crate::registry::{Call, Created, Creater};
use crate::strategy::Map;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::meta::Status;

pub(super) struct Oneself;

pub(super) struct TokenReview(pub(super) Arc<BearerTokens>);

#[async_trait]
impl Creater for Oneself {
    async fn create(&self, call: Call<'_>, mut review: Map) -> Result<Created, Status> {
        review.insert("status".into(), json!({"userInfo": info(call.user())}));
        Ok(Created::Object(review))
    }
}

#[async_trait]
impl Creater for TokenReview {
    async fn create(&self, _: Call<'_>, mut review: Map) -> Result<Created, Status> {
        let spec = review.get("spec").unwrap_or(&Value::Null);
        let listed = spec["audiences"].as_array().into_iter().flatten();
        let audiences: Vec<&str> = listed.filter_map(Value::as_str).collect();
        let token = spec["token"].as_str().unwrap_or_default();
        if token.is_empty() {
            let text = "token is required for TokenReview in authentication";
            return Err(Status::bad_request(text));
        }
        let status = match self.0.recognize(token, &audiences).await {
            Ok(Some(known)) => {
                let user = info(&completed(known.user));
                json!({"authenticated": true, "user": user, "audiences": known.audiences})
            }
            Ok(None) => json!({"authenticated": false, "error": unauthorized().message}),
            Err(refusal) => json!({"authenticated": false, "error": told(&refusal)}),
        };
        // The token is not shown again.
        review.insert("spec".into(), json!({}));
        review.insert("status".into(), status);
        Ok(Created::Object(review))
    }
}

/// What is said of a refusal: what went wrong within is the log's.
fn told(refusal: &Status) -> &str {
    if refusal.code == unauthorized().code {
        return &refusal.message;
    }
    tracing::warn!(reason = %refusal.message, "a token could not be checked");
    "the token could not be checked"
}

fn info(user: &User) -> Value {
    let mut info = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = user.uid.clone().into();
    }
    if !user.extra.is_empty() {
        info["extra"] = json!(user.extra);
    }
    info
}

/// With the group of all who were recognized.
fn completed(mut user: User) -> User {
    if !user.is_in(AUTHENTICATED) {
        user.groups.push(AUTHENTICATED.into());
    }
    user
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_wrong_within_is_not_told() {
        assert_eq!(told(&unauthorized()), unauthorized().message);
        let internal = Status::internal("connection to 10.0.0.7 refused");
        assert_eq!(told(&internal), "the token could not be checked");
    }
}
