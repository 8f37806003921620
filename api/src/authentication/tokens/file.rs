//! Tokens that are written in a file (`--token-auth-file` of kube-apiserver).

use super::{Recognized, TokenAuthenticator};
use crate::authentication::User;
use async_trait::async_trait;
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use std::collections::hash_map::Entry;
use windlass_core::meta::Status;

/// Recognizes users by the lines of a file, which is read once: `TOKEN,USER,UID[,"GROUP,GROUP…"]`. Keeps no token, only
/// its digest: how long a look-up takes says nothing of the tokens there are.
pub struct TokenFile {
    users: FxHashMap<[u8; 32], User>,
}

/// What is wrong with such a file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenFileError {
    /// A line with too few fields.
    #[error("line {0}: it must have at least three fields: token, user name, user uid")]
    Fields(usize),
    /// A field without content, or a quote that does not end.
    #[error("line {0}: an empty field, or a quote that does not end")]
    Field(usize),
    /// A token that stands in the file already.
    #[error("line {0}: its token stands in another line too")]
    Twice(usize),
}

// === impl TokenFile ===

impl TokenFile {
    /// From the content of a file. Empty lines and those that begin with `#` do not count.
    ///
    /// # Errors
    /// What is wrong in which line; no token is shown.
    pub fn parse(text: &str) -> Result<Self, TokenFileError> {
        let mut users = FxHashMap::default();
        for (at, line) in text.lines().enumerate() {
            let (at, line) = (at + 1, line.trim());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fields = fields(line).ok_or(TokenFileError::Field(at))?;
            let [token, name, uid, rest @ ..] = fields.as_slice() else {
                return Err(TokenFileError::Fields(at));
            };
            if token.is_empty() || name.is_empty() {
                return Err(TokenFileError::Field(at));
            }
            let groups = rest.first().map(String::as_str).unwrap_or_default();
            let groups = groups.split(',').map(str::trim).filter(|group| !group.is_empty());
            let user = User { uid: uid.clone(), ..User::new(name.as_str(), groups) };
            match users.entry(digest(token)) {
                Entry::Occupied(_) => return Err(TokenFileError::Twice(at)),
                Entry::Vacant(free) => _ = free.insert(user),
            }
        }
        Ok(Self { users })
    }
}

#[async_trait]
impl TokenAuthenticator for TokenFile {
    async fn authenticate(&self, token: &str, _: &[&str]) -> Result<Option<Recognized>, Status> {
        let found = self.users.get(&digest(token)).cloned();
        Ok(found.map(|user| Recognized { user, audiences: Vec::new() }))
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The fields of a line of CSV (RFC 4180).
fn fields(line: &str) -> Option<Vec<String>> {
    let (mut all, mut rest) = (Vec::new(), line);
    loop {
        rest = rest.trim_start();
        let Some(quoted) = rest.strip_prefix('"') else {
            match rest.split_once(',') {
                Some((field, after)) => {
                    all.push(field.trim().to_owned());
                    rest = after;
                    continue;
                }
                None => {
                    all.push(rest.trim().to_owned());
                    return Some(all);
                }
            }
        };
        let (field, after) = quoted.split_once('"')?;
        all.push(field.to_owned());
        match after.trim_start().strip_prefix(',') {
            Some(after) => rest = after,
            None => return after.trim().is_empty().then_some(all),
        }
    }
}
