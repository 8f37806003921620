//! What expressions cost, in the units of the specification: about 50 ns each.

use super::check::Info;
use super::types::Type;

/// A size or a cost between two bounds. Nothing overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) min: u64,
    pub(super) max: u64,
}

/// Part of the cost of going once over a text, for each character.
pub(super) const TRAVERSAL: f64 = 0.1;
/// Part of the cost of a regular expression, for each of its characters.
pub(super) const REGEX: f64 = 0.25;
/// Compiling a regular expression that only an object says. Kubernetes has no such cost, and sets such expressions no
/// limit.
pub(super) const COMPILE: u64 = 2_000;
pub(super) const LIST_BASE: u64 = 10;
pub(super) const MAP_BASE: u64 = 30;
const FORMAT_REGEX: f64 = 128.0;
/// Addresses have 4 or 16 bytes.
const ADDRESS: Range = Range { min: 4, max: 16 };

// === impl Range ===

impl Range {
    pub(super) const ZERO: Self = Self::fixed(0);
    pub(super) const ONE: Self = Self::fixed(1);
    pub(super) const UNKNOWN: Self = Self { min: 0, max: u64::MAX };

    pub(super) const fn fixed(value: u64) -> Self {
        Self { min: value, max: value }
    }

    pub(super) fn up_to(max: u64) -> Self {
        Self { min: 0, max }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { min: self.min.saturating_add(other.min), max: self.max.saturating_add(other.max) }
    }

    pub(super) fn times(self, other: Self) -> Self {
        Self { min: self.min.saturating_mul(other.min), max: self.max.saturating_mul(other.max) }
    }

    /// Rounded up.
    pub(super) fn scaled(self, factor: f64) -> Self {
        Self { min: scaled(self.min, factor), max: scaled(self.max, factor) }
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}

/// A multiple, rounded up.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, which saturates"
)]
pub(super) fn scaled(value: u64, factor: f64) -> u64 {
    (value as f64 * factor).ceil() as u64
}

/// What a call costs beside its arguments, and how large its result is if that is known. The target is the
/// first argument.
pub(super) fn call(function: &str, member: bool, args: &[Info]) -> (Range, Option<Range>) {
    let size = |at: usize| args.get(at).map_or(Range::UNKNOWN, |arg| arg.size);
    let traverse = |at: usize, factor: f64| size(at).scaled(factor * TRAVERSAL);
    match function {
        "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" | "includes" if member => {
            (list_walk(&args[0]), None)
        }
        "url" | "jsonpatch.escapeKey" | "lowerAscii" | "upperAscii" | "substring" | "trim" => {
            (traverse(0, 1.0), Some(size(0)))
        }
        "replace" => (traverse(0, 2.0), Some(replaced(size(0), size(1), size(2)))),
        "split" => {
            let most = args.get(2).and_then(|arg| arg.literal_int).unwrap_or(size(0).max);
            (traverse(0, 2.0), Some(Range::up_to(most)))
        }
        "join" => {
            let size = joined(&args[0], args.get(1));
            (size.scaled(TRAVERSAL), Some(size))
        }
        "find" | "findAll" => (regex(size(0), size(1)), Some(Range::up_to(size(0).max))),
        "matches" => (regex(size(0), size(1)), None),
        "cidr" | "isIP" | "isCIDR" | "quantity" | "isQuantity" | "semver" | "isSemver" => {
            (traverse(0, 1.0), None)
        }
        "ip" if !member => (traverse(0, 1.0), None),
        "ip.isCanonical" => (traverse(0, 2.0), None),
        "containsIP" | "containsCIDR" => (contains(function, &args[1]), None),
        "validate" => (size(1).scaled(TRAVERSAL).scaled(FORMAT_REGEX * REGEX), None),
        "format" => (traverse(0, 1.0), None),
        "bytes" if args[0].ty == Type::String => {
            let size = size(0);
            let most = size.max.saturating_mul(4);
            (size.scaled(TRAVERSAL), Some(Range { min: size.min, max: most }))
        }
        "string" if args[0].ty == Type::Bytes => {
            let size = size(0);
            (size.scaled(TRAVERSAL), Some(Range { min: size.min / 4, max: size.max }))
        }
        // The longest there are: what is bound by its type need not be bound by a schema.
        "string" if args[0].ty.is_scalar() => (Range::ONE, Some(Range { min: 1, max: 35 })),
        "type" => (Range::ONE, Some(Range::ONE)),
        "strings.quote" => {
            let size = size(0).times(Range { min: 1, max: 2 }).plus(Range::fixed(2));
            (traverse(0, 1.0), Some(size))
        }
        "startsWith" | "endsWith" => (traverse(1, 1.0), None),
        "contains" => (traverse(0, 1.0).times(traverse(1, 1.0)), None),
        _ => (Range::ONE, None),
    }
}

fn regex(text: Range, pattern: Range) -> Range {
    text.plus(Range::ONE).scaled(TRAVERSAL).times(pattern.scaled(REGEX))
}

/// Each element is looked at; texts are gone through.
fn list_walk(list: &Info) -> Range {
    let Some(element) = list.element() else { return list.size.scaled(TRAVERSAL) };
    let text = matches!(element.ty, Type::String | Type::Bytes);
    let each = if text { Range::ONE.plus(element.size.scaled(TRAVERSAL)) } else { Range::ONE };
    list.size.times(each)
}

fn joined(list: &Info, separator: Option<&Info>) -> Range {
    let each = list.element().map_or(Range::UNKNOWN, |element| element.size);
    let text = list.size.times(each);
    let Some(separator) = separator else { return text };
    let gaps = Range { min: list.size.min.saturating_sub(1), max: list.size.max.saturating_sub(1) };
    text.plus(separator.size.times(gaps))
}

/// The longest and shortest text that replacing may lead to.
fn replaced(text: Range, from: Range, to: Range) -> Range {
    let most = if from.min == 0 {
        text.max.saturating_add(1).saturating_mul(to.max).saturating_add(text.max)
    } else if to.max <= from.min {
        text.max
    } else {
        text.max.div_ceil(from.min).saturating_mul(to.max)
    };
    let least = if from.max == 0 {
        text.min.saturating_add(1).saturating_mul(to.min).saturating_add(text.min)
    } else if from.max <= to.min {
        text.min
    } else {
        text.min.div_ceil(from.max).saturating_mul(to.min)
    };
    Range { min: least, max: most }
}

fn contains(function: &str, other: &Info) -> Range {
    let mut cost = ADDRESS.plus(ADDRESS).scaled(TRAVERSAL);
    if function == "containsCIDR" {
        cost = cost.plus(ADDRESS.scaled(TRAVERSAL)).plus(Range::ONE);
    }
    if other.ty == Type::String { cost.plus(other.size.scaled(TRAVERSAL)) } else { cost }
}
