use super::*;
use proptest::prelude::*;

fn range() -> impl Strategy<Value = KeyRange> {
    let key = || proptest::collection::vec(0u8..4, 0..3).prop_map(Bytes::from);
    (key(), proptest::option::of(key())).prop_map(|(start, end)| KeyRange { start, end })
}

proptest! {
    #[test]
    fn finds_what_a_look_at_every_range_finds(
        ranges in proptest::collection::vec((range(), any::<bool>()), 0..24),
        key in proptest::collection::vec(0u8..4, 0..4),
    ) {
        let mut index = RangeIndex::default();
        for (id, (range, _)) in (0..).zip(&ranges) {
            index.add(range, id);
        }
        for (id, (range, stays)) in (0..).zip(&ranges) {
            if !stays {
                index.remove(range, id);
            }
        }
        let stays = (0..).zip(&ranges).filter(|(_, (range, stays))| *stays && range.contains(&key));
        let expected: Vec<GroupId> = stays.map(|(id, _)| id).collect();
        prop_assert_eq!(index.covering(&key), &expected[..]);
    }

    #[test]
    fn forgets_all_cuts(ranges in proptest::collection::vec(range(), 0..24)) {
        let mut index = RangeIndex::default();
        for (id, range) in (0..).zip(&ranges) {
            index.add(range, id);
        }
        for (id, range) in (0..).zip(&ranges) {
            index.remove(range, id);
        }
        prop_assert_eq!(index.pieces(), 1);
    }
}
