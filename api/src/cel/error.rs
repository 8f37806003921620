//! What is wrong with an expression.

use std::fmt;

/// A mistake at a place of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// In characters from the start.
    pub(crate) at: u32,
    pub(crate) text: String,
}

/// Why an expression does not compile. Displays as Kubernetes shows it: each mistake with its line and a mark
/// below its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CompileError {
    source_text: Box<str>,
    mistakes: Vec<Mistake>,
}

/// Why an evaluation ended without a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// It would cost more than was allowed. Again with the same values it will again.
    #[error("operation cancelled: actual cost limit exceeded")]
    Budget,
    /// The expression failed: a key that is not there, an overflow, a division by zero, values that don't
    /// go with an operator.
    #[error("{0}")]
    Failed(String),
}

// === impl CompileError ===

impl CompileError {
    pub(crate) fn new(source: &str, mistakes: Vec<Mistake>) -> Self {
        Self { source_text: source.into(), mistakes }
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.mistakes.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            let mut left = usize::try_from(mistake.at).unwrap_or(usize::MAX);
            let mut found = (1, "");
            for (number, line) in self.source_text.split('\n').enumerate() {
                found = (number + 1, line);
                let length = line.chars().count();
                if left <= length {
                    break;
                }
                left -= length + 1;
            }
            let (line, text) = found;
            let dots = ".".repeat(left.min(text.chars().count()));
            write!(
                f,
                "ERROR: <input>:{line}:{}: {}\n | {text}\n | {dots}^",
                left + 1,
                mistake.text
            )?;
        }
        Ok(())
    }
}

// === impl EvalError ===

impl EvalError {
    pub(super) fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }

    pub(super) fn no_overload() -> Self {
        Self::failed("no such overload")
    }

    pub(super) fn no_key(key: impl fmt::Display) -> Self {
        Self::failed(format!("no such key: {key}"))
    }
}
