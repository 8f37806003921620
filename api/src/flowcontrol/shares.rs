//! How the seats of the server are divided among the levels, and lent (KEP-1040, "Dispatching" and "Borrowing").

use super::level::Demand;

/// How much of what demand was still counts after one period.
const MEMORY: f64 = 0.977;
/// No demand is taken to be less.
const LEAST: f64 = 0.001;

/// What the configuration of a level says about its seats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Shares {
    /// Its part of the server's seats, relative to the other levels'.
    pub(crate) nominal: u32,
    /// How much of its seats others may have, in percent.
    pub(crate) lendable: u32,
    /// How many seats of others it may have, in percent of its own; all when not said.
    pub(crate) borrowing: Option<u32>,
}

/// The seats of a level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Its own.
    pub(crate) nominal: u32,
    /// Those nobody can borrow.
    pub(crate) lower: u32,
    /// Its own and all it may borrow.
    pub(crate) upper: u32,
}

/// What a level asked for, long and short.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Smoothed {
    demand: Demand,
    smooth: f64,
}

/// One level when seats are lent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Borrower {
    pub(crate) bounds: Bounds,
    pub(crate) exempt: bool,
    pub(crate) asked: Smoothed,
}

/// Divides the seats of a server among its levels.
pub(crate) fn divide(seats: u32, shares: &[Shares]) -> Vec<Bounds> {
    let all: u64 = shares.iter().map(|one| u64::from(one.nominal)).sum();
    let percent = |of: u32, part: u32| (u64::from(of) * u64::from(part) + 50) / 100;
    let bounds = |one: &Shares| {
        let part = (u64::from(seats) * u64::from(one.nominal)).div_ceil(all.max(1));
        // At most `seats`.
        let nominal = part as u32;
        let lendable = percent(nominal, one.lendable.min(100)) as u32;
        let borrowed = one.borrowing.map_or(seats.into(), |part| percent(nominal, part));
        let upper =
            (u64::from(nominal) + borrowed).min(u64::from(seats).max(nominal.into())) as u32;
        Bounds { nominal, lower: nominal - lendable, upper }
    };
    shares.iter().map(bounds).collect()
}

/// Lends seats according to what was asked for: how many each level may use from now on. Exempt levels take what
/// they take; what that leaves is divided.
pub(crate) fn lend(levels: &[Borrower]) -> Vec<u32> {
    let total: u32 = levels.iter().map(|level| level.bounds.nominal).sum();
    let taken = |level: &Borrower| level.floor();
    let exempt: f64 = levels.iter().filter(|level| level.exempt).map(taken).sum();
    let left = (f64::from(total) - exempt).max(0.0);
    let limited: Vec<_> = levels.iter().filter(|level| !level.exempt).collect();
    let floors: f64 = limited.iter().map(|level| level.floor()).sum();
    let ranges: Vec<_> = limited.iter().map(|level| level.range(floors > left)).collect();
    let mut parts = whole(&fair(left, &ranges), left, &ranges).into_iter();
    let part = |level: &Borrower| match level.exempt {
        true => level.floor() as u32,
        false => parts.next().unwrap_or_default(),
    };
    levels.iter().map(part).collect()
}

/// What one level wants, and between which bounds it gets it.
struct Range {
    target: f64,
    low: f64,
    high: f64,
}

/// The same fraction of what each wants, within the bounds, such that the sum is right.
fn fair(sum: f64, ranges: &[Range]) -> Vec<f64> {
    let at = |fraction: f64| {
        ranges.iter().map(move |one| (one.target * fraction).max(one.low).min(one.high))
    };
    let (mut few, mut many) = (0.0, sum.max(1.0) / LEAST);
    for _ in 0..100 {
        let middle = f64::midpoint(few, many);
        if at(middle).sum::<f64>() < sum { few = middle } else { many = middle }
    }
    at(many).collect()
}

/// Whole seats: each the part below, and one more where most is missing while there are some.
fn whole(parts: &[f64], sum: f64, ranges: &[Range]) -> Vec<u32> {
    let mut seats: Vec<u32> = parts.iter().map(|part| (part + 1e-6) as u32).collect();
    let mut left = sum.round() as i64 - seats.iter().map(|seats| i64::from(*seats)).sum::<i64>();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|a, b| parts[*b].fract().total_cmp(&parts[*a].fract()));
    for at in order {
        if left > 0 && f64::from(seats[at]) < ranges[at].high.floor() && parts[at].fract() > 1e-6 {
            seats[at] += 1;
            left -= 1;
        }
    }
    seats
}

// === impl Borrower ===

impl Borrower {
    /// What it keeps in any case: its own seats as far as it asked for them.
    fn floor(&self) -> f64 {
        let wanted = self.asked.demand.high.min(f64::from(self.bounds.nominal));
        wanted.max(f64::from(self.bounds.lower))
    }

    fn range(&self, scarce: bool) -> Range {
        let (lower, upper) = (f64::from(self.bounds.lower), f64::from(self.bounds.upper));
        let target = self.asked.smooth.max(self.floor()).max(LEAST);
        match scarce {
            true => Range { target, low: lower, high: self.floor() },
            false => Range { target, low: self.floor(), high: upper },
        }
    }
}

// === impl Smoothed ===

impl Smoothed {
    /// After one more period: follows a rise at once, a fall slowly.
    pub(crate) fn then(self, demand: Demand) -> Self {
        let envelope = demand.average + demand.deviation;
        let smooth = envelope.max(MEMORY * self.smooth + (1.0 - MEMORY) * envelope);
        Self { demand, smooth }
    }
}
