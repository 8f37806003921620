//! The pace: windows over which recommendations are held back, and how much may change in which time.

use super::calculator::Tolerance;
use jiff::Timestamp;
use windlass_core::apis::autoscaling::v2::{
    HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler,
};
use windlass_core::meta::Quantity;

/// Kubernetes' `--horizontal-pod-autoscaler-downscale-stabilization` and `--horizontal-pod-autoscaler-tolerance`.
const DOWNSCALE_STABILIZATION: i64 = 300;
const TOLERANCE: f64 = 0.1;

/// What an autoscaler has done and would have done. Kept in memory, as in Kubernetes: after a start it begins anew.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct History {
    /// What metrics asked for, and when.
    pub(super) recommendations: Vec<(Timestamp, i32)>,
    /// How many replicas came and went, and when.
    pub(super) ups: Vec<(Timestamp, i32)>,
    pub(super) downs: Vec<(Timestamp, i32)>,
}

/// Why a wish is not granted as it is: reason and message of a condition.
pub(super) type Told = (&'static str, &'static str);

/// What the rules make of a wish.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Paced {
    pub(super) replicas: i32,
    /// For the condition `AbleToScale`.
    pub(super) able: Told,
    /// For the condition `ScalingLimited`: whether it is, and why.
    pub(super) limited: (bool, Told),
}

/// The rules of one autoscaler, complete.
pub(super) struct Rules {
    up: Direction,
    down: Direction,
    /// Written by the user: else growth is bounded as it was before there were rules.
    explicit: bool,
    min: i32,
    max: i32,
}

struct Direction {
    window: i64,
    select: String,
    policies: Vec<HPAScalingPolicy>,
    tolerance: f64,
}

const WITHIN: Told = ("DesiredWithinRange", "the desired count is within the acceptable range");
const TOO_FEW: Told =
    ("TooFewReplicas", "the desired replica count is less than the minimum replica count");
const TOO_MANY: Told =
    ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const TOO_FAST_UP: Told =
    ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const TOO_FAST_DOWN: Told = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
);

// === impl Rules ===

impl Rules {
    pub(super) fn of(autoscaler: &HorizontalPodAutoscaler, min: i32) -> Self {
        let behavior = autoscaler.spec.behavior.as_ref();
        let policy =
            |kind: &str, value| HPAScalingPolicy { type_: kind.into(), value, period_seconds: 15 };
        Self {
            up: direction(
                behavior.and_then(|behavior| behavior.scale_up.as_ref()),
                0,
                vec![policy("Pods", 4), policy("Percent", 100)],
            ),
            down: direction(
                behavior.and_then(|behavior| behavior.scale_down.as_ref()),
                DOWNSCALE_STABILIZATION,
                vec![policy("Percent", 100)],
            ),
            explicit: behavior.is_some(),
            min,
            max: autoscaler.spec.max_replicas,
        }
    }

    pub(super) fn tolerance(&self) -> Tolerance {
        Tolerance { up: self.up.tolerance, down: self.down.tolerance }
    }

    /// What comes of a wish. It is remembered.
    pub(super) fn pace(
        &self,
        history: &mut History,
        current: i32,
        desired: i32,
        now: Timestamp,
    ) -> Paced {
        let stable = self.stabilize(history, current, desired, now);
        let able = match () {
            () if stable == desired => {
                ("ReadyForNewScale", "recommended size matches current size")
            }
            () if self.explicit && desired >= current => (
                "ScaleUpStabilized",
                "recent recommendations were lower than current one, applying the lowest recent recommendation",
            ),
            () => (
                "ScaleDownStabilized",
                "recent recommendations were higher than current one, applying the highest recent recommendation",
            ),
        };
        let (replicas, told) = match self.explicit {
            true => self.limit(history, current, stable, now),
            false => self.limit_plainly(current, stable),
        };
        Paced { replicas, able, limited: (replicas != stable, told) }
    }

    /// Remembers a change that was made.
    pub(super) fn changed(&self, history: &mut History, from: i32, to: i32, now: Timestamp) {
        let (list, longest) = if to > from {
            (&mut history.ups, self.up.longest_period())
        } else {
            (&mut history.downs, self.down.longest_period())
        };
        list.retain(|(at, _)| age(*at, now) < longest);
        list.push((now, (to - from).abs()));
    }

    fn stabilize(&self, history: &mut History, current: i32, desired: i32, now: Timestamp) -> i32 {
        let longest = self.up.window.max(self.down.window);
        history.recommendations.retain(|(at, _)| age(*at, now) < longest);
        let within = |window: i64| {
            let recent = history.recommendations.iter();
            recent.filter(move |(at, _)| age(*at, now) < window).map(|(_, replicas)| *replicas)
        };
        let most = within(self.down.window).fold(desired, i32::max);
        let least = within(self.up.window).fold(desired, i32::min);
        history.recommendations.push((now, desired));
        if self.explicit { current.max(least).min(most) } else { most }
    }

    fn limit(&self, history: &History, current: i32, desired: i32, now: Timestamp) -> (i32, Told) {
        if desired > current {
            let fast = self.most(history, current, now).max(current);
            let (most, told) =
                if self.max > fast { (fast, TOO_FAST_UP) } else { (self.max, TOO_MANY) };
            if desired > most { (most, told) } else { (desired, WITHIN) }
        } else if desired < current {
            let fast = self.least(history, current, now).min(current);
            let (least, told) =
                if self.min < fast { (fast, TOO_FAST_DOWN) } else { (self.min, TOO_FEW) };
            if desired < least { (least, told) } else { (desired, WITHIN) }
        } else {
            (desired, WITHIN)
        }
    }

    /// Without rules: twice as many at once, or four.
    fn limit_plainly(&self, current: i32, desired: i32) -> (i32, Told) {
        let fast = current.saturating_mul(2).max(4);
        let (most, told) = if self.max > fast { (fast, TOO_FAST_UP) } else { (self.max, TOO_MANY) };
        match desired {
            few if few < self.min => (self.min, TOO_FEW),
            many if many > most => (most, told),
            fine => (fine, WITHIN),
        }
    }

    fn most(&self, history: &History, current: i32, now: Timestamp) -> i32 {
        let limits = self.up.policies.iter().map(|policy| {
            let start = self.start(history, current, policy, now);
            match policy.type_.as_str() {
                "Pods" => start.saturating_add(policy.value),
                _ => percent(start, 100 + i64::from(policy.value), true),
            }
        });
        match self.up.select.as_str() {
            "Disabled" => current,
            "Min" => limits.min().unwrap_or(current),
            _ => limits.max().unwrap_or(current),
        }
    }

    fn least(&self, history: &History, current: i32, now: Timestamp) -> i32 {
        let limits = self.down.policies.iter().map(|policy| {
            let start = self.start(history, current, policy, now);
            match policy.type_.as_str() {
                "Pods" => start.saturating_sub(policy.value),
                _ => percent(start, 100 - i64::from(policy.value), false),
            }
        });
        match self.down.select.as_str() {
            "Disabled" => current,
            // The least change is the largest number.
            "Min" => limits.max().unwrap_or(current),
            _ => limits.min().unwrap_or(current),
        }
    }

    /// How many replicas there were when a policy's period began.
    fn start(
        &self,
        history: &History,
        current: i32,
        policy: &HPAScalingPolicy,
        now: Timestamp,
    ) -> i32 {
        let within = |events: &[(Timestamp, i32)]| -> i32 {
            let recent =
                events.iter().filter(|(at, _)| age(*at, now) < i64::from(policy.period_seconds));
            recent.map(|(_, change)| *change).sum()
        };
        current - within(&history.ups) + within(&history.downs)
    }
}

// === impl Direction ===

impl Direction {
    fn longest_period(&self) -> i64 {
        self.policies.iter().map(|policy| i64::from(policy.period_seconds)).max().unwrap_or(0)
    }
}

fn direction(
    given: Option<&HPAScalingRules>,
    window: i64,
    policies: Vec<HPAScalingPolicy>,
) -> Direction {
    let given = given.cloned().unwrap_or_default();
    let tolerance = given.tolerance.and_then(|tolerance| tolerance.0.parse().ok());
    let policies = given.policies.filter(|given| !given.is_empty()).unwrap_or(policies);
    Direction {
        window: given.stabilization_window_seconds.map_or(window, i64::from),
        select: given.select_policy.unwrap_or_default(),
        policies,
        tolerance: tolerance.map_or(TOLERANCE, thousandths),
    }
}

#[allow(clippy::cast_precision_loss, reason = "tolerances are small")]
fn thousandths(quantity: Quantity) -> f64 {
    quantity.milli() as f64 / 1000.0
}

fn percent(number: i32, percent: i64, up: bool) -> i32 {
    let hundredths = i64::from(number) * percent;
    let whole = hundredths.div_euclid(100) + i64::from(up && hundredths.rem_euclid(100) != 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}

fn age(at: Timestamp, now: Timestamp) -> i64 {
    now.as_second() - at.as_second()
}
