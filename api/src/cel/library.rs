//! The functions that expressions may call: those of the language and Kubernetes' libraries.

use super::authz::{AUTHORIZER, RESOURCE_CHECK};
use super::types::Type;
use rustc_hash::FxHashMap;
use std::sync::{Arc, LazyLock};

/// A line for each overload: name, where the target's type stands before a dot, arguments, result.
const SIGNATURES: &str = include_str!("library.txt");

static LIBRARY: LazyLock<FxHashMap<&'static str, Vec<Overload>>> = LazyLock::new(read);

/// One way to call a function.
#[derive(Debug)]
pub(super) struct Overload {
    /// The target comes first, if it is called on one.
    pub(super) args: Vec<Type>,
    pub(super) is_member: bool,
    pub(super) result: Type,
}

/// All ways to call a function.
pub(super) fn overloads(function: &str) -> &'static [Overload] {
    LIBRARY.get(function).map_or(&[], Vec::as_slice)
}

fn read() -> FxHashMap<&'static str, Vec<Overload>> {
    let mut found: FxHashMap<_, Vec<_>> = FxHashMap::default();
    for line in SIGNATURES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, overload) = signature(line).expect("library.txt is well formed");
        found.entry(name).or_default().push(overload);
    }
    found
}

/// `startsWith string . string -> bool`: the target, if there is one, stands before the dot.
fn signature(line: &'static str) -> Option<(&'static str, Overload)> {
    let (left, result) = line.split_once(" -> ")?;
    let mut words = left.split(' ');
    let name = words.next()?;
    let (mut args, mut is_member) = (Vec::new(), false);
    for word in words {
        if word == "." {
            is_member = true;
        } else {
            args.push(parse(word)?);
        }
    }
    Some((name, Overload { args, is_member, result: parse(result)? }))
}

fn parse(text: &'static str) -> Option<Type> {
    if let Some(rest) = text.strip_suffix(')') {
        let (outer, inner) = rest.split_once('(')?;
        return Some(match outer {
            "list" => Type::list(parse(inner)?),
            "optional" => Type::Optional(Arc::new(parse(inner)?)),
            "map" => {
                let (key, value) = inner.split_once(',')?;
                Type::Map(Arc::new(parse(key)?), Arc::new(parse(value)?))
            }
            _ => return None,
        });
    }
    Some(match text {
        "dyn" => Type::Dyn,
        "bool" => Type::Bool,
        "int" => Type::Int,
        "uint" => Type::Uint,
        "double" => Type::Double,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "duration" => Type::Duration,
        "timestamp" => Type::Timestamp,
        "type" => Type::Type,
        "IP" => Type::Opaque("net.IP"),
        "CIDR" => Type::Opaque("net.CIDR"),
        "URL" => Type::Opaque("kubernetes.URL"),
        "Quantity" => Type::Opaque("kubernetes.Quantity"),
        "Format" => Type::Opaque("kubernetes.NamedFormat"),
        "Semver" => Type::Opaque("kubernetes.Semver"),
        "Authorizer" => Type::Opaque(AUTHORIZER),
        "PathCheck" => Type::Opaque("kubernetes.authorization.PathCheck"),
        "GroupCheck" => Type::Opaque("kubernetes.authorization.GroupCheck"),
        "ResourceCheck" => Type::Opaque(RESOURCE_CHECK),
        "Decision" => Type::Opaque("kubernetes.authorization.Decision"),
        letter => Type::Param(letter.chars().next().filter(|_| letter.len() == 1)?),
    })
}
