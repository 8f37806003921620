//! What a client asks for when it connects to a subresource, as the object that admission sees.

use crate::authentication::User;
use crate::registry::Write;
use crate::schema::{Cardinality, Schema, Type};
use crate::server::ApiServer;
use crate::strategy::Map;
use serde_json::Value;
use windlass_core::client::WriteOptions;
use windlass_core::meta::Status;
use windlass_core::request::{RequestInfo, ResourceTarget};
use windlass_core::scheme::GroupVersionKind;

/// The kinds of options, by resource and subresource. Logs are read, not connected to.
const OPTIONS: [(&str, &str, &str); 6] = [
    ("pods", "exec", "PodExecOptions"),
    ("pods", "attach", "PodAttachOptions"),
    ("pods", "portforward", "PodPortForwardOptions"),
    ("pods", "proxy", "PodProxyOptions"),
    ("services", "proxy", "ServiceProxyOptions"),
    ("nodes", "proxy", "NodeProxyOptions"),
];

/// Asks admission. What the user is to be told although he may connect.
pub(super) async fn admit(
    server: &ApiServer,
    info: &RequestInfo,
    target: &ResourceTarget,
    user: &User,
) -> Result<Vec<String>, Status> {
    let subresource = target.subresource.as_deref().unwrap_or_default();
    let known = OPTIONS.iter().find(|(resource, part, _)| {
        target.resource.group.is_empty()
            && *target.resource.resource == **resource
            && subresource == *part
    });
    let Some((_, _, kind)) = known else { return Ok(Vec::new()) };
    let entry = server.handler.find(target)?;
    let mut write = Write {
        entry: &entry,
        user,
        namespace: target.namespace.as_deref(),
        name: target.name.as_deref().unwrap_or_default(),
        subresource,
        options: &WriteOptions::default(),
        warnings: Vec::new(),
    };
    let kind = GroupVersionKind::new("", "v1", kind);
    let asked = || options(&kind, target, &info.query);
    server.handler.registry.admit_connect(&mut write, &kind, asked).await?;
    Ok(write.warnings)
}

/// The query as an object: what may stand there several times is a list.
fn options(kind: &GroupVersionKind, target: &ResourceTarget, query: &[(String, String)]) -> Map {
    let mut object = Map::new();
    object.insert("kind".into(), kind.kind.as_ref().into());
    object.insert("apiVersion".into(), kind.api_version().into());
    if let (Some("proxy"), false) = (target.subresource.as_deref(), target.rest.is_empty()) {
        object.insert("path".into(), target.rest.as_str().into());
    }
    let message = Schema::builtin().kind(kind);
    for (name, text) in query {
        let Some(field) = message.and_then(|message| message.field(name)) else { continue };
        let value = match field.ty {
            Type::Bool => Value::from(!matches!(text.as_str(), "" | "0" | "false")),
            Type::Int32 | Type::Int64 => text.parse::<i64>().map_or(Value::Null, Value::from),
            _ => Value::from(text.as_str()),
        };
        match (field.cardinality, object.get_mut(name)) {
            (Cardinality::List, Some(Value::Array(list))) => list.push(value),
            (Cardinality::List, _) => _ = object.insert(name.clone(), vec![value].into()),
            _ => _ = object.insert(name.clone(), value),
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use windlass_core::scheme::PODS;

    #[test]
    fn queries_are_objects() {
        let target = ResourceTarget {
            resource: PODS,
            namespace: Some("a".into()),
            name: Some("p".into()),
            subresource: Some("exec".into()),
            rest: String::new(),
        };
        let query =
            [("command", "ls"), ("command", "-l"), ("stdin", "true"), ("tty", "0"), ("x", "y")];
        let query = query.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let kind = GroupVersionKind::new("", "v1", "PodExecOptions");
        let expected = json!({"kind": "PodExecOptions", "apiVersion": "v1", "command": ["ls", "-l"],
            "stdin": true, "tty": false});
        assert_eq!(Value::Object(options(&kind, &target, &query)), expected);
    }
}
