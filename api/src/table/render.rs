//! Writing a table.

use super::column::{Column, IncludeObject, TableOptions};
use super::registry::printer;
use super::row::Cells;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::Arc;
use windlass_core::meta::Status;
use windlass_core::object::ListMeta;
use windlass_core::scheme::GroupVersionKind;
use windlass_core::{Object, Result};

#[derive(Deserialize)]
struct Partial {
    metadata: Box<RawValue>,
}

/// The table of objects of one kind, as JSON. Kinds that have no columns of their own get name and age.
///
/// # Errors
/// `InternalError` when an object can't be decoded.
pub fn table(
    gvk: &GroupVersionKind,
    items: &[Arc<Object>],
    list: &ListMeta,
    options: &TableOptions,
) -> Result<Bytes, Status> {
    let printer = printer(gvk);
    let cells = |object: &Object| (printer.cells)(object, options.now);
    write(printer.columns, cells, items, list, options)
}

/// A table with these columns; `cells` fills a row, one value for each column.
///
/// # Errors
/// As for [`table`].
pub fn table_with(
    columns: &[Column],
    cells: impl Fn(&Object) -> Result<Vec<Value>>,
    items: &[Arc<Object>],
    list: &ListMeta,
    options: &TableOptions,
) -> Result<Bytes, Status> {
    write(columns, cells, items, list, options)
}

fn write(
    columns: &[Column],
    cells: impl Fn(&Object) -> Result<Cells>,
    items: &[Arc<Object>],
    list: &ListMeta,
    options: &TableOptions,
) -> Result<Bytes, Status> {
    let mut out = Vec::with_capacity(512 + items.len() * 512);
    out.extend_from_slice(b"{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":");
    json(&mut out, list)?;
    out.extend_from_slice(b",\"columnDefinitions\":");
    json(&mut out, &(!options.no_headers).then_some(columns))?;
    out.extend_from_slice(b",\"rows\":[");
    for (at, object) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"cells\":");
        json(&mut out, &cells(object).map_err(broken)?)?;
        out.extend_from_slice(b",\"object\":");
        carry(&mut out, object, options.include)?;
        out.push(b'}');
    }
    out.extend_from_slice(b"]}\n");
    Ok(out.into())
}

fn carry(out: &mut Vec<u8>, object: &Object, include: IncludeObject) -> Result<(), Status> {
    match include {
        IncludeObject::None => out.extend_from_slice(b"null"),
        IncludeObject::Metadata => {
            let partial: Partial = object.view().map_err(broken)?;
            let head = b"{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":";
            out.extend_from_slice(head);
            out.extend_from_slice(partial.metadata.get().as_bytes());
            out.push(b'}');
        }
        IncludeObject::Object => {
            object.put_wire(out);
        }
    }
    Ok(())
}

fn json(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) -> Result<(), Status> {
    serde_json::to_writer(out, value).map_err(broken)
}

fn broken(error: impl std::fmt::Display) -> Status {
    Status::internal(error)
}
