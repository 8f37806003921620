//! The fields of an object that its schema does not know.

use crate::schema::decode::MOST_STRICT;
use std::fmt::Display;

/// Their paths. Of many only the first, as of a strict decoder: whoever sends an object chooses how many there are.
#[derive(Debug, Default)]
pub(super) struct Unknown(Vec<String>);

// === impl Unknown ===

impl Unknown {
    /// Notes one. The path is not even written when there are many already.
    pub(super) fn add(&mut self, path: impl Display) {
        if self.0.len() < MOST_STRICT {
            self.0.push(path.to_string());
        }
    }

    /// In the words of a strict decoder, sorted.
    pub(super) fn into_errors(mut self) -> Vec<String> {
        self.0.sort_unstable();
        self.0.into_iter().map(|path| format!("unknown field {path:?}")).collect()
    }
}
