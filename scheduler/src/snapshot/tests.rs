use super::*;
use crate::testing::{node, pod};

#[test]
fn pods_count_on_their_nodes_and_are_taken_off() {
    let mut snapshot = Snapshot::default();
    snapshot.set_node(node("a", "4", &[]));
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
    snapshot.set_node(node("late", "4", &[]));
    assert_eq!(snapshot.requested(CPU), &[1000]);
    snapshot.remove_node("late");
    snapshot.set_node(node("other", "4", &[]));
    assert_eq!(snapshot.requested(CPU), &[0], "the place is used again, empty");
    snapshot.set_node(node("late", "4", &[]));
    assert_eq!(snapshot.requested(CPU), &[0, 1000]);
}

#[test]
fn labels_follow_the_node() {
    let mut snapshot = Snapshot::default();
    snapshot.set_node(node("a", "1", &[("zone", "x")]));
    snapshot.set_node(node("b", "1", &[("zone", "x")]));
    snapshot.set_node(node("a", "1", &[("zone", "y")]));
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
    snapshot.set_node(node("a", "4", &[]));
    for name in ["p", "q", "r"] {
        snapshot.set_pod(Arc::new(pod(name, "9E").on("a")));
    }
    assert!(snapshot.requested(CPU)[0] > 4000);
    for name in ["p", "q", "r"] {
        snapshot.remove_pod(name);
    }
    assert_eq!(snapshot.requested(CPU), &[0]);
}

/// Pods by zone, as a plugin would count them.
#[derive(Clone, Default)]
struct Zones(Vec<(String, i32)>);

impl Zones {
    fn count(&mut self, snapshot: &Snapshot, id: NodeId, by: i32) {
        let node = snapshot.node(id);
        let zone = node.labels.iter().find(|(key, _)| &**key == "zone").expect("a zone");
        self.0.push((zone.1.to_string(), by));
    }
}

impl crate::framework::Columns for Zones {
    fn fork(&self) -> Box<dyn crate::framework::Columns> {
        Box::new(self.clone())
    }

    fn pod_added(&mut self, snapshot: &Snapshot, id: NodeId, _: &Arc<PodInfo>) {
        self.count(snapshot, id, 1);
    }

    fn pod_removed(&mut self, snapshot: &Snapshot, id: NodeId, _: &Arc<PodInfo>) {
        self.count(snapshot, id, -1);
    }
}

#[test]
fn columns_of_plugins_follow_the_pods() {
    let mut snapshot = Snapshot::default();
    snapshot.set_node(node("a", "4", &[("zone", "x")]));
    snapshot.set_pod(Arc::new(pod("p", "1").on("a")));
    snapshot.attach(Box::<Zones>::default());
    snapshot.attach(Box::<Zones>::default());
    let mut other = snapshot.clone();
    snapshot.set_pod(Arc::new(pod("q", "1").on("a")));
    snapshot.set_pod(Arc::new(pod("q", "1").on("a")));
    other.remove_node("a");
    let told = |snapshot: &Snapshot| {
        let zones = snapshot.columns::<Zones>().expect("attached");
        zones.0.iter().map(|(zone, by)| format!("{zone}{by:+}")).collect::<Vec<_>>()
    };
    assert_eq!(
        (told(&snapshot), told(&other)),
        (vec!["x+1".into(), "x+1".into()], vec!["x+1".into(), "x-1".into()])
    );
}

#[test]
fn a_label_is_a_column_of_small_numbers() {
    let mut snapshot = Snapshot::default();
    for (name, zone) in [("a", "x"), ("b", "y"), ("c", "x")] {
        snapshot.set_node(node(name, "1", &[("zone", zone)]));
    }
    let zones = |snapshot: &Snapshot| {
        let topology = snapshot.topology("zone").expect("a label");
        let of = |id| match topology.of(id) {
            Topology::NONE => "-".to_owned(),
            domain => format!("{}{}", topology.name(domain), topology.sizes()[domain as usize]),
        };
        (0..3).map(of).collect::<Vec<_>>()
    };
    assert_eq!(zones(&snapshot), ["x2", "y1", "x2"]);
    snapshot.set_node(node("a", "1", &[("zone", "z")]));
    snapshot.set_node(node("b", "1", &[("other", "")]));
    assert_eq!(zones(&snapshot), ["z1", "-", "x1"]);
    snapshot.remove_node("a");
    assert_eq!(
        (zones(&snapshot), snapshot.topology("zone").map(Topology::domains)),
        (vec!["-".into(), "-".into(), "x1".into()], Some(1))
    );
    assert!(snapshot.topology("none").is_none());
}

#[test]
fn the_journal_says_which_nodes_changed() {
    let mut snapshot = Snapshot::default();
    snapshot.set_node(node("a", "4", &[]));
    snapshot.set_node(node("b", "4", &[]));
    let then = snapshot.version();
    snapshot.set_pod(Arc::new(pod("p", "1").on("b")));
    let changed: Vec<_> = snapshot.changed_since(then).expect("not long ago").collect();
    assert_eq!((changed, snapshot.version().same_nodes(then)), (vec![1], true));
    snapshot.set_node(node("a", "8", &[]));
    assert!(!snapshot.version().same_nodes(then));
    for _ in 0..20_000 {
        snapshot.set_node(node("a", "8", &[]));
    }
    assert!(snapshot.changed_since(then).is_none());
}

#[test]
fn pods_of_one_template_are_of_one_class() {
    let (p, q, r) = (pod("p", "1"), pod("q", "1"), pod("r", "2"));
    assert!(Arc::ptr_eq(&p.class, &q.class) && p.class != r.class);
}
