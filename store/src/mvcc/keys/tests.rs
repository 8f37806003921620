use super::*;
use crate::Revision;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Change {
    Put(u16),
    Delete(u16),
    Trim(u16),
}

fn change() -> impl Strategy<Value = Change> {
    let key = 0u16..600;
    prop_oneof![
        4 => key.clone().prop_map(Change::Put),
        2 => key.clone().prop_map(Change::Delete),
        3 => key.prop_map(Change::Trim),
    ]
}

fn bound() -> impl Strategy<Value = Bound<[u8; 2]>> {
    let key = || (0u16..600).prop_map(u16::to_be_bytes);
    prop_oneof![
        Just(Bound::Unbounded),
        key().prop_map(Bound::Included),
        key().prop_map(Bound::Excluded)
    ]
}

fn version(value: bool, mod_revision: Revision) -> Version {
    let value = value.then(|| Bytes::from_static(b"v"));
    Version { value, create_revision: 2, mod_revision, version: 1, lease: None }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn holds_what_a_plain_map_holds(
        changes in proptest::collection::vec(change(), 0..4000),
        ranges in proptest::collection::vec((bound(), bound()), 16),
    ) {
        let mut keys = Keys::default();
        // Under each key whether it is there now.
        let mut plain = BTreeMap::<[u8; 2], bool>::new();
        for (revision, change) in (2..).zip(changes) {
            match change {
                Change::Put(key) => {
                    keys.push(&Bytes::copy_from_slice(&key.to_be_bytes()), version(true, revision));
                    plain.insert(key.to_be_bytes(), true);
                }
                Change::Delete(key) if plain.get(&key.to_be_bytes()) == Some(&true) => {
                    keys.push(&Bytes::copy_from_slice(&key.to_be_bytes()), version(false, revision));
                    plain.insert(key.to_be_bytes(), false);
                }
                Change::Delete(_) => {}
                Change::Trim(key) => {
                    keys.trim(&key.to_be_bytes(), revision);
                    if plain.get(&key.to_be_bytes()) == Some(&false) {
                        plain.remove(&key.to_be_bytes());
                    }
                }
            }
        }
        for (key, there) in &plain {
            prop_assert_eq!(keys.get(key).map(|(_, slot)| slot.now().is_some()), Some(*there));
        }
        for (start, end) in &ranges {
            let inside = |key: &&[u8; 2]| {
                !is_before(&key[..], start.as_ref().map(|k| &k[..])) && !is_after(&key[..], end.as_ref().map(|k| &k[..]))
            };
            let (start, end) = (start.as_ref().map(|k| &k[..]), end.as_ref().map(|k| &k[..]));
            let expected: Vec<&[u8]> = plain.keys().filter(inside).map(|key| &key[..]).collect();
            let found: Vec<&[u8]> = keys.range(start, end).map(|(key, _)| &key[..]).collect();
            prop_assert_eq!(found, expected);
            let live = plain.iter().filter(|(key, there)| inside(key) && **there).count();
            prop_assert_eq!(keys.count(start, end), live);
        }
        prop_assert!(keys.chunks.len() <= 1 + plain.len());
    }
}

#[test]
fn keys_in_order_fill_chunks() {
    let mut keys = Keys::default();
    for key in 0..10 * MOST as u32 {
        keys.push(&Bytes::copy_from_slice(&key.to_be_bytes()), version(true, 2));
    }
    assert_eq!(keys.chunks.len(), 10);
}

#[test]
fn chunks_that_run_empty_are_joined() {
    let mut keys = Keys::default();
    let names: Vec<Bytes> =
        (0..10 * MOST as u32).map(|key| Bytes::copy_from_slice(&key.to_be_bytes())).collect();
    names.iter().for_each(|key| keys.push(key, version(true, 2)));
    names.iter().for_each(|key| keys.push(key, version(false, 3)));
    names.iter().for_each(|key| keys.trim(key, 3));
    assert_eq!((keys.chunks.len(), keys.range(Bound::Unbounded, Bound::Unbounded).count()), (1, 0));
}
