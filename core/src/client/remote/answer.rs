//! Answers: an object, or the Status that says why not.

use crate::error::{Error, Result};
use crate::meta::{Reason, Status};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;

/// A refusal longer than this is not read.
const MAX_REFUSAL: usize = 1 << 20;

/// A successful answer whose body is still to be read.
pub(super) struct Answer(pub(super) Body);

impl Answer {
    pub(super) async fn check(response: Response<Body>) -> Result<Self> {
        let (parts, body) = response.into_parts();
        if parts.status.is_success() {
            return Ok(Self(body));
        }
        let text = Limited::new(body, MAX_REFUSAL).collect().await;
        let text = text.map_err(|error| Error::Transport(error.to_string()))?.to_bytes();
        Err(refusal(parts.status, &text).into())
    }

    pub(super) async fn bytes(self) -> Result<Bytes> {
        let body = self.0.collect().await.map_err(|error| transport(&error))?;
        Ok(body.to_bytes())
    }
}

pub(super) fn transport(error: &dyn std::error::Error) -> Error {
    Error::Transport(with_causes(error))
}

/// What went wrong below, with all its causes: "error trying to connect" alone helps nobody.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// A Status as the server wrote it, or one made of whatever a proxy before it said.
fn refusal(code: StatusCode, text: &[u8]) -> Status {
    let status: Option<Status> = serde_json::from_slice(text).ok();
    let status = status.filter(|status| status.kind == "Status" && status.status == "Failure");
    status.unwrap_or_else(|| {
        let reason = match code {
            StatusCode::UNAUTHORIZED => Reason::Unauthorized,
            StatusCode::FORBIDDEN => Reason::Forbidden,
            StatusCode::NOT_FOUND => Reason::NotFound,
            StatusCode::CONFLICT => Reason::Conflict,
            StatusCode::GONE => Reason::Gone,
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

#[cfg(test)]
mod tests;
