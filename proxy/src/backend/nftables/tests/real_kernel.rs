//! Random changes on the real kernel, in a network namespace of their own: none is refused, and
//! what the kernel holds then is what the renderer believes.

use std::collections::BTreeSet;
use std::sync::Arc;

use nix::sched::{CloneFlags, unshare};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::property::any_change;
use crate::backend::Change;
use crate::backend::nftables::Settings;
use crate::backend::nftables::encode::{self, RawElement};
use crate::backend::nftables::layout::{BALANCERS, Layout};
use crate::backend::nftables::netlink::{Batch, Socket, attributes};
use crate::backend::nftables::table::Table;
use crate::backend::nftables::uapi::*;
use crate::model::{Family, PortKey, ServicePort};
use crate::policy::tests::property::{any_step, tell};
use crate::policy::{PolicyElement, PolicyTracker};

const CHANGES: usize = 400;

type Keys = BTreeSet<(String, Vec<u8>, Vec<u8>)>;

/// The keys (and ends of intervals) of all sets whose content the renderer decides.
fn kernel_keys(socket: &mut Socket) -> Keys {
    let mut keys = Keys::new();
    let layout = Layout::new(Family::V4, Settings::default());
    for set in layout.sets().iter().filter(|set| set.flags & NFT_SET_TIMEOUT == 0) {
        let mut request = Batch::default();
        let kind = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETSETELEM;
        request.message(kind, NLM_F_DUMP, [NFPROTO_IPV4, 0, 0, 0], |m| {
            m.string(NFTA_TABLE_NAME, encode::TABLE);
            m.string(NFTA_SET_ELEM_LIST_SET, set.name);
        });
        socket
            .dump(&request, |reply| {
                let lists =
                    reply.attributes().filter(|(kind, _)| *kind == NFTA_SET_ELEM_LIST_ELEMENTS);
                for (_, element) in lists.flat_map(|(_, list)| attributes(list)) {
                    let value = |wanted| {
                        let found = attributes(element).find(|(kind, _)| *kind == wanted);
                        let data = found.and_then(|(_, value)| attributes(value).next());
                        data.map(|(_, bytes)| bytes.to_vec()).unwrap_or_default()
                    };
                    keys.insert((
                        set.name.to_owned(),
                        value(NFTA_SET_ELEM_KEY),
                        value(NFTA_SET_ELEM_KEY_END),
                    ));
                }
            })
            .expect("the set is there");
    }
    keys
}

fn believed_keys(table: &Table, policies: &[PolicyElement]) -> Keys {
    let elements = table.renderer().elements();
    let raw = elements.iter().map(RawElement::from).chain(policies.iter().map(RawElement::from));
    raw.map(|raw| (raw.set().to_owned(), raw.key().to_vec(), raw.end().to_vec())).collect()
}

#[test]
fn agrees_with_the_renderer() {
    if !nix::unistd::geteuid().is_root() {
        assert!(
            std::env::var("WINDLASS_ROOT_TESTS").as_deref() != Ok("required"),
            "this needs root"
        );
        println!("SKIP agrees_with_the_renderer: network namespaces need root");
        return;
    }
    let in_namespace = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("root may");
        let mut table = Table::open(Family::V4, Settings::default()).unwrap();
        table.replace(&Change::default()).unwrap();
        let mut socket = Socket::open().unwrap();
        let fixed = kernel_keys(&mut socket);
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
            let mut kernel = kernel_keys(&mut socket);
            kernel.retain(|key| !fixed.contains(key));
            let policies = tracker.snapshot().add;
            assert_eq!(kernel, believed_keys(&table, &policies), "step {step}");
        }
        let ports = table.renderer().ports().cloned().collect();
        let policies = tracker.snapshot();
        let count = policies.add.len() + table.renderer().elements().len();
        table.replace(&Change { policies, ..Change::to(ports) }).unwrap();
        assert_eq!(kernel_keys(&mut socket).len() - fixed.len(), count, "after a full resync");
    });
    if let Err(panic) = in_namespace.join() {
        std::panic::resume_unwind(panic);
    }
}
