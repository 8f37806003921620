//! What agents and dialing say when something goes wrong, as clients are told it.

use super::client::{DialError, Reply};
use http::StatusCode;
use windlass_core::meta::{Reason, Status};

/// The longest text of an agent that is passed on.
const LIMIT: usize = 64 << 10;

/// An agent could not be reached.
pub(super) fn unreachable(error: DialError) -> Status {
    match error {
        DialError::NotAllowed => Status::bad_request(error.to_string()),
        _ => Status::internal(format!("error dialing backend: {error}")),
    }
}

/// A pod, or whatever else is proxied, could not be reached.
pub(super) fn unavailable(error: DialError) -> Status {
    if let DialError::NotAllowed = error {
        return unreachable(error);
    }
    let text = format!("error trying to reach service: error dialing backend: {error}");
    Status::failure(Reason::ServiceUnavailable, text)
}

/// What an agent said instead of doing what it was asked.
pub(super) async fn refusal(reply: Reply) -> Status {
    let code = reply.response.status();
    match reply.read(LIMIT).await {
        Ok(body) => refusal_of(code, &body),
        Err(error) => {
            Status::internal(format!("the agent answered {code}; why can't be read: {error}"))
        }
    }
}

/// The same, of an answer that was read.
pub(super) fn refusal_of(code: StatusCode, body: &[u8]) -> Status {
    if let Ok(status) = serde_json::from_slice::<Status>(body)
        && status.status == "Failure"
        && status.code >= 400
    {
        return status;
    }
    let text = String::from_utf8_lossy(body);
    let text = match text.trim() {
        "" => code.canonical_reason().unwrap_or("unknown error"),
        text => text,
    };
    match code {
        StatusCode::INTERNAL_SERVER_ERROR => Status::internal(text),
        _ if code.is_client_error() || code.is_server_error() => {
            Status { code: code.as_u16(), ..Status::failure(reason(code), text) }
        }
        _ => Status::internal(format!("the agent answered {code}: {text}")),
    }
}

fn reason(code: StatusCode) -> Reason {
    match code.as_u16() {
        400 => Reason::BadRequest,
        401 => Reason::Unauthorized,
        403 => Reason::Forbidden,
        404 => Reason::NotFound,
        405 => Reason::MethodNotAllowed,
        406 => Reason::NotAcceptable,
        409 => Reason::Conflict,
        410 => Reason::Gone,
        413 => Reason::RequestEntityTooLarge,
        415 => Reason::UnsupportedMediaType,
        422 => Reason::Invalid,
        429 => Reason::TooManyRequests,
        503 => Reason::ServiceUnavailable,
        504 => Reason::Timeout,
        _ => Reason::Unknown,
    }
}
