use super::builtin;
use super::config::{Config, Objects};
use super::level::{Arrival, Demand, Grant, Level, Limit, Queuing, Ticket, WhenFull, Width};
use super::permit::Room;
use super::shares::{Borrower, Shares, Smoothed, divide, lend};
use super::shuffle::deal;
use super::{FlowControl, FlowOptions, Listing, Work};
use crate::authentication::User;
use crate::authorization::Attributes;
use crate::storage::Stats;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::client::ListOptions;
use windlass_core::request::{Target, parse};

const QUEUES: WhenFull = WhenFull::Queue(Queuing { queues: 8, hand: 3, length: 4 });

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn wide(seats: u32) -> Width {
    Width { seats, after: None }
}

// === the level ===

/// A level with requests that are told by their number.
struct Played {
    level: Level<u32>,
    running: BTreeMap<u32, Grant>,
    waiting: BTreeMap<u32, Ticket>,
    widths: BTreeMap<u32, u32>,
    now: Duration,
}

impl Played {
    fn new(seats: u32, full: WhenFull) -> Self {
        Self {
            level: Level::new(Limit { seats, full }),
            running: BTreeMap::new(),
            waiting: BTreeMap::new(),
            widths: BTreeMap::new(),
            now: Duration::ZERO,
        }
    }

    fn arrive(&mut self, number: u32, flow: u64, width: Width) -> bool {
        let (arrival, started) = self.level.arrive(self.now, flow, width, || number);
        self.widths.insert(number, width.seats.max(width.after.map_or(0, |(seats, _)| seats)));
        self.start(started);
        match arrival {
            Arrival::Granted(grant) => drop(self.running.insert(number, grant)),
            Arrival::Waits(ticket) => drop(self.waiting.insert(number, ticket)),
            Arrival::Refused(_) => return false,
        }
        true
    }

    fn start(&mut self, started: impl IntoIterator<Item = (u32, Grant)>) {
        for (number, grant) in started {
            assert!(self.waiting.remove(&number).is_some(), "{number} did not wait");
            self.running.insert(number, grant);
        }
    }

    fn finish(&mut self, number: u32) {
        let grant = self.running.remove(&number).expect("it runs");
        let started = self.level.finish(self.now, grant);
        self.start(started);
    }

    fn check(&self, seats: u32) {
        let used: u32 = self.running.keys().map(|number| self.widths[number]).sum();
        assert!(used <= self.level.seats_in_use());
        assert!(used <= seats || self.running.len() == 1, "{used} of {seats} seats");
        assert_eq!(self.level.waiting(), self.waiting.len());
        assert_eq!(self.level.executing() as usize, self.running.len());
    }
}

#[test]
fn work_that_shows_late_is_paid_for_by_those_behind() {
    let mut played = Played::new(4, QUEUES);
    assert!(played.arrive(0, 1, Width::ONE));
    let grant = played.running.get_mut(&0).expect("it runs");
    played.level.widen(played.now, grant, wide(4));
    assert_eq!(played.level.seats_in_use(), 4);
    assert!(played.arrive(1, 2, Width::ONE));
    assert_eq!(played.level.waiting(), 1, "there is no seat left");
    played.now += millis(10);
    played.finish(0);
    assert_eq!((played.level.waiting(), played.level.seats_in_use()), (0, 1));
    played.finish(1);
    assert_eq!(played.level.seats_in_use(), 0);
}

#[tokio::test]
async fn a_transaction_is_as_wide_as_it_is_long() {
    let work = |count| Work::Writes(count, 0).width(100);
    assert_eq!((work(1).seats, work(7).seats, work(256).seats), (1, 7, 10));
    assert_eq!(Work::Writes(5, 30).width(100).after, Work::Write(30).width(100).after);
}

#[derive(Clone, Debug)]
enum Deed {
    Arrive { flow: u64, seats: u32, after: Option<(u32, u64)> },
    Finish(usize),
    Cancel(usize),
    Pass(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0..6_u64, 1..4_u32, proptest::option::of((1..3_u32, 1..20_u64)))
            .prop_map(|(flow, seats, after)| Deed::Arrive { flow: flow.wrapping_mul(0x9E37_79B9_7F4A_7C15), seats, after }),
        3 => any::<usize>().prop_map(Deed::Finish),
        1 => any::<usize>().prop_map(Deed::Cancel),
        2 => (0..50_u64).prop_map(Deed::Pass),
    ]
}

proptest! {
    /// Whatever happens: seats are never exceeded, nobody is lost, and in the end everyone was served.
    #[test]
    fn seats_are_kept_and_nobody_starves(
        seats in 1..6_u32,
        deeds in proptest::collection::vec(deed(), 1..200),
    ) {
        let mut played = Played::new(seats, QUEUES);
        for (number, deed) in deeds.into_iter().enumerate() {
            match deed {
                Deed::Arrive { flow, seats, after } => {
                    let after = after.map(|(seats, time)| (seats, millis(time)));
                    played.arrive(number as u32, flow, Width { seats, after });
                }
                Deed::Finish(at) if !played.running.is_empty() => {
                    let number = *played.running.keys().nth(at % played.running.len()).expect("one");
                    played.finish(number);
                }
                Deed::Cancel(at) if !played.waiting.is_empty() => {
                    let number = *played.waiting.keys().nth(at % played.waiting.len()).expect("one");
                    let ticket = played.waiting.remove(&number).expect("it waits");
                    prop_assert!(played.level.cancel(played.now, ticket));
                    let started = played.level.settle(played.now);
                    played.start(started);
                }
                Deed::Pass(time) => {
                    played.now += millis(time);
                    let started = played.level.settle(played.now);
                    played.start(started);
                }
                Deed::Finish(_) | Deed::Cancel(_) => {}
            }
            played.check(seats);
        }
        for _ in 0..1000 {
            let Some(number) = played.running.keys().next().copied() else {
                if played.waiting.is_empty() { break }
                played.now += millis(20);
                let started = played.level.settle(played.now);
                played.start(started);
                continue;
            };
            played.now += millis(5);
            played.finish(number);
            played.check(seats);
        }
        played.now += millis(100);
        played.level.settle(played.now);
        prop_assert!(played.waiting.is_empty() && played.running.is_empty());
        prop_assert_eq!(played.level.seats_in_use(), 0);
    }

    /// A hand has different cards, all of the deck.
    #[test]
    fn hands_are_dealt_right(hash in any::<u64>(), queues in 1..200_u16, size in 1..8_u16) {
        let hand = deal(hash, queues, size);
        prop_assert_eq!(hand.len(), usize::from(size.min(queues)));
        let mut sorted = hand.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        prop_assert_eq!(sorted.len(), hand.len());
        prop_assert!(hand.iter().all(|card| *card < queues));
    }

    /// Lending gives no level less than it must keep nor more than it may have, and no more than there is.
    #[test]
    fn lending_keeps_to_the_bounds(
        levels in proptest::collection::vec((0..200_u32, 0..=100_u32, proptest::option::of(0..400_u32), 0.0..900.0_f64), 1..10),
        seats in 1..1000_u32,
    ) {
        let shares: Vec<_> = levels.iter()
            .map(|(nominal, lendable, borrowing, _)| Shares { nominal: *nominal, lendable: *lendable, borrowing: *borrowing })
            .collect();
        let bounds = divide(seats, &shares);
        let borrowers: Vec<_> = bounds.iter().zip(&levels).map(|(bounds, (.., demand))| Borrower {
            bounds: *bounds,
            exempt: false,
            asked: Smoothed::default().then(Demand { high: *demand, average: *demand, deviation: 0.0 }),
        }).collect();
        let lent = lend(&borrowers);
        let total: u32 = bounds.iter().map(|bounds| bounds.nominal).sum();
        prop_assert!(lent.iter().sum::<u32>() <= total);
        for (lent, bounds) in lent.iter().zip(&bounds) {
            prop_assert!(*lent <= bounds.upper.max(bounds.nominal), "{lent} {bounds:?}");
            prop_assert!(*lent >= bounds.lower, "{lent} {bounds:?}");
        }
    }
}

/// One flow sends as much as it can, another now and then: both get what is their due.
#[test]
fn a_flood_does_not_drown_a_trickle() {
    let full = WhenFull::Queue(Queuing { queues: 64, hand: 6, length: 1000 });
    let mut played = Played::new(4, full);
    for number in 0..2000 {
        played.arrive(number, 1, Width::ONE);
    }
    let mut waited = Vec::new();
    for trickle in 2000..2020 {
        played.arrive(trickle, 999_999_937, Width::ONE);
        let mut rounds = 0;
        while !played.running.contains_key(&trickle) {
            played.now += millis(10);
            for number in played.running.keys().copied().collect::<Vec<_>>() {
                played.finish(number);
            }
            rounds += 1;
        }
        waited.push(rounds);
    }
    // Six queues of the flood stand beside one of the trickle.
    assert!(waited.iter().all(|rounds| *rounds <= 2), "{waited:?}");
}

/// Two flows that always have requests get the same time, though one asks for twice as much at once.
#[test]
fn seats_are_shared_by_work() {
    let full = WhenFull::Queue(Queuing { queues: 2, hand: 1, length: 100_000 });
    let mut played = Played::new(4, full);
    for number in 0..4000 {
        for (flow, seats) in [(0, 2), (1, 1)] {
            played.arrive(number * 2 + u32::from(flow == 1), flow, wide(seats));
        }
    }
    let mut work = [0_u32; 2];
    for _ in 0..1000 {
        played.now += millis(10);
        for number in played.running.keys().copied().collect::<Vec<_>>() {
            work[(number % 2) as usize] += played.widths[&number];
            played.finish(number);
        }
    }
    let [wide, narrow] = work.map(f64::from);
    assert!((wide / narrow - 1.0).abs() < 0.1, "{work:?}");
}

#[test]
fn one_that_is_too_wide_goes_alone() {
    let mut played = Played::new(2, QUEUES);
    played.arrive(1, 0, Width::ONE);
    played.arrive(2, 0, wide(5));
    played.arrive(3, 1, Width::ONE);
    assert_eq!(played.waiting.keys().copied().collect::<Vec<_>>(), [2, 3]);
    played.now = millis(1);
    played.finish(1);
    assert!(played.running.contains_key(&2) || played.running.contains_key(&3));
    let first = *played.running.keys().next().expect("one");
    played.finish(first);
    assert_eq!(played.running.len(), 1);
}

#[test]
fn what_finds_no_seat_is_refused_or_waits() {
    let mut rejecting = Played::new(1, WhenFull::Reject);
    assert!(rejecting.arrive(1, 0, Width::ONE) && !rejecting.arrive(2, 0, Width::ONE));
    let full = WhenFull::Queue(Queuing { queues: 1, hand: 1, length: 2 });
    let mut queueing = Played::new(1, full);
    let let_in = (0..4).map(|number| queueing.arrive(number, 0, Width::ONE)).collect::<Vec<_>>();
    assert_eq!(let_in, [true, true, true, false]);
    let mut exempt = Played::new(0, WhenFull::Exempt);
    assert!((0..1000).all(|number| exempt.arrive(number, 0, Width::ONE)));
    assert_eq!(exempt.running.len(), 1000);
    let mut jail = Played::new(0, full);
    assert!(jail.arrive(1, 0, Width::ONE) && jail.running.is_empty());
}

#[test]
fn seats_for_watchers_are_taken_after_the_end() {
    let mut played = Played::new(2, QUEUES);
    played.arrive(1, 0, Width { seats: 1, after: Some((2, millis(5))) });
    played.arrive(2, 1, Width::ONE);
    played.finish(1);
    assert!(played.running.is_empty(), "the watchers are being told");
    assert_eq!(played.level.alarm(played.now), Some(millis(5)));
    assert_eq!(played.level.alarm(played.now), None, "said once");
    played.now = millis(5);
    let started = played.level.settle(played.now);
    played.start(started);
    assert!(played.running.contains_key(&2));
}

// === who is who ===

fn classified(user: &User, path: &str) -> (String, String) {
    let config = Config::new(&Objects::builtin(false), 600, Instant::now(), None);
    let (path, query) = path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q)));
    let info = parse(&http::Method::GET, path, query);
    let resource = match &info.target {
        Target::Resource(target) => Some(target),
        Target::Path => None,
    };
    let attributes = Attributes { user, verb: info.verb.as_str(), resource, path, selectors: None };
    let schema = config.classify(&attributes).expect("somebody takes it");
    (schema.name.clone(), schema.level.name.clone())
}

#[test]
fn requests_find_their_level() {
    let node = User::new("system:node:a", ["system:nodes"]);
    let manager = User::new("system:kube-controller-manager", []);
    let system = User::new("system:serviceaccount:kube-system:x", ["system:serviceaccounts"]);
    let account = User::new("system:serviceaccount:a:x", ["system:serviceaccounts"]);
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x";
    for (user, path, schema, level) in [
        (&User::admin(), "/api/v1/pods", "exempt", "exempt"),
        (&User::anonymous(), "/readyz", "probes", "exempt"),
        (&User::anonymous(), "/readyz/etcd", "global-default", "global-default"),
        (&User::anonymous(), "/version", "global-default", "global-default"),
        (&node, "/api/v1/nodes/a/status", "system-node-high", "node-high"),
        (&node, leases, "system-node-high", "node-high"),
        (&node, "/api/v1/pods", "system-nodes", "system"),
        (&manager, leases, "system-leader-election", "leader-election"),
        (&manager, "/api/v1/pods", "kube-controller-manager", "workload-high"),
        (&system, "/api/v1/pods", "kube-system-service-accounts", "workload-high"),
        (&account, "/api/v1/pods", "service-accounts", "workload-low"),
        (&User::new("jane", []), "/api/v1/pods", "global-default", "global-default"),
    ] {
        let found = classified(user, path);
        assert_eq!((found.0.as_str(), found.1.as_str()), (schema, level), "{} {path}", user.name);
    }
}

#[test]
fn seats_are_divided_as_kubernetes_does() {
    let config = Config::new(&Objects::builtin(false), 600, Instant::now(), None);
    let of = |name: &str| config.levels.iter().find(|l| l.name == name).expect("a level").bounds;
    // 245 shares for 600 seats.
    assert_eq!((of("workload-low").nominal, of("workload-low").lower), (245, 24));
    assert_eq!((of("catch-all").nominal, of("catch-all").lower), (13, 13));
    assert_eq!(of("exempt").nominal, 0);
    assert_eq!(of("global-default").upper, 600);
}

#[test]
fn built_in_specs_are_what_defaulting_makes_of_them() {
    use crate::strategy::strategy_for;
    for one in builtin() {
        let mut object = serde_json::json!({"metadata": {"name": one.name}, "spec": one.spec});
        let map = object.as_object_mut().expect("an object");
        let strategy = strategy_for(&one.resource);
        strategy.default(map);
        assert!(strategy.validate(map).is_empty(), "{}", one.name);
        assert_eq!(object["spec"], one.spec, "{}", one.name);
    }
}

#[test]
fn width_follows_the_work() {
    let stats = Stats { objects: 5000, bytes: 2000 };
    let seats = |query: &[(&str, &str)], named| {
        let query: Vec<_> = query.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let options = ListOptions::from_query(&query).expect("options");
        Work::List(Listing::new(stats, &options, named, false)).width(1000).seats
    };
    assert_eq!(seats(&[], false), 10, "streamed from the cache");
    assert_eq!(seats(&[], true), 1);
    assert_eq!(seats(&[("limit", "100")], false), 2);
    assert_eq!(seats(&[("continue", "x"), ("limit", "5000")], false), 100);
    assert_eq!(Work::Write(9).width(1000), Width::ONE);
    assert_eq!(Work::Write(50).width(1000).after, Some((5, millis(5))));
    assert_eq!(Work::Write(1000).width(1000).after, Some((10, millis(50))));
    assert_eq!(Work::Write(1000).width(6).after, Some((1, millis(500))));
}

// === waiting ===

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_or_gives_up() {
    let room = Room::new(Limit { seats: 1, full: QUEUES }, Instant::now());
    let first = room.admit(0, Width::ONE, millis(100)).await.expect("there is a seat");
    let late = room.admit(1, Width::ONE, millis(100)).await;
    assert_eq!(late.err(), Some("time-out"));
    let (next, ()) = tokio::join!(room.admit(2, Width::ONE, millis(100)), async {
        tokio::task::yield_now().await;
        drop(first);
    });
    let held = next.expect("its turn came");
    // One that goes away while it waits leaves nothing behind.
    tokio::select! {
        biased;
        _ = room.admit(3, Width::ONE, millis(100)) => panic!("there is no seat"),
        () = tokio::time::sleep(millis(10)) => {}
    }
    drop(held);
    let free =
        room.with(|level, _| ((level.seats_in_use(), level.waiting()), smallvec::SmallVec::new()));
    assert_eq!(free, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn idle_seats_are_lent_when_requests_arrive() {
    let options = FlowOptions { seats: 60, ..FlowOptions::default() };
    let flow = FlowControl::new(options, 7);
    let user = User::new("system:serviceaccount:a:x", ["system:serviceaccounts"]);
    let attributes = Attributes::of_path(&user, "get", "/x");
    let limit = |flow: &FlowControl| {
        flow.levels().into_iter().find(|l| l.name == "workload-low").expect("a level").seats
    };
    assert_eq!(limit(&flow), 25);
    let mut held = Vec::new();
    for _ in 0..25 {
        held.push(flow.admit(&attributes, || Some(Work::One)).await.ok().expect("a seat"));
    }
    tokio::time::advance(Duration::from_secs(11)).await;
    // This one finds that it is time, and that others do not use theirs.
    held.push(
        flow.admit(&attributes, || Some(Work::One)).await.ok().expect("a seat that was lent"),
    );
    assert!(limit(&flow) > 25, "{}", limit(&flow));
    let all: u32 = flow.levels().iter().map(|level| level.seats).sum();
    assert!(all <= 63, "{all}");
}

/// Says what the way costs when nobody else is there.
#[tokio::test]
async fn the_way_is_short_when_it_is_free() {
    let flow = FlowControl::new(FlowOptions::default(), 7);
    let user = User::new("jane", ["a", "b"]);
    let info = parse(&http::Method::GET, "/api/v1/namespaces/a/pods/b", None);
    let Target::Resource(target) = &info.target else { panic!("a resource") };
    let attributes = Attributes::of(&user, "get", target);
    let start = std::time::Instant::now();
    for _ in 0..10_000 {
        drop(flow.admit(&attributes, || Some(Work::One)).await.ok().expect("a seat"));
    }
    println!("{:?} a request", start.elapsed() / 10_000);
    assert_eq!(flow.schemas().iter().map(|schema| schema.dispatched).sum::<u64>(), 10_000);
}
