//! From the JSON of a schema to its compiled form.

use super::format::Format;
use super::node::{Check, Flags, ListType, More, Name, Node, Rest, Type};
use super::props::Props;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;
use std::sync::Arc;

/// Compiles a schema that was checked.
pub(super) fn node(props: Props<'_>) -> Node {
    Builder::default().node(props)
}

#[derive(Default)]
struct Builder {
    names: FxHashSet<Name>,
    /// Properties that were built, by their JSON.
    properties: FxHashMap<String, Arc<[(Name, Node)]>>,
}

// === impl Builder ===

impl Builder {
    fn node(&mut self, props: Props<'_>) -> Node {
        let int_or_string = props.is("x-kubernetes-int-or-string");
        let mut flags = Flags::default();
        flags.set(Flags::NULLABLE, props.is("nullable"));
        flags.set(Flags::PRESERVE, props.is("x-kubernetes-preserve-unknown-fields"));
        flags.set(Flags::EMBEDDED, props.is("x-kubernetes-embedded-resource"));
        flags.set(Flags::INT_OR_STRING, int_or_string);
        flags.set(Flags::ATOMIC_MAP, props.str("x-kubernetes-map-type") == "atomic");
        Node {
            properties: self.properties(props),
            items: props.schema("items").map(|items| Box::new(self.node(items))),
            rest: self.rest(props).map(Box::new),
            checks: self.checks(props).into(),
            more: self.more(props),
            ty: Type::parse(props.ty()),
            list: match props.str("x-kubernetes-list-type") {
                "map" => ListType::Map,
                "set" => ListType::Set,
                _ => ListType::Atomic,
            },
            flags,
        }
    }

    fn properties(&mut self, props: Props<'_>) -> Arc<[(Name, Node)]> {
        let Some(json) = props.get("properties").map(Value::to_string) else {
            return Arc::default();
        };
        if let Some(known) = self.properties.get(&json) {
            return Arc::clone(known);
        }
        let mut found: Vec<_> =
            props.properties().map(|(name, props)| (self.name(name), self.node(props))).collect();
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let found: Arc<[_]> = found.into();
        // Rules are compiled for their place, and written into it.
        if !json.contains("x-kubernetes-validations") {
            self.properties.insert(json, Arc::clone(&found));
        }
        found
    }

    fn name(&mut self, text: &str) -> Name {
        if let Some(name) = self.names.get(text) {
            return Arc::clone(name);
        }
        let name = Name::from(text);
        self.names.insert(Arc::clone(&name));
        name
    }

    fn rest(&mut self, props: Props<'_>) -> Option<Rest> {
        match props.schema("additionalProperties") {
            Some(schema) => Some(Rest::Schema(self.node(schema))),
            None => props.get("additionalProperties")?.as_bool().map(Rest::Allowed),
        }
    }

    fn more(&mut self, props: Props<'_>) -> Option<Box<More>> {
        let more = More {
            default: props.get("default").cloned(),
            list_map_keys: self.names(props, "x-kubernetes-list-map-keys"),
            rules: Box::default(),
        };
        let any = more.default.is_some() || !more.list_map_keys.is_empty();
        any.then(|| Box::new(more))
    }

    fn names(&mut self, props: Props<'_>, key: &str) -> Box<[Name]> {
        props.strings(key).map(|name| self.name(name)).collect()
    }

    fn nodes(&mut self, props: Props<'_>, key: &str) -> Option<Box<[Node]>> {
        let nodes: Box<[Node]> = props.schemas(key).map(|props| self.node(props)).collect();
        (!nodes.is_empty()).then_some(nodes)
    }

    /// In the order of the variants, in which they are checked.
    fn checks(&mut self, props: Props<'_>) -> Vec<Check> {
        let mut checks = Vec::new();
        checks.extend(self.nodes(props, "anyOf").map(Check::AnyOf));
        checks.extend(self.nodes(props, "oneOf").map(Check::OneOf));
        checks.extend(self.nodes(props, "allOf").map(Check::AllOf));
        checks.extend(props.schema("not").map(|not| Check::Not(Box::new(self.node(not)))));
        checks.extend(props.int("maxLength").map(Check::MaxLength));
        checks.extend(props.int("minLength").map(Check::MinLength));
        let pattern = Some(props.str("pattern")).filter(|pattern| !pattern.is_empty());
        checks.extend(pattern.map(|pattern| Check::Pattern(self.name(pattern))));
        checks.extend(Format::of(props.ty(), props.str("format")).map(Check::Format));
        checks.extend(props.number("multipleOf").map(Check::MultipleOf));
        let exclusive = props.is("exclusiveMaximum");
        checks.extend(props.number("maximum").map(|limit| Check::Maximum { limit, exclusive }));
        let exclusive = props.is("exclusiveMinimum");
        checks.extend(props.number("minimum").map(|limit| Check::Minimum { limit, exclusive }));
        checks.extend(props.int("minItems").map(Check::MinItems));
        checks.extend(props.int("maxItems").map(Check::MaxItems));
        let values = props.list("enum");
        checks.extend((!values.is_empty()).then(|| Check::Enum(values.into())));
        checks.extend(props.int("minProperties").map(Check::MinProperties));
        checks.extend(props.int("maxProperties").map(Check::MaxProperties));
        let required = self.names(props, "required");
        checks.extend((!required.is_empty()).then_some(Check::Required(required)));
        checks
    }
}
