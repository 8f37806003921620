//! What an evaluation must know of the JSON it reads.

use std::fmt::Debug;

/// The shape of a value: what its texts stand for, and which names of it are escaped.
pub trait Shape: Debug + Sync {
    /// What a text or a number stands for.
    fn scalar(&self) -> Scalar;
    /// The shape of the elements of a list.
    fn item(&self) -> Option<&dyn Shape>;
    /// The shape of the value under a name.
    fn field(&self, name: &str) -> Option<&dyn Shape>;
    /// Whether names are those of declared fields, which expressions write escaped.
    fn is_struct(&self) -> bool;
    /// How the elements of a list are told apart.
    fn elements(&self) -> Elements<'_>;
}

/// What a text or a number stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scalar {
    /// For itself.
    #[default]
    Any,
    /// A whole number.
    Int,
    /// A floating-point number, also when it is written as a whole one.
    Double,
    /// A point in time.
    Timestamp,
    /// A day.
    Date,
    /// A length of time.
    Duration,
    /// Bytes in base64.
    Bytes,
}

/// How the elements of a list are told apart: of sets and maps the order does not count.
#[derive(Clone, Copy, Debug, Default)]
pub enum Elements<'a> {
    /// By their place.
    #[default]
    Atomic,
    /// By their value.
    Set,
    /// By these keys.
    Map(&'a [std::sync::Arc<str>]),
}
