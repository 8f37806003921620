//! Which of the nodes with room is best.

use crate::framework::MAX_SCORE;
use crate::plugins::resources::{ResourceSpec, Usage, percent};
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

    /// The score of a node with these resources, each with its weight.
    pub(super) fn score(&self, usages: impl Iterator<Item = (Usage, i64)>) -> i64 {
        let (mut sum, mut weights) = (0, 0);
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
