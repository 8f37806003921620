//! Answers.

use super::Body;
use super::encode::encode_value;
use super::negotiate::{Accepted, Format};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use std::collections::HashSet;
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme::GroupVersionKind;

const WARNING: HeaderName = HeaderName::from_static("warning");
/// The warnings of an answer are together about so many characters long at most.
const WARNINGS: usize = 4096;
/// When they would be longer, each is cut to so many characters.
const CUT_WARNING: usize = 256;
const STATUS: GroupVersionKind = GroupVersionKind::new("", "v1", "Status");

/// An answer of a type that must not be kept.
pub(super) fn with_type(code: StatusCode, media_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

/// JSON.
pub(super) fn json(bytes: impl Into<Bytes>) -> Response<Body> {
    with_type(StatusCode::OK, Format::Json.media_type(), Body::whole(bytes))
}

/// Plain text.
pub(super) fn text(code: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    with_type(code, "text/plain; charset=utf-8", Body::whole(text))
}

/// There is nothing under this path.
pub(super) fn not_found() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// A Status, in the format that the client takes.
pub(super) fn status(accepted: &Accepted, status: &Status) -> Response<Body> {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let value = serde_json::to_value(status).unwrap_or_default();
    let (format, bytes) = match encode_value(accepted.format, &STATUS, &value) {
        Ok(bytes) => (accepted.format, bytes),
        Err(_) => (Format::Json, value.to_string().into()),
    };
    let mut response = with_type(code, format.media_type(), Body::whole(bytes));
    let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    if seconds > 0 {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What a client takes, if that can be made out.
pub(super) fn for_refusals(headers: &HeaderMap) -> Accepted {
    Accepted::of(headers).unwrap_or(Accepted::PLAIN)
}

/// A refusal, in a format that the client takes.
pub(super) fn refuse(accepted: &Accepted, refusal: &Status) -> Response<Body> {
    let mut response = status(accepted, refusal);
    if refusal.reason == Reason::Unauthorized {
        let challenge = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(http::header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Adds warnings (RFC 7234, section 5.5).
pub(super) fn warn(response: &mut Response<Body>, warnings: &[String]) {
    for warning in told(warnings) {
        let escaped = warning.replace('\\', "\\\\").replace('"', "\\\"");
        let clean: String = escaped.chars().filter(|c| !c.is_control()).collect();
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{clean}\"")) {
            response.headers_mut().append(WARNING, value);
        }
    }
}

/// What of the warnings is told, as Kubernetes does: each once; of too many only the first, and those cut short.
fn told(warnings: &[String]) -> Vec<&str> {
    let mut seen = HashSet::new();
    let once = warnings.iter().map(String::as_str).filter(|warning| seen.insert(*warning));
    let once: Vec<_> = once.collect();
    let length = |warning: &str| warning.chars().count();
    if once.iter().map(|warning| length(warning)).sum::<usize>() <= WARNINGS {
        return once;
    }
    let mut written = 0;
    let fits = |warning: &&str| {
        written += length(warning);
        written <= WARNINGS
    };
    once.into_iter().map(cut).take_while(fits).collect()
}

fn cut(warning: &str) -> &str {
    let end = warning.char_indices().nth(CUT_WARNING).map_or(warning.len(), |(at, _)| at);
    &warning[..end]
}

#[cfg(test)]
mod tests {
    use super::{CUT_WARNING, WARNINGS, told};

    #[test]
    fn warnings_are_told_once_and_cut_when_they_are_long_together() {
        let few = ["a".to_owned(), "b".repeat(CUT_WARNING + 1), "a".to_owned()];
        assert_eq!(told(&few), [&few[0], &few[1]]);
        let many: Vec<_> = (0..50_000).map(|n| format!("{n}{}", "ü".repeat(300))).collect();
        let told = told(&many);
        assert_eq!(told.len(), WARNINGS / CUT_WARNING);
        assert!(told.iter().all(|warning| warning.chars().count() == CUT_WARNING));
        assert!(told[3].starts_with('3'), "the first of them");
    }
}
