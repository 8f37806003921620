use super::plan::{Pool, Range};
use super::sync::{Given, Sync};
use crate::Context;
use crate::support::testing::cases;
use parking_lot::Mutex;
use serde::Deserialize;
use std::sync::Arc;
use windlass_api::authentication::User;
use windlass_api::local::LocalClient;
use windlass_api::server::ApiServer;
use windlass_core::client::{ListOptions, Scope};
use windlass_core::clock::Env;
use windlass_core::component::Shutdown;
use windlass_core::{cache::Informer, scheme};

#[derive(Deserialize)]
struct Case {
    name: String,
    cidrs: String,
    mask: Option<u8>,
    #[serde(default)]
    taken: Vec<String>,
    free: Option<Vec<String>>,
}

#[test]
fn each_family_gives_the_first_free_part() {
    for case in cases::<Case>(include_str!("tests/parts.yaml")) {
        let masks = (case.mask.unwrap_or(24), case.mask.unwrap_or(64));
        let mut pool = Pool::parse(&case.cidrs, masks.0, masks.1).unwrap();
        for (number, cidr) in case.taken.into_iter().enumerate() {
            pool.hold(&number.to_string(), vec![cidr]);
        }
        assert_eq!(pool.give("new"), case.free, "{}", case.name);
        assert_eq!(pool.give("new"), case.free, "{}: the same again", case.name);
    }
}

#[test]
fn what_is_no_range_is_refused() {
    for (cidr, mask) in
        [("10.244.0.0/24", 16), ("10.0.0.0/8", 32), ("nonsense", 24), ("10.0.0.0/8", 99)]
    {
        assert_eq!(Range::parse(cidr, mask), None, "{cidr}");
    }
    assert_eq!(Pool::parse("10.1.0.0/24,x", 24, 64), Err("x".into()));
}

#[test]
fn what_is_given_back_goes_to_those_that_wait() {
    let mut pool = Pool::parse("10.1.0.0/22", 24, 64).unwrap();
    let part = |number: u8| Some(vec![format!("10.1.{number}.0/24")]);
    assert_eq!((pool.give("a"), pool.give("b")), (part(0), part(1)));
    assert!(pool.release("a").is_empty(), "nobody waits");
    assert_eq!((pool.give("c"), pool.give("d")), (part(2), part(3)), "in turn");
    assert_eq!((pool.give("e"), pool.give("f"), pool.give("g")), (part(0), None, None));
    assert!(pool.release("unknown").is_empty());
    assert!(pool.release("g").is_empty(), "it waited itself");
    pool.hold("h", part(1).unwrap());
    assert_eq!(pool.release("b").into_iter().collect::<Vec<_>>(), ["f"]);
    assert_eq!(pool.give("f"), None, "two had it");
    pool.release("h");
    assert_eq!(pool.give("f"), part(1));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_gone_takes_nothing_and_wakes_who_waits() {
    let server = ApiServer::builder().env(Env::simulated(7)).build().await.unwrap();
    let client = Arc::new(LocalClient::new(server, User::admin()));
    let context = Context::new(client, Env::simulated(7), Shutdown::new());
    let none = Arc::new(Informer::new(Scope::all(scheme::NODES), ListOptions::default()));
    let mut pool = Pool::parse("10.1.0.0/24", 24, 64).unwrap();
    assert!(pool.give("gone").is_some() && pool.give("waits").is_none());
    let given: Given = Arc::new(Mutex::new(pool));
    let sync = Sync::new(&context, none, given.clone());
    assert!(sync.give("gone").is_none(), "the cache shows its end before that is told");
    assert_eq!(given.lock().release("gone").into_iter().collect::<Vec<_>>(), ["waits"]);
}
