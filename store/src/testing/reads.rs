//! What [`Read`](crate::Read) promises.

use super::helpers::{commit, delete, list, now, put, value};
use crate::{Backend, Error, KeyRange, Txn};

/// Runs the cases of this module.
pub async fn contract<B: Backend>(make: &impl AsyncFn() -> B) {
    an_absent_key_is_none(&make().await).await;
    reads_see_their_revision(&make().await).await;
    a_range_is_ordered_and_cut(&make().await).await;
    ranges_have_sharp_ends(&make().await).await;
    a_long_range_is_whole(&make().await).await;
    the_future_cannot_be_read(&make().await).await;
}

/// A key that was never written, or was removed, is not there.
pub async fn an_absent_key_is_none(store: &impl Backend) {
    assert_eq!(value(store, "a", None).await, None);
    put(store, "a", "1").await;
    assert_eq!(value(store, "a", None).await.as_deref(), Some("1"));
    delete(store, "a").await;
    assert_eq!(value(store, "a", None).await, None);
}

/// A read at a past revision sees what stood there then, also keys that are gone now.
pub async fn reads_see_their_revision(store: &impl Backend) {
    let first = put(store, "a", "1").await;
    let second = put(store, "b", "2").await;
    let third = put(store, "a", "3").await;
    let fourth = delete(store, "b").await;
    assert_eq!(value(store, "a", Some(first)).await.as_deref(), Some("1"));
    assert_eq!(value(store, "b", Some(first)).await, None);
    assert_eq!(value(store, "a", Some(second)).await.as_deref(), Some("1"));
    assert_eq!(value(store, "b", Some(third)).await.as_deref(), Some("2"));
    assert_eq!(value(store, "b", Some(fourth)).await, None);
    let then = store.range(&KeyRange::all(), 0, Some(third)).await.expect("it is readable");
    assert_eq!(then.revision, third);
    assert_eq!(list(store, KeyRange::all(), 0, Some(third)).await.0, ["a", "b"]);
    assert_eq!(list(store, KeyRange::all(), 0, None).await.0, ["a"]);
}

/// Keys come in the order of their bytes; what the limit leaves out is counted.
pub async fn a_range_is_ordered_and_cut(store: &impl Backend) {
    for key in ["k/3", "k/1", "k/5", "k/2", "k/4", "z"] {
        put(store, key, "").await;
    }
    let before = delete(store, "k/4").await - 1;
    let all = KeyRange::prefix("k/");
    let keys = |keys: &[&str]| keys.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>();
    assert_eq!(list(store, all.clone(), 0, None).await, (keys(&["k/1", "k/2", "k/3", "k/5"]), 0));
    assert_eq!(list(store, all.clone(), 3, None).await, (keys(&["k/1", "k/2", "k/3"]), 1));
    assert_eq!(list(store, all.clone(), 4, None).await.1, 0);
    assert_eq!(list(store, all.clone(), 9, None).await.1, 0);
    assert_eq!(list(store, all, 2, Some(before)).await, (keys(&["k/1", "k/2"]), 3));
}

/// The start belongs to a range, the end does not; a prefix is no more than that.
pub async fn ranges_have_sharp_ends(store: &impl Backend) {
    for key in ["a", "a/", "a/x", "a/x\0", "a0", "b"] {
        put(store, key, "").await;
    }
    assert_eq!(list(store, KeyRange::prefix("a/"), 0, None).await.0, ["a/", "a/x", "a/x\0"]);
    assert_eq!(list(store, KeyRange::key("a/x"), 0, None).await.0, ["a/x"]);
    let open = KeyRange { start: "a0".into(), end: None };
    assert_eq!(list(store, open, 0, None).await.0, ["a0", "b"]);
    let none = KeyRange { start: "b".into(), end: Some("a".into()) };
    assert_eq!(list(store, none, 0, None).await.0, [""; 0]);
}

/// A range with very many keys comes whole, and its rest is counted right.
pub async fn a_long_range_is_whole(store: &impl Backend) {
    for part in 0..30 {
        let add = |txn: Txn, i| txn.put(format!("k/{:05}", part * 100 + i), "x");
        commit(store, (0..100).fold(Txn::new(), add)).await;
    }
    let expected: Vec<String> = (0..3000).map(|i| format!("k/{i:05}")).collect();
    let all = KeyRange::prefix("k/");
    assert_eq!(list(store, all.clone(), 0, None).await, (expected.clone(), 0));
    let (keys, remaining) = list(store, all, 1234, None).await;
    assert_eq!((&keys[..], remaining), (&expected[..1234], 1766));
}

/// A revision that does not exist yet is refused, and says where the store is.
pub async fn the_future_cannot_be_read(store: &impl Backend) {
    put(store, "a", "1").await;
    let current = now(store).await;
    let asked = current + 5;
    let is_future = |error: &Error| matches!(error, Error::Future { asked: a, current: c } if *a == asked && *c == current);
    let error = store.get(b"a", Some(asked)).await.expect_err("the future is refused");
    assert!(is_future(&error), "{error}");
    let error = store.range(&KeyRange::all(), 0, Some(asked)).await.expect_err("refused");
    assert!(is_future(&error), "{error}");
}
