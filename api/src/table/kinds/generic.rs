//! Kinds that show little of themselves.

use crate::table::column::Column;
use crate::table::row::{Cells, Row};

pub(in crate::table) static NAME_AGE: &[Column] =
    &[Column::new("Name", "string", 0), Column::new("Age", "string", 0)];
pub(in crate::table) static NAME_ONLY: &[Column] = &[Column::new("Name", "string", 0)];
pub(in crate::table) static CREATED: &[Column] =
    &[Column::new("Name", "string", 0), Column::new("Created At", "date", 0)];

pub(in crate::table) fn name_age(row: &Row) -> Cells {
    vec![row.name(), row.age()]
}

pub(in crate::table) fn name_only(row: &Row) -> Cells {
    vec![row.name()]
}

pub(in crate::table) fn created(row: &Row) -> Cells {
    vec![row.name(), row.created()]
}
