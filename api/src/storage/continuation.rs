//! The token that leads from one page of a list to the next.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use windlass_core::meta::Status;
use windlass_store::Revision;

/// Where a list goes on, and at which version it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Continuation {
    /// The version of the whole list.
    pub(crate) revision: Revision,
    /// The first key of the next page, without the resource's prefix.
    pub(crate) start: String,
}

#[derive(Serialize, Deserialize)]
struct Token {
    v: String,
    rv: Revision,
    start: String,
}

const VERSION: &str = "meta.k8s.io/v1";

// === impl Continuation ===

impl Continuation {
    pub(crate) fn encode(&self) -> String {
        let token = Token { v: VERSION.into(), rv: self.revision, start: self.start.clone() };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).expect("a struct of strings is JSON"))
    }

    pub(crate) fn decode(text: &str) -> Result<Self, Status> {
        let bad = |why: &dyn std::fmt::Display| {
            Status::bad_request(format!("continue key is not valid: {why}"))
        };
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|error| bad(&error))?;
        let token: Token = serde_json::from_slice(&json).map_err(|error| bad(&error))?;
        if token.v != VERSION || token.rv == 0 {
            return Err(bad(&"server does not recognize this encoded version"));
        }
        Ok(Self { revision: token.rv, start: token.start })
    }

    /// Makes the token for a page that ended before `next`.
    pub(crate) fn at(prefix: &Bytes, next: &Bytes, revision: Revision) -> Self {
        let start = String::from_utf8_lossy(&next[prefix.len()..]).into_owned();
        Self { revision, start }
    }

    /// The key it names.
    pub(crate) fn key(&self, prefix: &Bytes) -> Bytes {
        [prefix, self.start.as_bytes()].concat().into()
    }
}
