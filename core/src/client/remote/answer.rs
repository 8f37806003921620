//! Answers: an object, or the Status that says why not.

use crate::error::{Error, Result};
use crate::meta::{Reason, Status};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;

/// A successful answer whose body is still to be read.
pub(super) struct Answer(pub(super) Body);

impl Answer {
    pub(super) async fn check(response: Response<Body>) -> Result<Self> {
        let (parts, body) = response.into_parts();
        if parts.status.is_success() {
            return Ok(Self(body));
        }
        let text = Self(body).bytes().await?;
        Err(refusal(parts.status, &text).into())
    }

    pub(super) async fn bytes(self) -> Result<Bytes> {
        let body = self.0.collect().await.map_err(|error| Error::Transport(error.to_string()))?;
        Ok(body.to_bytes())
    }
}

fn refusal(code: StatusCode, text: &[u8]) -> Status {
    serde_json::from_slice(text).unwrap_or_else(|_| {
        let reason = match code {
            StatusCode::UNAUTHORIZED => Reason::Unauthorized,
            StatusCode::FORBIDDEN => Reason::Forbidden,
            StatusCode::NOT_FOUND => Reason::NotFound,
            StatusCode::TOO_MANY_REQUESTS => Reason::TooManyRequests,
            StatusCode::SERVICE_UNAVAILABLE => Reason::ServiceUnavailable,
            _ => Reason::Unknown,
        };
        let text = String::from_utf8_lossy(text);
        Status {
            code: code.as_u16(),
            ..Status::failure(reason, format!("{code}: {}", text.trim()))
        }
    })
}
