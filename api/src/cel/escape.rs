//! Names of fields as expressions write them: what is no identifier is escaped.

use std::borrow::Cow;

/// Words that are no identifiers.
pub(crate) const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];
const SIGNS: [(&str, &str); 4] =
    [("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")];

/// The name in expressions; `None` when there is none.
#[must_use]
pub fn escape(name: &str) -> Option<Cow<'_, str>> {
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if RESERVED.contains(&name) {
        return Some(Cow::Owned(format!("__{name}__")));
    }
    let mut out = String::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let sign = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign));
        match sign {
            Some((sign, escaped)) => {
                out.push_str(escaped);
                rest = &rest[sign.len()..];
            }
            None if first.is_ascii_alphanumeric() || first == '_' => {
                out.push(first);
                rest = &rest[1..];
            }
            None => return None,
        }
    }
    Some(if out == name { Cow::Borrowed(name) } else { Cow::Owned(out) })
}

/// The name of the field that an escaped one stands for; `None` when it is escaped wrongly.
#[must_use]
pub fn unescape(name: &str) -> Option<Cow<'_, str>> {
    if !name.contains("__") {
        return Some(Cow::Borrowed(name));
    }
    let mut out = String::new();
    let mut rest = name;
    while let Some(start) = rest.find("__") {
        out.push_str(&rest[..start]);
        let body = &rest[start + 2..];
        let end = body.find("__")?;
        let inner = &body[..end];
        match SIGNS.iter().find(|(_, escaped)| escaped[2..escaped.len() - 2] == *inner) {
            Some((sign, _)) => out.push_str(sign),
            None if RESERVED.contains(&inner) && name.len() == inner.len() + 4 => {
                out.push_str(inner);
            }
            None => return None,
        }
        rest = &body[end + 2..];
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}
