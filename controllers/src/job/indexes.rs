//! Sets of indexes as the status writes them: `0,3-5`.

use std::collections::BTreeSet;

/// Reads a set. Parts that can't be read are left out: the controller wrote it itself.
pub(super) fn parse(text: &str) -> BTreeSet<i32> {
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some(from.trim().parse::<i32>().ok()?..=to.trim().parse::<i32>().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

/// Writes a set; two in a row as `1,2`, more as a range.
pub(super) fn format(indexes: &BTreeSet<i32>) -> String {
    let mut runs: Vec<(i32, i32)> = vec![];
    for &index in indexes {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => runs.push((index, index)),
        }
    }
    let write = |(from, to): &(i32, i32)| match to - from {
        0 => from.to_string(),
        1 => format!("{from},{to}"),
        _ => format!("{from}-{to}"),
    };
    runs.iter().map(write).collect::<Vec<_>>().join(",")
}
