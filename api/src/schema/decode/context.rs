//! Where the decoder is, and what it found on the way.

use std::fmt::Write as _;

use super::{DecodeError, Mode};

/// The most strict errors that are kept, as in Kubernetes.
pub(crate) const LIMIT: usize = 100;

/// The state of one decoding.
pub(super) struct Context {
    pub(super) mode: Mode,
    pub(super) strict: Vec<String>,
    pub(super) error: Option<DecodeError>,
    path: Vec<Segment>,
}

/// One step from the object down to a value.
pub(super) enum Segment {
    /// A field of a message, and the name of that message.
    Field(&'static str, &'static str),
    /// A key of a map.
    Key(String),
    /// A place in a list.
    Index(usize),
}

impl Context {
    pub(super) fn new(mode: Mode) -> Self {
        Self { mode, strict: Vec::new(), error: None, path: Vec::new() }
    }

    pub(super) fn push(&mut self, segment: Segment) {
        self.path.push(segment);
    }

    pub(super) fn pop(&mut self) {
        self.path.pop();
    }

    pub(super) fn unknown(&mut self, field: &str) {
        self.report("unknown field", field);
    }

    pub(super) fn duplicate(&mut self, field: &str) {
        self.report("duplicate field", field);
    }

    /// Keeps the reason why decoding stops here; the error it gives only unwinds the parser.
    pub(super) fn fail<E: serde::de::Error>(&mut self, error: DecodeError) -> E {
        let unwinding = E::custom(&error);
        self.error.get_or_insert(error);
        unwinding
    }

    /// A value of the wrong type.
    pub(super) fn mismatch<E: serde::de::Error>(
        &mut self,
        found: impl Into<String>,
        expected: String,
    ) -> E {
        let structure = self.path.iter().rev().find_map(|segment| match segment {
            Segment::Field(message, _) => Some(*message),
            _ => None,
        });
        let fields: Vec<_> = self.path.iter().filter_map(Segment::field).collect();
        self.fail(DecodeError::Type {
            found: found.into(),
            structure: structure.unwrap_or_default(),
            field: fields.join("."),
            expected,
        })
    }

    fn report(&mut self, what: &str, field: &str) {
        if self.strict.len() >= LIMIT {
            return;
        }
        let error = format!("{what} {:?}", self.path_to(field));
        if !self.strict.contains(&error) {
            self.strict.push(error);
        }
    }

    fn path_to(&self, field: &str) -> String {
        let mut path = String::new();
        for segment in &self.path {
            match segment {
                Segment::Index(index) => {
                    path.write_fmt(format_args!("[{index}]")).expect("a string takes all writes")
                }
                Segment::Field(_, name) => join(&mut path, name),
                Segment::Key(key) => join(&mut path, key),
            }
        }
        join(&mut path, field);
        path
    }
}

impl Segment {
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Field(_, name) => Some(name),
            _ => None,
        }
    }
}

fn join(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}
