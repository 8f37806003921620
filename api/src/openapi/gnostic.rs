//! `/openapi/v2` in protobuf, by the schema of gnostic's `openapi.v2` package.

use serde_json::{Map, Value};

use crate::schema::protobuf::wire::Writer;

type Object = Map<String, Value>;

/// Encodes a Swagger document.
pub(super) fn encode(document: &Value) -> Vec<u8> {
    let mut writer = Writer::default();
    nested(&mut writer, 9, |writer| {
        each(&document["definitions"], |name, value| named(writer, 1, name, value, schema))
    });
    nested(&mut writer, 8, |writer| {
        each(&document["paths"], |name, value| named(writer, 2, name, value, path_item))
    });
    nested(&mut writer, 2, |writer| {
        text(writer, 2, &document["info"]["version"]);
        text(writer, 1, &document["info"]["title"]);
    });
    text(&mut writer, 1, &document["swagger"]);
    writer.into_bytes()
}

fn path_item(writer: &mut Writer, item: &Object) {
    // Get, put, post, delete, options, head, patch have the numbers 2 to 8.
    for (number, method) in [(8, "patch"), (5, "delete"), (4, "post"), (3, "put"), (2, "get")] {
        message(writer, number, item.get(method), operation);
    }
}

fn operation(writer: &mut Writer, operation: &Object) {
    extensions(writer, 13, operation);
    texts(writer, 10, operation.get("schemes"));
    message(writer, 9, operation.get("responses"), responses);
    for parameter in list(operation.get("parameters")) {
        nested(writer, 8, |writer| message(writer, 1, Some(parameter), self::parameter));
    }
    texts(writer, 7, operation.get("consumes"));
    texts(writer, 6, operation.get("produces"));
    field(writer, 5, operation.get("operationId"));
    field(writer, 3, operation.get("description"));
    texts(writer, 1, operation.get("tags"));
}

fn parameter(writer: &mut Writer, parameter: &Object) {
    match parameter.get("in").and_then(Value::as_str) {
        Some("body") => nested(writer, 1, |writer| {
            message(writer, 5, parameter.get("schema"), schema);
            truth(writer, 4, parameter.get("required"));
            described(writer, parameter, [3, 2, 1]);
        }),
        Some("path") => nested(writer, 2, |writer| {
            nested(writer, 4, |writer| {
                field(writer, 5, parameter.get("type"));
                field(writer, 4, parameter.get("name"));
                field(writer, 3, parameter.get("description"));
                field(writer, 2, parameter.get("in"));
                truth(writer, 1, parameter.get("required"));
            });
        }),
        _ => nested(writer, 2, |writer| {
            nested(writer, 3, |writer| {
                truth(writer, 20, parameter.get("uniqueItems"));
                field(writer, 6, parameter.get("type"));
                described(writer, parameter, [2, 4, 3]);
            });
        }),
    }
}

/// Where a parameter stands, its name and its description, by these numbers.
fn described(writer: &mut Writer, parameter: &Object, [place, name, description]: [u32; 3]) {
    let mut fields = [(place, "in"), (name, "name"), (description, "description")];
    fields.sort_unstable();
    for (number, key) in fields.into_iter().rev() {
        field(writer, number, parameter.get(key));
    }
}

fn responses(writer: &mut Writer, responses: &Object) {
    for (code, value) in responses.iter().rev() {
        named(writer, 1, code, value, |writer, response| {
            nested(writer, 1, |writer| {
                if let Some(Value::Object(schema)) = response.get("schema") {
                    nested(writer, 2, |writer| {
                        nested(writer, 1, |writer| self::schema(writer, schema))
                    });
                }
                field(writer, 1, response.get("description"));
            });
        });
    }
}

fn schema(writer: &mut Writer, schema: &Object) {
    extensions(writer, 31, schema);
    if let Some(Value::Object(properties)) = schema.get("properties") {
        nested(writer, 25, |writer| {
            for (name, value) in properties.iter().rev() {
                named(writer, 1, name, value, self::schema);
            }
        });
    }
    if let Some(items) = schema.get("items") {
        nested(writer, 23, |writer| message(writer, 1, Some(items), self::schema));
    }
    if let Some(ty) = schema.get("type") {
        nested(writer, 22, |writer| field(writer, 1, Some(ty)));
    }
    match schema.get("additionalProperties") {
        Some(Value::Bool(allowed)) => {
            nested(writer, 21, |writer| writer.varint(2, u64::from(*allowed)))
        }
        Some(additional) => {
            nested(writer, 21, |writer| message(writer, 1, Some(additional), self::schema))
        }
        None => {}
    }
    for value in list(schema.get("enum")) {
        any(writer, 20, value);
    }
    texts(writer, 19, schema.get("required"));
    bounds(writer, schema);
    if let Some(default) = schema.get("default") {
        any(writer, 5, default);
    }
    for (number, key) in [(4, "description"), (3, "title"), (2, "format"), (1, "$ref")] {
        field(writer, number, schema.get(key));
    }
}

fn bounds(writer: &mut Writer, schema: &Object) {
    for (number, key) in [(18, "minProperties"), (17, "maxProperties")] {
        whole(writer, number, schema.get(key));
    }
    truth(writer, 16, schema.get("uniqueItems"));
    for (number, key) in [(15, "minItems"), (14, "maxItems")] {
        whole(writer, number, schema.get(key));
    }
    field(writer, 13, schema.get("pattern"));
    for (number, key) in [(12, "minLength"), (11, "maxLength")] {
        whole(writer, number, schema.get(key));
    }
    truth(writer, 10, schema.get("exclusiveMinimum"));
    double(writer, 9, schema.get("minimum"));
    truth(writer, 8, schema.get("exclusiveMaximum"));
    double(writer, 7, schema.get("maximum"));
    double(writer, 6, schema.get("multipleOf"));
}

/// The extensions of an object, each as a name and its value in YAML, of which JSON is a part.
fn extensions(writer: &mut Writer, number: u32, object: &Object) {
    for (name, value) in object.iter().rev().filter(|(name, _)| name.starts_with("x-")) {
        nested(writer, number, |writer| {
            any(writer, 2, value);
            writer.bytes(1, name.as_bytes());
        });
    }
}

fn any(writer: &mut Writer, number: u32, value: &Value) {
    nested(writer, number, |writer| writer.bytes(2, value.to_string().as_bytes()));
}

fn named(
    writer: &mut Writer,
    number: u32,
    name: &str,
    value: &Value,
    write: impl Fn(&mut Writer, &Object),
) {
    nested(writer, number, |writer| {
        message(writer, 2, Some(value), write);
        writer.bytes(1, name.as_bytes());
    });
}

fn message(
    writer: &mut Writer,
    number: u32,
    value: Option<&Value>,
    write: impl Fn(&mut Writer, &Object),
) {
    if let Some(Value::Object(object)) = value {
        nested(writer, number, |writer| write(writer, object));
    }
}

fn each(object: &Value, mut write: impl FnMut(&str, &Value)) {
    for (name, value) in object.as_object().into_iter().flatten().rev() {
        write(name, value);
    }
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten().rev()
}

fn texts(writer: &mut Writer, number: u32, value: Option<&Value>) {
    for value in list(value) {
        text(writer, number, value);
    }
}

fn field(writer: &mut Writer, number: u32, value: Option<&Value>) {
    if let Some(value) = value {
        text(writer, number, value);
    }
}

fn text(writer: &mut Writer, number: u32, value: &Value) {
    if let Some(text) = value.as_str() {
        writer.bytes(number, text.as_bytes());
    }
}

fn truth(writer: &mut Writer, number: u32, value: Option<&Value>) {
    if let Some(truth) = value.and_then(Value::as_bool) {
        writer.varint(number, u64::from(truth));
    }
}

fn whole(writer: &mut Writer, number: u32, value: Option<&Value>) {
    if let Some(whole) = value.and_then(Value::as_i64) {
        writer.varint(number, whole.cast_unsigned());
    }
}

fn double(writer: &mut Writer, number: u32, value: Option<&Value>) {
    if let Some(double) = value.and_then(Value::as_f64) {
        writer.fixed64(number, double.to_bits());
    }
}

fn nested(writer: &mut Writer, number: u32, inner: impl FnOnce(&mut Writer)) {
    let before = writer.len();
    inner(writer);
    writer.close(number, before);
}
