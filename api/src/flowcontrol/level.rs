//! One priority level: its seats and its fair queues. A plain structure; the caller brings the time.
//!
//! Fair queuing for requests as Kubernetes does it: a virtual clock counts the work that one queue would have got
//! done if all that have some had been served evenly. A queue whose next request would be done first by that clock
//! comes first. How long a request takes is guessed when it starts, and set right when it ends.

mod demand;
mod limit;
mod queue;

pub(crate) use demand::Demand;
pub(crate) use limit::{Limit, Queuing, WhenFull};

use super::shuffle::deal;
use demand::Observed;
use queue::{Queue, Waiting};
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Seconds that a request is taken to last until that is known.
const GUESS: f64 = 0.003;

/// How much room a request takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Width {
    /// Seats while it is worked on.
    pub(crate) seats: u32,
    /// Seats for what it makes others do afterwards, and for how long.
    pub(crate) after: Option<(u32, Duration)>,
}

/// A request that has its seats. Give it back with [`Level::finish`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    width: Width,
    queue: Option<u16>,
    at: Duration,
}

/// A request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    queue: u16,
    number: u64,
}

/// What became of an arrival.
#[derive(Debug)]
pub(crate) enum Arrival {
    Granted(Grant),
    Waits(Ticket),
    /// There is no seat and nowhere to wait: the reason, as metrics show it.
    Refused(&'static str),
}

/// Requests that get their turn, with what they left to be told by.
pub(crate) type Started<T> = SmallVec<[(T, Grant); 1]>;

/// A priority level. `T` is what a waiting request leaves to be told by.
pub(crate) struct Level<T> {
    limit: Limit,
    queues: Vec<Queue<T>>,
    in_use: u32,
    executing: u32,
    waiting: usize,
    waiting_seats: u64,
    /// Queues that have requests, waiting or not.
    active: u32,
    /// Seat-seconds that a queue would have got done so far.
    virtual_time: f64,
    last: Duration,
    /// Seats that are still taken by what ended requests made others do.
    after: BinaryHeap<Reverse<(Duration, u32, Option<u16>)>>,
    alarm: Option<Duration>,
    next_number: u64,
    robin: usize,
    observed: Observed,
}

// === impl Width ===

impl Width {
    /// One seat and nothing after it.
    pub(crate) const ONE: Self = Self { seats: 1, after: None };

    /// The seats it must have before it starts.
    fn needed(&self) -> u32 {
        self.seats.max(self.after.map_or(0, |(seats, _)| seats))
    }

    fn work(&self, seconds: f64) -> f64 {
        let after = self.after.map_or(0.0, |(seats, time)| f64::from(seats) * time.as_secs_f64());
        f64::from(self.seats) * seconds + after
    }
}

// === impl Grant ===

impl Grant {
    /// How long it has its seats.
    pub(crate) fn held(&self, now: Duration) -> Duration {
        now.saturating_sub(self.at)
    }
}

// === impl Level ===

impl<T> Level<T> {
    pub(crate) fn new(limit: Limit) -> Self {
        let mut level = Self {
            limit,
            queues: Vec::new(),
            in_use: 0,
            executing: 0,
            waiting: 0,
            waiting_seats: 0,
            active: 0,
            virtual_time: 0.0,
            last: Duration::ZERO,
            after: BinaryHeap::new(),
            alarm: None,
            next_number: 0,
            robin: 0,
            observed: Observed::default(),
        };
        level.make_queues();
        level
    }

    pub(crate) fn limit(&self) -> Limit {
        self.limit
    }

    pub(crate) fn seats_in_use(&self) -> u32 {
        self.in_use
    }

    pub(crate) fn executing(&self) -> u32 {
        self.executing
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Other limits from now on. Who waits goes on waiting, also in a queue that gets no new ones.
    pub(crate) fn set_limit(&mut self, now: Duration, limit: Limit) -> Started<T> {
        self.advance(now);
        self.limit = limit;
        self.make_queues();
        self.dispatch(now)
    }

    /// There are never fewer queues than before: somebody may wait in them.
    fn make_queues(&mut self) {
        if let WhenFull::Queue(queuing) = self.limit.full {
            let wanted = usize::from(queuing.queues).max(self.queues.len());
            self.queues.resize_with(wanted, Queue::new);
        }
    }

    /// A request of a flow arrives. `tell` makes what it leaves if it has to wait.
    pub(crate) fn arrive(
        &mut self,
        now: Duration,
        flow: u64,
        width: Width,
        tell: impl FnOnce() -> T,
    ) -> (Arrival, Started<T>) {
        self.advance(now);
        let started = self.settle(now);
        let WhenFull::Queue(queuing) = self.limit.full else {
            if self.limit.full == WhenFull::Exempt || self.fits(&width) {
                return (Arrival::Granted(self.start(now, None, width)), started);
            }
            return (Arrival::Refused("concurrency-limit"), started);
        };
        let queue = self.choose(flow, queuing);
        if self.waiting == 0 && self.fits(&width) {
            self.activate(queue);
            return (Arrival::Granted(self.start(now, Some(queue), width)), started);
        }
        if self.queues[usize::from(queue)].waiting.len() >= queuing.length {
            return (Arrival::Refused("queue-full"), started);
        }
        let number = self.next_number;
        self.next_number += 1;
        self.activate(queue);
        let chosen = &mut self.queues[usize::from(queue)];
        chosen.waiting.push_back(Waiting { number, width, tell: tell() });
        chosen.waiting_seats += u64::from(width.needed());
        self.waiting += 1;
        self.waiting_seats += u64::from(width.needed());
        self.observe();
        (Arrival::Waits(Ticket { queue, number }), started)
    }

    /// A request turns out to be wider than it looked. It has its seats at once: it has some already, and would be in
    /// its own way if it waited. Those behind it wait for longer.
    pub(crate) fn widen(&mut self, now: Duration, grant: &mut Grant, width: Width) {
        self.advance(now);
        let after = |width: &Width| width.after.map_or(0, |(seats, _)| seats);
        let wider = if after(&width) < after(&grant.width) { grant.width } else { width };
        let seats = width.seats.max(grant.width.seats);
        let width = Width { seats, after: wider.after };
        let more = width.needed() - grant.width.needed();
        self.in_use += more;
        if let Some(queue) = grant.queue {
            let queue = &mut self.queues[usize::from(queue)];
            queue.in_use += more;
            queue.next_start += (width.work(GUESS) - grant.width.work(GUESS)).max(0.0);
        }
        grant.width = width;
        self.observe();
    }

    /// A request ended.
    pub(crate) fn finish(&mut self, now: Duration, grant: Grant) -> Started<T> {
        self.advance(now);
        self.executing -= 1;
        let took = grant.held(now).as_secs_f64();
        if let Some(queue) = grant.queue {
            // What was guessed when it started is set right.
            let queue = &mut self.queues[usize::from(queue)];
            queue.next_start += f64::from(grant.width.seats) * (took - GUESS);
        }
        let mut free = grant.width.needed();
        if let Some((seats, time)) = grant.width.after.filter(|(seats, _)| *seats > 0) {
            self.after.push(Reverse((now + time, seats, grant.queue)));
            free -= seats;
        }
        self.release(grant.queue, free);
        self.settle(now)
    }

    /// A request does not wait any longer. False when it does not wait: it was started.
    pub(crate) fn cancel(&mut self, now: Duration, ticket: Ticket) -> bool {
        self.advance(now);
        let queue = &mut self.queues[usize::from(ticket.queue)];
        let Some(at) = queue.waiting.iter().position(|one| one.number == ticket.number) else {
            return false;
        };
        if let Some(gone) = queue.waiting.remove(at) {
            let seats = u64::from(gone.width.needed());
            queue.waiting_seats -= seats;
            self.waiting_seats -= seats;
            self.waiting -= 1;
            self.active -= u32::from(queue.is_idle());
        }
        self.observe();
        true
    }

    /// Frees what only time frees, and starts what then finds a seat.
    pub(crate) fn settle(&mut self, now: Duration) -> Started<T> {
        while let Some(Reverse((at, seats, queue))) = self.after.peek().copied()
            && at <= now
        {
            self.after.pop();
            self.release(queue, seats);
        }
        self.dispatch(now)
    }

    /// When [`settle`](Self::settle) must be called although nothing else happens: said once for each time.
    pub(crate) fn alarm(&mut self, now: Duration) -> Option<Duration> {
        if self.alarm.is_some_and(|at| at > now) || self.waiting == 0 {
            return None;
        }
        self.alarm = self.after.peek().map(|Reverse((at, ..))| *at);
        self.alarm
    }

    /// How many seats were asked for since this was last called.
    pub(crate) fn take_demand(&mut self, now: Duration) -> Demand {
        self.advance(now);
        let seats = self.demanded();
        self.observed.take(now, seats)
    }

    fn demanded(&self) -> f64 {
        f64::from(self.in_use) + self.waiting_seats as f64
    }

    fn observe(&mut self) {
        self.observed.note(self.demanded());
    }

    /// Lets the virtual clock go on.
    fn advance(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.last).as_secs_f64();
        self.last = self.last.max(now);
        let seats = self.demanded();
        self.observed.pass(seats, passed);
        if self.active > 0 {
            let served = seats.min(f64::from(self.limit.seats));
            self.virtual_time += passed * served / f64::from(self.active);
        }
    }

    /// One that is wider than the level goes alone, unless the level has no seat at all.
    fn fits(&self, width: &Width) -> bool {
        let (needed, seats) = (width.needed(), self.limit.seats);
        self.limit.full == WhenFull::Exempt
            || (needed > seats && seats > 0 && self.in_use == 0)
            || self.in_use.saturating_add(needed) <= seats
    }

    /// The shortest of a flow's queues.
    fn choose(&self, flow: u64, queuing: Queuing) -> u16 {
        let hand = deal(flow, queuing.queues, queuing.hand);
        let length = |queue: &u16| {
            let queue = &self.queues[usize::from(*queue)];
            queue.waiting_seats + u64::from(queue.in_use)
        };
        hand.into_iter().min_by_key(length).unwrap_or_default()
    }

    /// A queue that had nothing to do has no claims from before.
    fn activate(&mut self, queue: u16) {
        let queue = &mut self.queues[usize::from(queue)];
        if queue.is_idle() {
            queue.next_start = self.virtual_time;
            self.active += 1;
        }
    }

    fn start(&mut self, now: Duration, queue: Option<u16>, width: Width) -> Grant {
        self.executing += 1;
        self.in_use += width.needed();
        if let Some(queue) = queue {
            let queue = &mut self.queues[usize::from(queue)];
            queue.in_use += width.needed();
            queue.next_start += width.work(GUESS);
        }
        self.observe();
        Grant { width, queue, at: now }
    }

    fn release(&mut self, queue: Option<u16>, seats: u32) {
        self.in_use -= seats;
        if let Some(queue) = queue {
            let queue = &mut self.queues[usize::from(queue)];
            queue.in_use -= seats;
            self.active -= u32::from(seats > 0 && queue.is_idle());
        }
    }

    /// Starts all that find a seat, in fair order. The first that finds none keeps those behind it waiting: else
    /// a wide request would wait for ever.
    fn dispatch(&mut self, now: Duration) -> Started<T> {
        let mut started = Started::new();
        while self.waiting > 0
            && let Some((next, width)) = self.next()
            && self.fits(&width)
        {
            let queue = &mut self.queues[next];
            let Some(first) = queue.waiting.pop_front() else { break };
            let seats = u64::from(width.needed());
            queue.waiting_seats -= seats;
            self.waiting_seats -= seats;
            self.waiting -= 1;
            self.robin = next + 1;
            // There are at most `u16::MAX` queues.
            started.push((first.tell, self.start(now, Some(next as u16), width)));
        }
        started
    }

    /// The queue whose first request would be done first, and how wide that is.
    fn next(&self) -> Option<(usize, Width)> {
        let count = self.queues.len();
        let in_turn = (0..count).map(|step| (self.robin + step) % count);
        let first = in_turn.filter_map(|at| {
            let first = self.queues[at].waiting.front()?;
            Some((self.queues[at].next_start + first.width.work(GUESS), at, first.width))
        });
        first.min_by(|(a, ..), (b, ..)| a.total_cmp(b)).map(|(_, at, width)| (at, width))
    }
}
