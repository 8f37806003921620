//! The `fieldPath` of a rule: a JSON path of fields and entries, below the value the rule is about.

use super::props::Props;

/// The path as errors name it, if it leads to something the schema declares.
pub(super) fn resolve(path: &str, schema: Props<'_>) -> Option<String> {
    let (mut rest, mut schema, mut out) = (path, schema, String::new());
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (name, tail) = step(rest)?;
        rest = tail;
        if schema.properties().next().is_some() {
            schema = schema.property(&name)?;
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&name);
        } else {
            schema = schema.schema("additionalProperties")?;
            out.push_str(&format!("[{name}]"));
        }
    }
    Some(out)
}

/// One step, `.name` or `['name']`, and what follows.
fn step(path: &str) -> Option<(String, &str)> {
    if let Some(rest) = path.strip_prefix('.') {
        let end = rest.find(['.', '[', ']']).unwrap_or(rest.len());
        return (end > 0).then(|| (rest[..end].to_owned(), &rest[end..]));
    }
    let mut chars = path.strip_prefix("['")?.char_indices();
    let mut name = String::new();
    let body = &path[2..];
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Some((name, body[at + 1..].strip_prefix(']')?)),
            '\\' => name.push(match chars.next()?.1 {
                'a' => '\u{7}',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\u{b}',
                quote @ ('\'' | '\\') => quote,
                _ => return None,
            }),
            other => name.push(other),
        }
    }
    None
}
