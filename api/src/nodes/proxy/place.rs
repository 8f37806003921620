//! The two halves of a proxied path.

/// What of a path is the server's, and what the backend's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::nodes) struct Place<'a> {
    /// `/api/v1/namespaces/a/pods/b/proxy`
    pub(in crate::nodes) prefix: &'a str,
    /// Empty, or with a slash at the front. Not decoded.
    pub(in crate::nodes) path: String,
}

// === impl Place ===

impl<'a> Place<'a> {
    /// `rest` is what stands behind `proxy/`.
    pub(in crate::nodes) fn of(path: &'a str, rest: &str) -> Self {
        let (whole, rest) = (path.trim_end_matches('/'), rest.trim_end_matches('/'));
        let prefix = whole.strip_suffix(rest).unwrap_or(whole);
        // An empty rest leaves the prefix as it is.
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        Self { prefix, path: path[prefix.len()..].to_owned() }
    }
}
