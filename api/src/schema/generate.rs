//! Random objects of the built-in kinds, for property tests.

use rand::{Rng, rngs::SmallRng};
use serde_json::{Map, Value, json};
use windlass_core::scheme::{GroupVersionKind, ResourceInfo, Scheme};

use super::{Cardinality, FieldRef, MessageRef, Schema, Type, decode::schema_props};

/// A random value of a message, with about `budget` fields.
pub(super) fn generate(rng: &mut SmallRng, message: MessageRef, budget: &mut i32) -> Value {
    let mut object = Map::new();
    for field in message.fields() {
        // An object inside of another has no `kind` in protobuf, in Kubernetes too.
        if field.number == 0 || !rng.random_bool(0.3) || *budget <= 0 {
            continue;
        }
        *budget -= 1;
        object.insert(field.name.to_owned(), generate_field(rng, field, budget));
    }
    Value::Object(object)
}

fn generate_field(rng: &mut SmallRng, field: FieldRef, budget: &mut i32) -> Value {
    let count = rng.random_range(0..3);
    match field.cardinality {
        Cardinality::One => generate_one(rng, field.ty, budget),
        Cardinality::List => (0..count).map(|_| generate_one(rng, field.ty, budget)).collect(),
        Cardinality::Map => {
            (0..count).map(|_| (text(rng), generate_one(rng, field.ty, budget))).collect()
        }
    }
}

fn generate_one(rng: &mut SmallRng, ty: Type, budget: &mut i32) -> Value {
    let schema = |rng: &mut SmallRng, budget: &mut i32| generate(rng, schema_props(), budget);
    match ty {
        Type::String => text(rng).into(),
        Type::Int32 => rng.random::<i32>().into(),
        Type::Int64 => rng.random::<i64>().into(),
        Type::Bool => rng.random::<bool>().into(),
        Type::Double => {
            [json!(0), json!(-1.5), json!(1e300), json!(7)][rng.random_range(0..4)].clone()
        }
        Type::Bytes => ["", "AAE=", "aGVsbG8="][rng.random_range(0..3)].into(),
        Type::Time => "2024-02-29T23:59:59Z".into(),
        Type::MicroTime => ["2024-02-29T23:59:59.000001Z", "1969-12-31T23:59:59.250000Z"]
            [rng.random_range(0..2)]
        .into(),
        Type::Quantity => ["0", "500m", "1Gi", "-2k", "1e3"][rng.random_range(0..5)].into(),
        Type::IntOrString => {
            [json!(0), json!(-8080), json!(""), json!("25%")][rng.random_range(0..4)].clone()
        }
        Type::RawExtension | Type::FieldsV1 | Type::Json => json!({"f:a": {}, "n": [1, null, 2.5]}),
        Type::SchemaOrArray => match rng.random() {
            true => (0..2).map(|_| schema(rng, budget)).collect(),
            false => schema(rng, budget),
        },
        Type::SchemaOrBool => {
            if rng.random() {
                rng.random::<bool>().into()
            } else {
                schema(rng, budget)
            }
        }
        Type::SchemaOrStrings => {
            if rng.random() {
                json!(["a", "b"])
            } else {
                schema(rng, budget)
            }
        }
        Type::StringList => json!(["x", ""]),
        Type::Message(index) => generate(rng, Schema::builtin().message_at(index), budget),
    }
}

fn text(rng: &mut SmallRng) -> String {
    ["", "a", "täglich", "x.example.com/y", "\u{1F980}\n\""][rng.random_range(0..5)].to_owned()
}

/// All kinds, their lists, and some that all groups share.
pub(super) fn kinds() -> Vec<GroupVersionKind> {
    let lists = |info: &ResourceInfo| info.gvr.group_version().with_kind(info.list_kind());
    let scheme = Scheme::builtin().iter();
    let mut kinds: Vec<_> = scheme.flat_map(|info| [info.gvk(), lists(info)]).collect();
    kinds.retain(|kind| Schema::builtin().kind(kind).is_some());
    kinds.extend(
        ["Status", "DeleteOptions", "PatchOptions"]
            .map(|kind| GroupVersionKind::new("", "v1", kind)),
    );
    kinds
}
