//! The token in an `Authorization: Bearer` header.

use http::header::AUTHORIZATION;

/// The token, if the request has one.
pub(super) fn token(request: &http::request::Parts) -> Option<&str> {
    let value = request.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}
