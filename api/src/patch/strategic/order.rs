//! The order of merged lists: that of the patch, with what only the server has kept where it was.

use serde_json::Value;

/// Puts `items` in order: those that `order` names as it says, the others where they stood in `before`.
pub(super) fn arrange(
    items: Vec<Value>,
    order: &[Value],
    before: &[Value],
    key: Option<&str>,
) -> Vec<Value> {
    let place = |list: &[Value], item: &Value| {
        list.iter().position(|other| identity(other, key) == identity(item, key))
    };
    let (mut named, mut others): (Vec<_>, Vec<_>) =
        items.into_iter().map(|item| (place(order, &item), item)).partition(|(at, _)| at.is_some());
    named.sort_by_key(|(at, _)| *at);
    others.sort_by_key(|(_, item)| place(before, item));
    let (mut named, mut others) =
        (named.into_iter().map(|n| n.1).peekable(), others.into_iter().map(|o| o.1).peekable());
    let mut arranged = Vec::new();
    while let (Some(next), Some(other)) = (named.peek(), others.peek()) {
        let other_first = match (place(before, other), place(before, next)) {
            (Some(other), Some(next)) => other < next,
            _ => false,
        };
        arranged.extend(if other_first { others.next() } else { named.next() });
    }
    arranged.extend(named);
    arranged.extend(others);
    arranged
}

/// All elements of the patch must stand in the order it sets.
pub(super) fn check(
    items: &[Value],
    order: &[Value],
    key: Option<&str>,
    name: &str,
) -> Result<(), String> {
    let deletes = |item: &Value| item.get(super::PATCH).is_some();
    let stands = |item: &Value| order.iter().any(|o| identity(o, key) == identity(item, key));
    match items.iter().find(|item| !deletes(item) && !stands(item)) {
        None => Ok(()),
        Some(_) => Err(format!(
            "The order in patch list:\n{}\n doesn't match $setElementOrder/{name} list:\n{}",
            Value::from(items),
            Value::from(order)
        )),
    }
}

fn identity<'a>(item: &'a Value, key: Option<&str>) -> Option<&'a Value> {
    match key {
        Some(key) => item.get(key),
        None => Some(item),
    }
}
