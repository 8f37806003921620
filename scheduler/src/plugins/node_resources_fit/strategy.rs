//! Which of the nodes with room is best.

use crate::framework::MAX_SCORE;
use crate::plugins::resources::{Block, Column, Lanes, ResourceSpec, Usage, floor, percent, rate};
use crate::snapshot::NodeId;
use serde::Deserialize;

/// How nodes with room are rated (`ScoringStrategy` of a `KubeSchedulerConfiguration`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ScoringStrategy {
    /// The rule.
    #[serde(rename = "type")]
    pub kind: ScoringStrategyType,
    /// The resources it looks at; none stands for CPU and memory.
    pub resources: Vec<ResourceSpec>,
    /// For the rule of this name.
    pub requested_to_capacity_ratio: RequestedToCapacityRatio,
}

/// The rules there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum ScoringStrategyType {
    /// The more is left the better.
    #[default]
    LeastAllocated,
    /// The less is left the better: nodes are filled up one by one.
    MostAllocated,
    /// As a curve over the share in use says.
    RequestedToCapacityRatio,
}

/// A curve from a share in use to a score.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RequestedToCapacityRatio {
    /// Its corners, by rising utilization; straight lines between them.
    pub shape: Vec<UtilizationShapePoint>,
}

/// A corner of the curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct UtilizationShapePoint {
    /// Percent in use.
    pub utilization: i64,
    /// From 0 to 10.
    pub score: i64,
}

/// Corners with scores from 0 to [`MAX_SCORE`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Least,
    Most,
    Curve(Vec<(i64, i64)>),
}

// === impl Rule ===

impl Rule {
    pub(super) fn new(strategy: &ScoringStrategy) -> Self {
        let corner = |p: &UtilizationShapePoint| (p.utilization, p.score * (MAX_SCORE / 10));
        match strategy.kind {
            ScoringStrategyType::LeastAllocated => Self::Least,
            ScoringStrategyType::MostAllocated => Self::Most,
            ScoringStrategyType::RequestedToCapacityRatio => {
                Self::Curve(strategy.requested_to_capacity_ratio.shape.iter().map(corner).collect())
            }
        }
    }

    /// The scores of nodes by these resources.
    pub(super) fn score(&self, columns: &[Column<'_>], nodes: &[NodeId], scores: &mut [i64]) {
        let one = |node| self.one(columns, node);
        match self {
            Self::Least => rate(columns, nodes, scores, |blocks| mean(blocks, free), one),
            Self::Most => rate(columns, nodes, scores, |blocks| mean(blocks, full), one),
            Self::Curve(_) => {
                scores.iter_mut().zip(nodes).for_each(|(score, node)| *score = one(*node));
            }
        }
    }

    fn one(&self, columns: &[Column<'_>], node: NodeId) -> i64 {
        let (mut sum, mut weights) = (0, 0);
        let usages = columns.iter().filter_map(|column| Some((column.at(node)?, column.weight)));
        for (usage, weight) in usages {
            let score = self.of(usage);
            // A corner at zero says that the resource shall not count.
            if score > 0 || !matches!(self, Self::Curve(_)) {
                sum += score * weight;
                weights += weight;
            }
        }
        match self {
            _ if weights == 0 => 0,
            Self::Curve(_) => (sum as f64 / weights as f64).round() as i64,
            _ => sum / weights,
        }
    }

    fn of(&self, Usage { has, with, .. }: Usage) -> i64 {
        match self {
            Self::Least if with > has => 0,
            Self::Least => percent(has - with, has),
            Self::Most => percent(with.min(has), has),
            Self::Curve(corners) if with > has => height(corners, 100),
            Self::Curve(corners) => height(corners, percent(with, has)),
        }
    }
}

/// Percent left.
fn free(has: f64, with: f64) -> f64 {
    let left = floor((has - with) * 100.0 / has);
    if with > has { 0.0 } else { left }
}

/// Percent in use.
fn full(has: f64, with: f64) -> f64 {
    floor(with.min(has) * 100.0 / has)
}

/// The weighted mean over the resources that a node has.
fn mean(blocks: &[Block], score: impl Fn(f64, f64) -> f64) -> Lanes {
    let (mut sums, mut weights): (Lanes, Lanes) = ([0.0; _], [0.0; _]);
    for block in blocks {
        let each = sums.iter_mut().zip(&mut weights).zip(block.has.iter().zip(&block.used));
        for ((sum, weight), (has, used)) in each {
            let score = score(*has, used + block.adds) * block.weight;
            *sum += if *has > 0.0 { score } else { 0.0 };
            *weight += if *has > 0.0 { block.weight } else { 0.0 };
        }
    }
    for (sum, weight) in sums.iter_mut().zip(&weights) {
        let mean = floor(*sum / weight);
        *sum = if *weight > 0.0 { mean } else { 0.0 };
    }
    sums
}

fn height(corners: &[(i64, i64)], at: i64) -> i64 {
    let next = corners.iter().position(|(utilization, _)| at <= *utilization);
    match next {
        None => corners.last().map_or(0, |(_, score)| *score),
        Some(0) => corners[0].1,
        Some(next) => {
            let ((x0, y0), (x1, y1)) = (corners[next - 1], corners[next]);
            y0 + (y1 - y0) * (at - x0) / (x1 - x0)
        }
    }
}
