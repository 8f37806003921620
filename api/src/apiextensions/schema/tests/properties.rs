//! What holds for all schemas and all objects.

use super::super::StructuralSchema;
use crate::strategy::Map;
use crate::validation::{Errors, Path};
use proptest::prelude::*;
use serde_json::{Value, json};

const NAMES: [&str; 5] = ["a", "b", "c", "metadata", "kind"];

fn name() -> impl Strategy<Value = String> {
    proptest::sample::select(NAMES.to_vec()).prop_map(str::to_owned)
}

/// Any JSON, not deep, with few names, so that it meets schemas.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-5_i64..20).prop_map(Value::from),
        (-2.0_f64..9.0).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z0-9:.\\-]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn leaf_schema() -> impl Strategy<Value = Value> {
    proptest::sample::select(vec![
        json!({"type": "string", "maxLength": 3, "pattern": "^[a-c]*$"}),
        json!({"type": "string", "format": "date-time", "nullable": true}),
        json!({"type": "string", "enum": ["a", "b"], "default": "a"}),
        json!({"type": "integer", "minimum": 1, "maximum": 9, "default": 3}),
        json!({"type": "number", "multipleOf": 0.5, "exclusiveMinimum": true, "minimum": 0}),
        json!({"type": "boolean", "default": true}),
        json!({"x-kubernetes-int-or-string": true}),
        json!({"type": "integer", "x-kubernetes-validations": [{"rule": "self * 2 < 100 / self"}]}),
        json!({"type": "string", "maxLength": 9, "x-kubernetes-validations": [{"rule": "oldSelf == self"}]}),
        json!({"x-kubernetes-preserve-unknown-fields": true}),
        json!({"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}),
    ])
}

fn schema() -> impl Strategy<Value = Value> {
    let inner = leaf_schema().prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|items| json!({"type": "array", "maxItems": 3, "items": items})),
            inner.clone().prop_map(|values| {
                json!({"type": "object", "maxProperties": 3, "additionalProperties": values})
            }),
            (name(), inner.clone(), name(), inner).prop_map(|(a, first, b, second)| {
                json!({"type": "object", "properties": {a: first, b.clone(): second}, "required": [b],
                    "x-kubernetes-validations": [{"rule": "has(self.a) || !has(self.b)"}]})
            }),
        ]
    });
    (inner.clone(), inner)
        .prop_map(|(a, b)| json!({"type": "object", "properties": {"a": a, "b": b}}))
}

fn object() -> impl Strategy<Value = Map> {
    (value(), value()).prop_map(|(a, b)| Map::from_iter([("a".into(), a), ("b".into(), b)]))
}

proptest! {
    #[test]
    fn pruning_and_defaulting_twice_is_once(schema in schema(), mut object in object()) {
        let Ok(schema) = StructuralSchema::compile(&schema, &Path::new("s")) else { return Ok(()) };
        schema.prune(&mut object);
        let pruned = object.clone();
        prop_assert_eq!(schema.prune(&mut object), Vec::<String>::new());
        prop_assert_eq!(&object, &pruned);
        schema.default(&mut object);
        let defaulted = object.clone();
        schema.default(&mut object);
        prop_assert_eq!(&object, &defaulted);
        schema.prune(&mut object);
        prop_assert_eq!(&object, &defaulted, "defaults are pruned");
    }

    #[test]
    fn validation_never_panics(schema in schema(), new in object(), old in object()) {
        let Ok(schema) = StructuralSchema::compile(&schema, &Path::new("s")) else { return Ok(()) };
        let mut errors = Errors::default();
        schema.validate(&new, Some(&old), &mut errors);
        schema.validate(&new, None, &mut errors);
        schema.validate_status(&new, Some(&old), &mut errors);
    }

    #[test]
    fn an_object_that_does_not_change_stays_valid(schema in schema(), object in object()) {
        let Ok(schema) = StructuralSchema::compile(&schema, &Path::new("s")) else { return Ok(()) };
        let (mut first, mut again) = (Errors::default(), Errors::default());
        schema.validate(&object, None, &mut first);
        schema.validate(&object, Some(&object), &mut again);
        prop_assert!(again.iter().count() <= first.iter().count());
    }

    #[test]
    fn compiling_anything_never_panics(schema in value()) {
        drop(StructuralSchema::compile(&schema, &Path::new("s")));
    }
}
