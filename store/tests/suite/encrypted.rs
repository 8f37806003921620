//! Encryption changes nothing that a user of a store can see.

use crate::common::{open, put, small};
use crate::steps::steps;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use windlass_store::testing::model::{self, Model};
use windlass_store::{Compact, Embedded, Encrypted, KeyRing, Memory, Read, testing};

const KEYS: &str = "one:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn keys() -> KeyRing {
    KeyRing::parse(KEYS).unwrap()
}

#[tokio::test]
async fn encrypted_memory_keeps_the_contract() {
    testing::contract(async || {
        let store = Memory::new();
        tokio::spawn(store.expiry());
        Encrypted::new(store, keys())
    })
    .await;
}

#[tokio::test]
async fn encrypted_embedded_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let cases = AtomicUsize::new(0);
    testing::contract(async || {
        let case = dir.path().join(cases.fetch_add(1, Ordering::Relaxed).to_string());
        let store = Embedded::open(small(&case)).unwrap();
        tokio::spawn(store.expiry());
        Encrypted::new(store, keys())
    })
    .await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn encrypted_does_what_the_model_does(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Encrypted::new(Memory::new(), keys());
            let mut model = Model::default();
            model::run(&store, &mut model, &steps).await;
            model::compare(&store, &model).await;
        });
    }
}

/// No file of the store has a value in it.
#[tokio::test]
async fn values_are_not_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = Encrypted::new(Embedded::open(small(dir.path())).unwrap(), keys());
    for i in 0..200 {
        put(&store, &format!("key-{}", i % 10), "hunter2 and some more").await.unwrap();
    }
    let now = store.current_revision().await.unwrap();
    store.compact(now).await.unwrap();
    drop(store);
    for path in crate::common::files(dir.path(), "") {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"hunter"), "{}", path.display());
    }
    let store = Encrypted::new(open(dir.path()), keys());
    let kv = store.get(b"key-3", None).await.unwrap().unwrap();
    assert_eq!(&kv.value[..], b"hunter2 and some more");
}
