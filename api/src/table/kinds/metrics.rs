//! What nodes and pods use.

use crate::strategy::Map;
use crate::strategy::json::{map_of, maps_of, str_of};
use crate::table::column::Column;
use crate::table::row::{Cells, Row};

pub(in crate::table) static USAGE: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("cpu", "string", 0),
    Column::new("memory", "string", 0),
    Column::new("Window", "string", 0),
];

pub(in crate::table) fn node(row: &Row) -> Cells {
    cells(row, &Vec::from_iter(row.map(&["usage"])))
}

pub(in crate::table) fn pod(row: &Row) -> Cells {
    let containers = maps_of(&row.object, "containers");
    cells(row, &Vec::from_iter(containers.filter_map(|(_, container)| map_of(container, "usage"))))
}

/// Amounts are written with these units alone.
fn cells(row: &Row, used: &[&Map]) -> Cells {
    let sum = |of: &str, unit: &str| {
        let amount = |usage: &&Map| str_of(usage, of).strip_suffix(unit)?.parse::<u64>().ok();
        let sum: u64 = used.iter().filter_map(amount).sum();
        format!("{sum}{unit}").into()
    };
    vec![row.name(), sum("cpu", "n"), sum("memory", "Ki"), row.text(&["window"])]
}
