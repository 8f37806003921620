//! Random changes on the real kernel, in a network namespace of their own: none is refused, and
//! what the kernel holds then is what the renderer believes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nix::sched::{CloneFlags, unshare};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::kernel::Kernel;
use super::property::any_change;
use crate::backend::Change;
use crate::backend::nftables::Settings;
use crate::backend::nftables::encode::{self, RawElement};
use crate::backend::nftables::layout::{BALANCERS, Layout};
use crate::backend::nftables::table::Table;
use crate::backend::nftables::uapi::*;
use crate::model::{Family, PortKey, ServicePort};
use crate::netlink::{Batch, Reply, Socket, attributes};
use crate::policy::tests::property::{any_step, tell};
use crate::policy::{PolicyElement, PolicyTracker};

const CHANGES: usize = 400;
/// All is synced anew after so many.
const RESYNC: usize = 80;

/// Set, key, and the end of the interval, the data or the verdict's chain.
type Contents = BTreeSet<(String, Vec<u8>, Vec<u8>)>;

fn dump(socket: &mut Socket, kind: u16, set: Option<&str>, mut each: impl FnMut(&Reply<'_>)) {
    let mut request = Batch::default();
    let kind = (NFNL_SUBSYS_NFTABLES << 8) | kind;
    request.message(kind, NLM_F_DUMP, [NFPROTO_IPV4, 0, 0, 0], |m| {
        m.string(NFTA_TABLE_NAME, encode::TABLE);
        if let Some(set) = set {
            m.string(NFTA_SET_ELEM_LIST_SET, set);
        }
    });
    socket.dump(&request, |reply| each(reply)).expect("it is there");
}

fn find(within: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(within).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

/// Data as bytes; a verdict as the name of its chain.
fn data(value: &[u8]) -> Vec<u8> {
    let verdict = |value| find(find(value, NFTA_DATA_VERDICT)?, NFTA_VERDICT_CHAIN);
    let chain = verdict(value).and_then(|chain| chain.strip_suffix(&[0]));
    chain.or_else(|| find(value, NFTA_DATA_VALUE)).unwrap_or_default().to_vec()
}

/// All elements of the sets whose content the renderer decides.
fn elements(socket: &mut Socket) -> Contents {
    let mut found = Contents::new();
    let layout = Layout::new(Family::V4, Settings::default());
    for set in layout.sets().iter().filter(|set| set.flags & NFT_SET_TIMEOUT == 0) {
        dump(socket, NFT_MSG_GETSETELEM, Some(set.name), |reply| {
            let lists = reply.attributes().filter(|(kind, _)| *kind == NFTA_SET_ELEM_LIST_ELEMENTS);
            for (_, element) in lists.flat_map(|(_, list)| attributes(list)) {
                let value = |wanted| find(element, wanted).map(data);
                let key = value(NFTA_SET_ELEM_KEY).unwrap_or_default();
                let other = value(NFTA_SET_ELEM_KEY_END).or_else(|| value(NFTA_SET_ELEM_DATA));
                found.insert((set.name.to_owned(), key, other.unwrap_or_default()));
            }
        });
    }
    found
}

/// All chains, with their rules' expressions one after the other.
fn chains(socket: &mut Socket) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut found = BTreeMap::new();
    dump(socket, NFT_MSG_GETCHAIN, None, |reply| {
        let chain = reply.attributes().find(|(kind, _)| *kind == NFTA_CHAIN_NAME);
        found.insert(chain.expect("each has a name").1.to_vec(), Vec::new());
    });
    dump(socket, NFT_MSG_GETRULE, None, |reply| {
        let attribute = |wanted| {
            reply.attributes().find(|(kind, _)| *kind == wanted).expect("each rule has it").1
        };
        let rules = found.get_mut(attribute(NFTA_RULE_CHAIN)).expect("of one of the chains");
        rules.extend_from_slice(attribute(NFTA_RULE_EXPRESSIONS));
    });
    found
}

fn believed(table: &Table, policies: &[PolicyElement]) -> Contents {
    let elements = table.renderer().elements();
    let raw = elements.iter().map(RawElement::from).chain(policies.iter().map(RawElement::from));
    raw.map(|raw| (raw.set().to_owned(), raw.key().to_vec(), raw.value().to_vec())).collect()
}

/// A table of a new network namespace, which the calling thread enters.
fn table() -> (Table, Socket) {
    unshare(CloneFlags::CLONE_NEWNET).expect("root may");
    let mut table = Table::open(Family::V4, Settings::default()).unwrap();
    table.replace(&Change::default()).unwrap();
    (table, Socket::netfilter().unwrap())
}

fn with_root(test: impl FnOnce() + Send + 'static) {
    if !nix::unistd::geteuid().is_root() {
        assert!(
            std::env::var("WINDLASS_ROOT_TESTS").as_deref() != Ok("required"),
            "this needs root"
        );
        println!("SKIP: network namespaces need root");
        return;
    }
    std::thread::spawn(test).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn holds_what_the_renderer_believes_and_what_a_full_resync_would_make() {
    with_root(|| {
        let (mut table, mut socket) = table();
        let fixed = elements(&mut socket);
        assert!(fixed.iter().all(|(set, ..)| set == BALANCERS) && fixed.len() == 8);
        let mut tracker = PolicyTracker::new("here");
        let mut runner = TestRunner::deterministic();
        for step in 0..CHANGES {
            let change = any_change().new_tree(&mut runner).unwrap().current();
            let (updated, removed): (Vec<_>, Vec<_>) =
                change.into_iter().partition(|(_, keep)| *keep);
            let updated: Vec<Arc<ServicePort>> =
                updated.into_iter().map(|(port, _)| Arc::new(port)).collect();
            let removed: Vec<PortKey> = removed.into_iter().map(|(port, _)| port.key).collect();
            let steps = proptest::collection::vec(any_step(), 0..4).new_tree(&mut runner).unwrap();
            steps.current().iter().for_each(|step| tell(step, &mut tracker));
            let change = Change { updated, removed, policies: tracker.take() };
            table
                .apply(&change)
                .unwrap_or_else(|error| panic!("step {step}: {error}: {change:#?}"));
            let agree = |table: &Table, socket: &mut Socket, when: &str| {
                let kernel: Contents = elements(socket).difference(&fixed).cloned().collect();
                let policies = tracker.snapshot().add;
                assert_eq!(kernel, believed(table, &policies), "step {step}, {when}");
            };
            agree(&table, &mut socket, "after the change");
            if step % RESYNC == RESYNC - 1 {
                let (seen, rules) = (Kernel::of(table.renderer()).seen(), chains(&mut socket));
                let ports = table.renderer().ports().cloned().collect();
                let policies = tracker.snapshot();
                table.replace(&Change { policies, ..Change::to(ports) }).unwrap();
                agree(&table, &mut socket, "after a full resync");
                assert_eq!(Kernel::of(table.renderer()).seen(), seen, "step {step}");
                assert!(chains(&mut socket) == rules, "step {step}: other chains or rules");
            }
        }
    });
}
