//! The columns of a defined kind (`additionalPrinterColumns`).

use super::definition::PrinterColumn;
use super::jsonpath::JsonPath;
use crate::table::{Column, TableOptions, since, table_with};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::meta::Status;
use windlass_core::object::ListMeta;

/// The columns of one version, and where their cells are found.
pub(crate) struct Columns {
    columns: Box<[Column]>,
    paths: Box<[Option<JsonPath>]>,
}

// === impl Columns ===

impl Columns {
    /// The name, then these; the age when there are none.
    pub(super) fn new(given: &[PrinterColumn]) -> Self {
        let age = [PrinterColumn::age()];
        let given = if given.is_empty() { &age[..] } else { given };
        let name = Column {
            name: "Name".into(),
            ty: "string".into(),
            format: "name".into(),
            description: "The name of the object, unique among its kind in its namespace.".into(),
            priority: 0,
        };
        let columns = std::iter::once(name).chain(given.iter().map(column)).collect();
        // Validation saw to it that each can be read.
        let paths = given.iter().map(|column| JsonPath::parse(&column.json_path).ok()).collect();
        Self { columns, paths }
    }

    /// Objects as a table, in JSON.
    pub(crate) fn table(
        &self,
        items: &[Arc<Object>],
        list: &ListMeta,
        options: &TableOptions,
    ) -> Result<Bytes, Status> {
        let cells = |object: &Object| Ok(self.cells(&object.view()?, options.now));
        table_with(&self.columns, cells, items, list, options)
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let name = object["metadata"]["name"].clone();
        let others = self.columns[1..].iter().zip(&self.paths).map(|(column, path)| {
            let found = path.as_ref().and_then(|path| path.find(object).first().copied());
            found.map_or(Value::Null, |value| cell(&column.ty, value, now))
        });
        std::iter::once(name).chain(others).collect()
    }
}

fn column(given: &PrinterColumn) -> Column {
    let path = &given.json_path;
    let described = format!("Custom resource definition column (in JSONPath format): {path}");
    Column {
        name: given.name.clone().into(),
        ty: given.ty.clone().into(),
        format: given.format.clone().into(),
        description: Some(given.description.clone())
            .filter(|d| !d.is_empty())
            .unwrap_or(described)
            .into(),
        priority: given.priority,
    }
}

/// A value as a column of this type shows it; nothing when it is of another type.
fn cell(ty: &str, value: &Value, now: Timestamp) -> Value {
    match (ty, value) {
        ("string", Value::String(_)) | ("boolean", Value::Bool(_)) | (_, Value::Null) => {
            value.clone()
        }
        ("string", other) => other.to_string().into(),
        ("integer", Value::Number(number)) => {
            #[allow(clippy::cast_possible_truncation, reason = "as a number in Go is cut")]
            let whole = number.as_i64().or_else(|| number.as_f64().map(|number| number as i64));
            whole.into()
        }
        ("number", Value::Number(number)) => number.as_f64().into(),
        ("date", Value::String(time)) => match time.parse::<Timestamp>() {
            Ok(_) => since(Some(time), now).into(),
            Err(_) => "<invalid>".into(),
        },
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_of_their_column_s_type() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        for (ty, value, shown) in [
            ("string", json!("red"), json!("red")),
            ("string", json!(["a", 1]), json!("[\"a\",1]")),
            ("string", json!(7), json!("7")),
            ("integer", json!(7.9), json!(7)),
            ("integer", json!("7"), json!(null)),
            ("number", json!(7), json!(7.0)),
            ("boolean", json!(true), json!(true)),
            ("boolean", json!("true"), json!(null)),
            ("date", json!("2026-01-01T00:00:00Z"), json!("60s")),
            ("date", json!("yesterday"), json!("<invalid>")),
        ] {
            assert_eq!(cell(ty, &value, now), shown, "{ty} {value}");
        }
    }

    #[test]
    fn without_columns_there_is_the_age() {
        let columns = Columns::new(&[]);
        let names: Vec<_> = columns.columns.iter().map(|column| &*column.name).collect();
        assert_eq!(names, ["Name", "Age"]);
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let object =
            json!({"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:55Z"}});
        assert_eq!(columns.cells(&object, now), [json!("a"), json!("5s")]);
    }
}
