//! Shares of resources of many nodes at a time: plain loops over short arrays, which the compiler vectorises.
//!
//! # Why no score is off by one
//!
//! Numbers below [`LIMIT`] are exact as `f64`, and so are a hundred times them. A quotient of whole numbers `n / d` that
//! is less than a whole number `k <= 128` is so by `1 / d` at least. Rounding moves it by less than `2^-46`: it can't
//! reach `k` while `d < 2^46`, so what stands before the point is what division of integers gives.

use super::Column;
use crate::snapshot::NodeId;
use smallvec::SmallVec;

/// So many nodes at a time.
const LANES: usize = 64;
/// For fewer nodes it is not worth the while.
const WORTH_IT: usize = 4;
/// Amounts below this are exact. (Of memory 35 TB.)
const LIMIT: i64 = 1 << 45;
const WHOLE: f64 = (1_u64 << 52) as f64;

/// One number a node.
pub(in crate::plugins) type Lanes = [f64; LANES];

/// One resource of some nodes. Where a node has none of it, `has` is 0.
pub(in crate::plugins) struct Block {
    pub(in crate::plugins) has: Lanes,
    pub(in crate::plugins) used: Lanes,
    /// What the pod adds.
    pub(in crate::plugins) adds: f64,
    pub(in crate::plugins) weight: f64,
}

/// Rates nodes: by blocks where all numbers are exact, one by one otherwise. Both must come to the same.
pub(in crate::plugins) fn rate(
    columns: &[Column<'_>],
    nodes: &[NodeId],
    scores: &mut [i64],
    by_block: impl Fn(&[Block]) -> Lanes,
    one: impl Fn(NodeId) -> i64,
) {
    for (nodes, scores) in nodes.chunks(LANES).zip(scores.chunks_mut(LANES)) {
        let worth_it = nodes.len() >= WORTH_IT;
        let blocks = worth_it.then(|| columns.iter().map(|c| Block::load(c, nodes)).collect());
        match blocks.flatten() {
            Some::<SmallVec<[Block; 2]>>(blocks) => {
                let rated = by_block(&blocks);
                scores.iter_mut().zip(&rated).for_each(|(score, lane)| *score = integer(*lane));
            }
            None => scores.iter_mut().zip(nodes).for_each(|(score, node)| *score = one(*node)),
        }
    }
}

/// The greatest whole number that is not greater; for numbers from 0 to 2^51.
pub(in crate::plugins) fn floor(x: f64) -> f64 {
    // Adding so much leaves no place behind the point.
    let near = (x + WHOLE) - WHOLE;
    if near > x { near - 1.0 } else { near }
}

/// A whole number from 0 to 2^52, without the instruction that not every processor has for many at a time.
fn exact(x: i64) -> f64 {
    f64::from_bits(x as u64 | WHOLE.to_bits()) - WHOLE
}

fn integer(x: f64) -> i64 {
    ((x + WHOLE).to_bits() & ((1 << 52) - 1)) as i64
}

// === impl Block ===

impl Block {
    /// None when a number is too great to be exact.
    fn load(column: &Column<'_>, nodes: &[NodeId]) -> Option<Self> {
        let (has, used) = (gather(column.has, nodes), gather(column.used, nodes));
        let bits = has.iter().zip(&used).fold(0, |bits, (has, used)| bits | has | used);
        let small = |x: i64| (0..LIMIT).contains(&x);
        (small(bits) && small(column.adds) && small(column.weight << 16)).then(|| Self {
            has: has.map(exact),
            used: used.map(exact),
            adds: column.adds as f64,
            weight: column.weight as f64,
        })
    }
}

fn gather(column: &[i64], nodes: &[NodeId]) -> [i64; LANES] {
    let mut lanes = [0; LANES];
    let first = nodes[0] as usize;
    let run = column.get(first..first + nodes.len());
    let in_a_row = (first as NodeId..).zip(nodes).fold(true, |row, (at, id)| row & (at == *id));
    match run.filter(|_| in_a_row) {
        Some(run) => lanes[..run.len()].copy_from_slice(run),
        None => {
            for (lane, node) in lanes.iter_mut().zip(nodes) {
                *lane = column.get(*node as usize).copied().unwrap_or(0);
            }
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::super::percent;
    use super::*;

    #[test]
    fn floors_and_shares_are_those_of_integers() {
        for whole in [1, 2, 3, 7, 96, 4000, 33_685_172_224, LIMIT - 1, LIMIT - 7] {
            for hundredth in 0..=100 {
                for off in [-2, -1, 0, 1, 2] {
                    let part = (whole / 100 * hundredth + whole % 100 * hundredth / 100 + off)
                        .clamp(0, whole);
                    let share = floor(exact(part) * 100.0 / exact(whole));
                    assert_eq!(integer(share), percent(part, whole), "{part} of {whole}");
                    assert_eq!(
                        i128::from(integer(share)),
                        i128::from(part) * 100 / i128::from(whole)
                    );
                }
            }
        }
    }

    #[test]
    fn nodes_in_a_row_and_others() {
        let column: Vec<i64> = (0..200).collect();
        assert_eq!(gather(&column, &[5, 6, 7])[..4], [5, 6, 7, 0]);
        assert_eq!(gather(&column, &[5, 7, 6])[..4], [5, 7, 6, 0]);
        assert_eq!(gather(&column, &[199, 200])[..3], [199, 0, 0]);
        assert_eq!(gather(&[], &[0, 1])[..2], [0, 0]);
    }
}
