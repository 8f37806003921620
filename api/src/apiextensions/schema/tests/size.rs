//! What a compiled schema takes in memory.

use super::super::StructuralSchema;
use super::super::node::{Check, More, Name, Node, Rest};
use crate::schema::{Cardinality, Field, MessageRef, Schema, Type};
use crate::validation::Path;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::mem::size_of;

/// What an allocator adds to each piece.
const ALLOCATION: usize = 16;

#[derive(Default)]
struct Weight {
    bytes: usize,
    nodes: usize,
    names: HashSet<Name>,
    seen: HashSet<usize>,
}

impl Weight {
    fn add(&mut self, bytes: usize) {
        self.bytes += if bytes == 0 { 0 } else { bytes + ALLOCATION };
    }

    fn name(&mut self, name: &Name) {
        if self.names.insert(Name::clone(name)) {
            self.add(name.len() + 16);
        }
    }

    fn json(&mut self, value: &Value) {
        self.add(value.to_string().len() * 4 + size_of::<Value>());
    }

    fn node(&mut self, node: &Node) {
        self.nodes += 1;
        if !node.properties.is_empty() && self.seen.insert(node.properties.as_ptr() as usize) {
            self.add(size_of::<(Name, Node)>() * node.properties.len() + 16);
            for (name, node) in &*node.properties {
                self.name(name);
                self.node(node);
            }
        }
        if let Some(items) = &node.items {
            self.add(size_of::<Node>());
            self.node(items);
        }
        if let Some(rest) = &node.rest {
            self.add(size_of::<Rest>());
            if let Rest::Schema(node) = &**rest {
                self.node(node);
            }
        }
        self.add(size_of::<Check>() * node.checks.len());
        node.checks.iter().for_each(|check| self.check(check));
        if let Some(more) = &node.more {
            self.add(size_of::<More>());
            more.default.iter().for_each(|default| self.json(default));
            self.add(size_of::<Name>() * more.list_map_keys.len());
            for rule in &more.rules {
                self.add(rule.weight());
            }
        }
    }

    fn check(&mut self, check: &Check) {
        match check {
            Check::AnyOf(nodes) | Check::OneOf(nodes) | Check::AllOf(nodes) => {
                self.add(size_of::<Node>() * nodes.len());
                nodes.iter().for_each(|node| self.node(node));
            }
            Check::Not(node) => {
                self.add(size_of::<Node>());
                self.node(node);
            }
            Check::Pattern(text) => self.name(text),
            Check::Enum(values) => values.iter().for_each(|value| self.json(value)),
            Check::Required(names) => {
                self.add(size_of::<Name>() * names.len());
                names.iter().for_each(|name| self.name(name));
            }
            _ => {}
        }
    }
}

/// A built-in type as controllers that embed it write it into their definitions.
fn of_message(message: MessageRef) -> Value {
    let fields = message.fields().map(|field| (field.name.to_owned(), of_field(field)));
    json!({"type": "object", "description": "What it is for, at length.", "properties": Value::Object(fields.collect())})
}

fn of_field(field: &Field) -> Value {
    let one = match (field.message(), field.ty) {
        (Some(message), _) => of_message(message),
        (_, Type::Bool) => json!({"type": "boolean"}),
        (_, Type::Int32) => json!({"type": "integer", "format": "int32"}),
        (_, Type::Int64) => json!({"type": "integer", "format": "int64"}),
        (_, Type::Quantity | Type::IntOrString) => {
            json!({"x-kubernetes-int-or-string": true, "pattern": "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"})
        }
        (_, Type::Time) => json!({"type": "string", "format": "date-time"}),
        (_, Type::Json | Type::RawExtension | Type::FieldsV1) => {
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
        }
        _ => json!({"type": "string"}),
    };
    match field.cardinality {
        Cardinality::One => one,
        Cardinality::List => json!({"type": "array", "items": one}),
        Cardinality::Map => json!({"type": "object", "additionalProperties": one}),
    }
}

fn weigh(spec: Value) -> (Weight, usize) {
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    let text = schema.to_string().len();
    let compiled = StructuralSchema::compile(&schema, &Path::new("s")).expect("structural");
    let mut weight = Weight::default();
    weight.node(&compiled.root);
    (weight, text)
}

#[test]
fn a_large_definition_stays_small() {
    let message = |name: &str| Schema::builtin().message(name).expect("built in");
    let mut container = of_message(message("io.k8s.api.core.v1.Container"));
    container["x-kubernetes-validations"] = json!([
        {"rule": "has(self.image) || has(self.name)", "message": "an image or a name"},
        {"rule": "!has(self.command) || self.command.size() < 100"}]);
    for (what, spec, most) in [
        ("a container with rules", container, 100_000),
        ("a pod template", of_message(message("io.k8s.api.core.v1.PodTemplateSpec")), 100_000),
    ] {
        let (weight, json) = weigh(spec);
        println!(
            "{what}: {} schemas that differ, {} bytes of JSON, {} bytes compiled, {} each",
            weight.nodes,
            json,
            weight.bytes,
            weight.bytes / weight.nodes
        );
        assert!(weight.bytes < most, "{} bytes", weight.bytes);
    }
}
