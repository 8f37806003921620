use super::*;
use crate::testing::{node, pod};

#[test]
fn pods_count_on_their_nodes_and_are_taken_off() {
    let mut snapshot = Snapshot::default();
    snapshot.set_node(&node("a", "4", &[]));
    let placed = Arc::new(pod("p", "1500m").on("a"));
    snapshot.set_pod(placed.clone());
    snapshot.set_pod(placed);
    assert_eq!((snapshot.requested(CPU), snapshot.requested(PODS)), (&[1500][..], &[1][..]));
    snapshot.remove_pod("p");
    assert_eq!((snapshot.requested(CPU), snapshot.requested(PODS)), (&[0][..], &[0][..]));
}

#[test]
fn a_pod_may_be_known_before_its_node() {
    let mut snapshot = Snapshot::default();
    snapshot.set_pod(Arc::new(pod("p", "1").on("late")));
    snapshot.set_node(&node("late", "4", &[]));
    assert_eq!(snapshot.requested(CPU), &[1000]);
    snapshot.remove_node("late");
    snapshot.set_node(&node("other", "4", &[]));
    assert_eq!(snapshot.requested(CPU), &[0], "the place is used again, empty");
    snapshot.set_node(&node("late", "4", &[]));
    assert_eq!(snapshot.requested(CPU), &[0, 1000]);
}

#[test]
fn labels_follow_the_node() {
    let mut snapshot = Snapshot::default();
    snapshot.set_node(&node("a", "1", &[("zone", "x")]));
    snapshot.set_node(&node("b", "1", &[("zone", "x")]));
    snapshot.set_node(&node("a", "1", &[("zone", "y")]));
    let mut zones: Vec<_> =
        snapshot.label("zone").map(|(v, ids)| (v.to_string(), ids.to_vec())).collect();
    zones.sort();
    assert_eq!(zones, [("x".to_owned(), vec![1]), ("y".to_owned(), vec![0])]);
}

#[test]
fn sets_do_their_sums() {
    let mut set: NodeSet = [1, 64, 130].into_iter().collect();
    assert_eq!(set.iter().collect::<Vec<_>>(), [1, 64, 130]);
    assert_eq!(set.subtract(&[64].into_iter().collect()), 1);
    assert_eq!(set.intersect(&[1, 2].into_iter().collect()), 1);
    set.unite(&[200].into_iter().collect());
    assert_eq!((set.len(), set.contains(200), set.contains(64)), (2, true, false));
}

#[test]
fn amounts_beyond_all_reason_do_not_wrap() {
    let mut snapshot = Snapshot::default();
    snapshot.set_node(&node("a", "4", &[]));
    for name in ["p", "q", "r"] {
        snapshot.set_pod(Arc::new(pod(name, "9E").on("a")));
    }
    assert!(snapshot.requested(CPU)[0] > 4000);
    for name in ["p", "q", "r"] {
        snapshot.remove_pod(name);
    }
    assert_eq!(snapshot.requested(CPU), &[0]);
}
