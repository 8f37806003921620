//! Answers in short.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use std::io;

pub(super) type Body = BoxBody<Bytes, io::Error>;

/// Why a request is not answered as it wants. The text is shown to the user.
#[derive(Debug)]
pub(super) struct Refusal {
    code: StatusCode,
    text: String,
}

impl Refusal {
    pub(super) fn not_found(text: impl Into<String>) -> Self {
        Self { code: StatusCode::NOT_FOUND, text: text.into() }
    }

    pub(super) fn bad_request(text: impl Into<String>) -> Self {
        Self { code: StatusCode::BAD_REQUEST, text: text.into() }
    }

    pub(super) fn forbidden(text: impl Into<String>) -> Self {
        Self { code: StatusCode::FORBIDDEN, text: text.into() }
    }

    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        Self { code: StatusCode::INTERNAL_SERVER_ERROR, text: error.to_string() }
    }

    pub(super) fn response(self) -> Response<Body> {
        let mut response = text(self.text);
        *response.status_mut() = self.code;
        response
    }
}

pub(super) fn body(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).map_err(|never| match never {}).boxed()
}

pub(super) fn text(content: impl Into<Bytes>) -> Response<Body> {
    typed("text/plain; charset=utf-8", content)
}

pub(super) fn json(value: &serde_json::Value) -> Response<Body> {
    typed("application/json", value.to_string())
}

fn typed(kind: &'static str, content: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(body(content));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
