//! From a [`Transaction`] to the netlink messages of one atomic batch.

mod element;

pub(super) use self::element::RawElement;
use super::expr::nfproto;
use super::layout::{self, ALL_MAPS, ChainSpec, Layout, SetSpec, map_number};
use super::ruleset::{Balancer, Element, Mode, Transaction};
use super::uapi::*;
use crate::model::Family;
use crate::netlink::{Batch, Message};
use crate::policy::{PolicyChain, PolicyChange, PolicyElement};

/// The name of the table, in each family.
pub(super) const TABLE: &str = "windlass";

/// Elements go into messages of at most this length: a nested attribute ends at 64 KiB.
const ELEMENTS_LEN: usize = 60 * 1024;

/// The batch that carries changes of Services and policies out; with `replace` on a table built anew.
pub(super) fn batch(
    layout: &Layout,
    transaction: &Transaction,
    policies: &PolicyChange,
    replace: bool,
) -> Batch {
    let mut encoder = Encoder::new(layout, TABLE);
    encoder.begin();
    if replace {
        encoder.table();
    }
    encoder.elements(NFT_MSG_DELSETELEM, &transaction.delete, &policies.delete);
    for chain in &policies.add_chains {
        encoder.chain(&layout.policy_chain(chain));
    }
    for balancer in &transaction.add_chains {
        encoder.chain(&layout.balancer(balancer));
    }
    encoder.elements(NFT_MSG_NEWSETELEM, &transaction.add, &policies.add);
    let balancers = transaction.delete_chains.iter().map(Balancer::chain);
    for chain in balancers.chain(policies.delete_chains.iter().map(PolicyChain::name)) {
        encoder.delete_chain(&chain);
    }
    encoder.named(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK);
    encoder.end();
    encoder.batch
}

/// The batch that takes the table away, whether it is there or not.
pub(super) fn remove_table(family: Family) -> Batch {
    let layout = Layout::new(family, super::Settings::default());
    let mut encoder = Encoder::new(&layout, TABLE);
    encoder.begin();
    encoder.named(NFT_MSG_NEWTABLE, NLM_F_CREATE);
    encoder.named(NFT_MSG_DELTABLE, NLM_F_ACK);
    encoder.end();
    encoder.batch
}

/// Makes a table with all that the real one needs and takes it away again, in one transaction: a
/// kernel that lacks something refuses, and one that does not is left as it was.
pub(super) fn probe(layout: &Layout) -> Batch {
    let mut encoder = Encoder::new(layout, "windlass-probe");
    encoder.begin();
    encoder.table();
    encoder.named(NFT_MSG_DELTABLE, NLM_F_ACK);
    encoder.end();
    encoder.batch
}

/// Asks for the table.
pub(super) fn query_table(family: Family) -> Batch {
    let mut batch = Batch::default();
    let kind = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE;
    batch
        .message(kind, NLM_F_ACK, [nfproto(family), 0, 0, 0], |m| m.string(NFTA_TABLE_NAME, TABLE));
    batch
}

struct Encoder<'a> {
    layout: &'a Layout,
    table: &'static str,
    batch: Batch,
}

// === impl Encoder ===

impl<'a> Encoder<'a> {
    fn new(layout: &'a Layout, table: &'static str) -> Self {
        Self { layout, table, batch: Batch::default() }
    }

    fn begin(&mut self) {
        self.batch.message(NFNL_MSG_BATCH_BEGIN, 0, batch_header(), |_| {});
    }

    /// Older kernels do not acknowledge a batch's end: the message before it asks for that.
    fn end(&mut self) {
        self.batch.message(NFNL_MSG_BATCH_END, 0, batch_header(), |_| {});
    }

    /// All messages begin with the table's name, under the same number.
    fn message(&mut self, kind: u16, flags: u16, build: impl FnOnce(&mut Message<'_>)) {
        let header = [nfproto(self.layout.family), 0, 0, 0];
        self.batch.message((NFNL_SUBSYS_NFTABLES << 8) | kind, flags, header, |m| {
            m.string(NFTA_TABLE_NAME, self.table);
            build(m);
        });
    }

    fn named(&mut self, kind: u16, flags: u16) {
        self.message(kind, flags, |_| {});
    }

    /// Makes the table anew, with its sets and fixed chains.
    fn table(&mut self) {
        // The first line makes sure that there is one to delete.
        self.named(NFT_MSG_NEWTABLE, NLM_F_CREATE);
        self.named(NFT_MSG_DELTABLE, 0);
        self.named(NFT_MSG_NEWTABLE, NLM_F_CREATE);
        for (id, set) in (1..).zip(self.layout.sets()) {
            self.set(&set, id);
        }
        for chain in self.layout.chains() {
            self.chain(&chain);
        }
        let fixed = ALL_MAPS.iter().flat_map(|(view, node_port)| {
            let map = map_number(*view, *node_port);
            [(map, Mode::Reject, layout::REJECT), (map, Mode::Drop, layout::DROP)]
        });
        let fixed = fixed.map(|(map, mode, chain)| RawElement::verdict(map, mode, chain));
        self.raw_elements(NFT_MSG_NEWSETELEM, fixed.collect());
    }

    fn set(&mut self, set: &SetSpec, id: u32) {
        self.message(NFT_MSG_NEWSET, NLM_F_CREATE, |m| {
            m.string(NFTA_SET_NAME, set.name);
            m.u32(NFTA_SET_ID, id);
            m.u32(NFTA_SET_FLAGS, set.flags);
            m.u32(NFTA_SET_KEY_TYPE, set.key_type);
            m.u32(NFTA_SET_KEY_LEN, set.key_len);
            if let Some((kind, len)) = set.data {
                m.u32(NFTA_SET_DATA_TYPE, kind);
                m.u32(NFTA_SET_DATA_LEN, len);
            }
            m.nested(NFTA_SET_DESC, |m| {
                if let Some(size) = set.size {
                    m.u32(NFTA_SET_DESC_SIZE, size);
                }
                if !set.fields.is_empty() {
                    m.nested(NFTA_SET_DESC_CONCAT, |m| {
                        for len in &set.fields {
                            m.nested(NFTA_LIST_ELEM, |m| m.u32(NFTA_SET_FIELD_LEN, *len));
                        }
                    });
                }
            });
        });
    }

    fn chain(&mut self, chain: &ChainSpec) {
        self.message(NFT_MSG_NEWCHAIN, NLM_F_CREATE, |m| {
            m.string(NFTA_CHAIN_NAME, &chain.name);
            let Some((kind, hook, priority)) = chain.hook else { return };
            m.nested(NFTA_CHAIN_HOOK, |m| {
                m.u32(NFTA_HOOK_HOOKNUM, hook);
                m.u32(NFTA_HOOK_PRIORITY, priority.cast_unsigned());
            });
            m.string(NFTA_CHAIN_TYPE, kind);
        });
        for rule in &chain.rules {
            self.message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, |m| {
                m.string(NFTA_RULE_CHAIN, &chain.name);
                m.nested(NFTA_RULE_EXPRESSIONS, |m| rule.iter().for_each(|expr| expr.encode(m)));
            });
        }
    }

    fn delete_chain(&mut self, name: &str) {
        self.message(NFT_MSG_DELCHAIN, 0, |m| m.string(NFTA_CHAIN_NAME, name));
    }

    fn elements(&mut self, kind: u16, elements: &[Element], policies: &[PolicyElement]) {
        let family = self.layout.family;
        let ours = policies.iter().filter(|element| is_of(element, family));
        let raw = elements.iter().map(RawElement::from).chain(ours.map(RawElement::from));
        self.raw_elements(kind, raw.collect());
    }

    /// Elements of one set share messages.
    fn raw_elements(&mut self, kind: u16, mut elements: Vec<RawElement>) {
        elements.sort_by_key(|element| element.set());
        let flags = if kind == NFT_MSG_NEWSETELEM { NLM_F_CREATE } else { 0 };
        let mut rest = elements.as_slice();
        while let Some(first) = rest.first() {
            let mut taken = 0;
            self.message(kind, flags, |m| {
                m.string(NFTA_SET_ELEM_LIST_SET, first.set());
                m.nested(NFTA_SET_ELEM_LIST_ELEMENTS, |m| {
                    let start = m.position();
                    for element in rest.iter().take_while(|element| element.set() == first.set()) {
                        element.encode(m, kind == NFT_MSG_NEWSETELEM);
                        taken += 1;
                        if m.position() - start > ELEMENTS_LEN {
                            break;
                        }
                    }
                });
            });
            rest = &rest[taken..];
        }
    }
}

/// Whether the table of a family has the element.
pub(super) fn is_of(element: &PolicyElement, family: Family) -> bool {
    element.address().is_none_or(|ip| Family::of(ip) == family)
}

fn batch_header() -> [u8; 4] {
    let [high, low] = NFNL_SUBSYS_NFTABLES.to_be_bytes();
    [NFPROTO_UNSPEC, 0, high, low]
}
