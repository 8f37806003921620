//! Parsed expressions. Macros stay what they are: they are checked, reckoned and evaluated as such.

use super::value::Literal;

/// One expression.
#[derive(Debug)]
pub(super) struct Expr {
    pub(super) kind: Kind,
    /// Where it stands in the source, in characters.
    pub(super) at: u32,
    /// How deep it is nested below.
    pub(super) height: u16,
}

#[derive(Debug)]
pub(super) enum Kind {
    Literal(Literal),
    Ident(Box<str>),
    /// `a.b`, `a.?b`
    Select {
        operand: Box<Expr>,
        field: Box<str>,
        optional: bool,
    },
    /// `has(a.b)`
    Has {
        operand: Box<Expr>,
        field: Box<str>,
    },
    /// `a[b]`, `a[?b]`
    Index {
        operands: Box<[Expr; 2]>,
        optional: bool,
    },
    Call {
        function: Box<str>,
        target: Option<Box<Expr>>,
        args: Box<[Expr]>,
    },
    Not(Box<Expr>),
    Negate(Box<Expr>),
    And(Box<[Expr]>),
    Or(Box<[Expr]>),
    Binary(Operator, Box<[Expr; 2]>),
    Conditional(Box<[Expr; 3]>),
    List(Box<[Element]>),
    Map(Box<[Entry]>),
    /// `Object.spec{a: 1}`
    Message {
        name: Box<str>,
        fields: Box<[Field]>,
    },
    Macro(Box<Macro>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equals,
    NotEquals,
    Less,
    LessEquals,
    Greater,
    GreaterEquals,
    In,
}

/// An element of a list; an optional one is left out when it has no value.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) value: Expr,
    pub(super) optional: bool,
}

/// An entry of a map.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Expr,
    pub(super) value: Expr,
    pub(super) optional: bool,
}

/// A field of a message, by the name it has in JSON.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: Box<str>,
    pub(super) value: Expr,
    pub(super) optional: bool,
}

/// A macro: over each element of a range, or over the value of an optional.
#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: MacroName,
    pub(super) range: Expr,
    pub(super) variable: Box<str>,
    pub(super) second: Option<Box<str>>,
    pub(super) filter: Option<Expr>,
    pub(super) body: Expr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MacroName {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
    TransformMap,
    TransformMapEntry,
    OptMap,
    OptFlatMap,
    SortBy,
}

// === impl Expr ===

impl Expr {
    pub(super) fn new(kind: Kind, at: u32) -> Self {
        let height = 1 + kind.parts().map(|part| part.height).max().unwrap_or(0);
        Self { kind, at, height }
    }

    /// Whether its value stands in the source.
    pub(super) fn is_literal(&self) -> bool {
        matches!(self.kind, Kind::Literal(_))
    }

    /// How many expressions it is made of.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        1 + self.kind.parts().map(Self::count).sum::<usize>()
    }

    /// Whether a variable is read anywhere in it.
    pub(super) fn uses(&self, name: &str) -> bool {
        let here = matches!(&self.kind, Kind::Ident(ident) if **ident == *name);
        here || self.kind.parts().any(|part| part.uses(name))
    }
}

// === impl Kind ===

impl Kind {
    fn parts(&self) -> Box<dyn Iterator<Item = &Expr> + '_> {
        match self {
            Self::Literal(_) | Self::Ident(_) => Box::new(std::iter::empty()),
            Self::Select { operand, .. } | Self::Has { operand, .. } => {
                Box::new(std::iter::once(&**operand))
            }
            Self::Not(one) | Self::Negate(one) => Box::new(std::iter::once(&**one)),
            Self::Index { operands: two, .. } | Self::Binary(_, two) => Box::new(two.iter()),
            Self::Conditional(three) => Box::new(three.iter()),
            Self::And(all) | Self::Or(all) => Box::new(all.iter()),
            Self::Call { target, args, .. } => {
                Box::new(target.as_deref().into_iter().chain(args.iter()))
            }
            Self::List(items) => Box::new(items.iter().map(|item| &item.value)),
            Self::Map(entries) => Box::new(entries.iter().flat_map(|e| [&e.key, &e.value])),
            Self::Message { fields, .. } => Box::new(fields.iter().map(|field| &field.value)),
            Self::Macro(one) => {
                let parts = [Some(&one.range), one.filter.as_ref(), Some(&one.body)];
                Box::new(parts.into_iter().flatten())
            }
        }
    }
}

// === impl Operator ===

impl Operator {
    /// As the specification names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Add => "_+_",
            Self::Subtract => "_-_",
            Self::Multiply => "_*_",
            Self::Divide => "_/_",
            Self::Modulo => "_%_",
            Self::Equals => "_==_",
            Self::NotEquals => "_!=_",
            Self::Less => "_<_",
            Self::LessEquals => "_<=_",
            Self::Greater => "_>_",
            Self::GreaterEquals => "_>=_",
            Self::In => "@in",
        }
    }
}
