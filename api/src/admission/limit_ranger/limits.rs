//! How little and how much may be asked for.

use crate::strategy::Map;
use crate::strategy::json::{map_at, map_of, maps_of, str_of};
use crate::validation::rules::quantity;
use std::collections::BTreeMap;
use std::fmt;
use windlass_core::apis;
use windlass_core::apis::core::v1::LimitRangeItem;
use windlass_core::meta::Quantity;

/// An amount, and how it was written.
#[derive(Clone, Debug, Default)]
struct Amount {
    value: Quantity,
    text: String,
}

type Amounts = BTreeMap<String, Amount>;

/// What something asks for.
#[derive(Clone, Default)]
struct Asked {
    requests: Amounts,
    limits: Amounts,
}

/// Which way a limit is held.
#[derive(Clone, Copy)]
enum Bound {
    Minimum,
    Maximum,
    /// A maximum for what has no limits but requests only.
    MaximumRequest,
    Ratio,
}

/// What is wrong with a pod.
pub(super) fn of_pod(pod: &Map, limits: &[LimitRangeItem]) -> Vec<String> {
    let empty = Map::new();
    let spec = map_of(pod, "spec").unwrap_or(&empty);
    let mut wrong = vec![];
    for item in limits {
        match item.type_.as_str() {
            "Container" => {
                for (_, container) in maps_of(spec, "containers") {
                    check(item, &Asked::of(container), Bound::Maximum, &mut wrong);
                }
                for (_, container) in maps_of(spec, "initContainers") {
                    check(item, &Asked::of(container), Bound::Maximum, &mut wrong);
                }
            }
            "Pod" => check(item, &Asked::of_pod(spec), Bound::Maximum, &mut wrong),
            _ => {}
        }
    }
    wrong
}

/// What is wrong with a claim.
pub(super) fn of_claim(claim: &Map, limits: &[LimitRangeItem]) -> Vec<String> {
    let empty = Map::new();
    let requests = Asked::of(map_of(claim, "spec").unwrap_or(&empty)).requests;
    let asked = Asked { requests, ..Asked::default() };
    let mut wrong = vec![];
    for item in limits.iter().filter(|item| item.type_ == "PersistentVolumeClaim") {
        check(item, &asked, Bound::MaximumRequest, &mut wrong);
    }
    wrong
}

fn check(item: &LimitRangeItem, asked: &Asked, maximum: Bound, wrong: &mut Vec<String>) {
    let ratio = item.max_limit_request_ratio.as_ref().filter(|_| matches!(maximum, Bound::Maximum));
    let bounds =
        [(item.min.as_ref(), Bound::Minimum), (item.max.as_ref(), maximum), (ratio, Bound::Ratio)];
    for (list, bound) in bounds {
        for (name, quantity) in list.into_iter().flatten() {
            let Some(enforced) = Amount::of(quantity) else { continue };
            let (request, limit) = (asked.requests.get(name), asked.limits.get(name));
            let why = match bound {
                Bound::Minimum => too_little(request, limit, &enforced),
                Bound::Maximum => too_much(limit, request, &enforced, "limit", "request"),
                Bound::MaximumRequest => too_much(request, None, &enforced, "request", "limit"),
                Bound::Ratio => too_far_apart(request, limit, &enforced),
            };
            if let Some(why) = why {
                wrong.push(bound.tell(name, &item.type_, &enforced, &why));
            }
        }
    }
}

fn too_little(
    request: Option<&Amount>,
    limit: Option<&Amount>,
    enforced: &Amount,
) -> Option<String> {
    let Some(request) = request else { return Some(".  No request is specified".into()) };
    if request.value < enforced.value {
        return Some(format!(", but request is {request}"));
    }
    let limit = limit.filter(|limit| limit.value < enforced.value)?;
    Some(format!(", but limit is {limit}"))
}

/// One that must be there, and one that may be.
fn too_much(
    must: Option<&Amount>,
    may: Option<&Amount>,
    enforced: &Amount,
    must_be: &str,
    may_be: &str,
) -> Option<String> {
    let Some(must) = must else { return Some(format!(".  No {must_be} is specified")) };
    if must.value > enforced.value {
        return Some(format!(", but {must_be} is {must}"));
    }
    let may = may.filter(|may| may.value > enforced.value)?;
    Some(format!(", but {may_be} is {may}"))
}

fn too_far_apart(
    request: Option<&Amount>,
    limit: Option<&Amount>,
    enforced: &Amount,
) -> Option<String> {
    let some = |amount: &&Amount| amount.value != Quantity::default();
    let Some(request) = request.filter(some) else {
        return Some(", but no request is specified or request is 0".into());
    };
    let Some(limit) = limit.filter(some) else {
        return Some(", but no limit is specified or limit is 0".into());
    };
    let milli = |amount: &Amount| i128::from(amount.value.milli());
    if milli(limit) * 1000 <= milli(enforced) * milli(request) {
        return None;
    }
    #[allow(clippy::cast_precision_loss, reason = "it is shown with six digits")]
    let ratio = milli(limit) as f64 / milli(request) as f64;
    Some(format!(", but provided ratio is {ratio:.6}"))
}

// === impl Bound ===

impl Bound {
    fn tell(self, name: &str, kind: &str, enforced: &Amount, why: &str) -> String {
        match self {
            Self::Minimum => format!("minimum {name} usage per {kind} is {enforced}{why}"),
            Self::Maximum | Self::MaximumRequest => {
                format!("maximum {name} usage per {kind} is {enforced}{why}")
            }
            Self::Ratio => {
                format!("{name} max limit to request ratio per {kind} is {enforced}{why}")
            }
        }
    }
}

// === impl Asked ===

impl Asked {
    /// By what has `resources`: a container, a claim.
    fn of(owner: &Map) -> Self {
        let read = |key: &str| {
            let list = map_at(owner, &["resources", key]).into_iter().flatten();
            list.filter_map(|(name, value)| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Some((name.clone(), Amount { value: quantity(value)?, text }))
            })
            .collect()
        };
        Self { requests: read("requests"), limits: read("limits") }
    }

    /// By all containers that run at once, at the most; what the pod says of itself as a whole stands.
    fn of_pod(spec: &Map) -> Self {
        let (mut sum, mut sidecars, mut first) =
            (Self::default(), Self::default(), Self::default());
        for (_, container) in maps_of(spec, "containers") {
            sum.combine(Self::of(container), add);
        }
        for (_, container) in maps_of(spec, "initContainers") {
            // One that goes on runs beside all after it.
            let mut now = sidecars.clone();
            now.combine(Self::of(container), add);
            first.combine(now.clone(), raise);
            if str_of(container, "restartPolicy") == "Always" {
                sidecars = now;
                sum.combine(Self::of(container), add);
            }
        }
        sum.combine(first, raise);
        let own = Self::of(spec);
        sum.requests.extend(own.requests);
        sum.limits.extend(own.limits);
        sum
    }

    fn combine(&mut self, other: Self, how: How) {
        let lists = [(&mut self.requests, other.requests), (&mut self.limits, other.limits)];
        for (to, from) in lists {
            for (name, amount) in from {
                let known = to.remove(&name);
                to.insert(name, known.map_or_else(|| amount.clone(), |known| how(known, &amount)));
            }
        }
    }
}

type How = fn(Amount, &Amount) -> Amount;

fn add(one: Amount, other: &Amount) -> Amount {
    let value = one.value + other.value;
    Amount { value, text: value.to_string() }
}

fn raise(one: Amount, other: &Amount) -> Amount {
    if other.value > one.value { other.clone() } else { one }
}

// === impl Amount ===

impl Amount {
    fn of(quantity: &apis::Quantity) -> Option<Self> {
        Some(Self { value: quantity.0.parse().ok()?, text: quantity.0.clone() })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
