//! From rules to the messages of one nf_tables batch (`linux/netfilter/nf_tables.h`).

use crate::network::bridge::Cidr;
use std::net::Ipv4Addr;

/// A table of the family `ip`.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) chains: Vec<Chain>,
}

/// A chain; with a hook, one of type `nat`.
pub(super) struct Chain {
    pub(super) name: &'static str,
    pub(super) hook: Option<Hook>,
    pub(super) rules: Vec<Vec<Expr>>,
}

/// Where the kernel calls a chain.
#[derive(Clone, Copy)]
pub(super) enum Hook {
    Prerouting,
    Output,
    Postrouting,
}

/// A part of a rule: a condition, or at the end what happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    Source(Cidr),
    Destination(Cidr),
    /// The destination is an address of this node.
    ToThisNode,
    Protocol(u8),
    DestinationPort(u16),
    Redirect(Ipv4Addr, u16),
    Masquerade,
    Return,
    Jump(&'static str),
}

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
const NESTED: u16 = 0x8000;
const IPV4: u8 = 2;

/// Registers: the verdict, one for conditions, two for a redirection.
const VERDICT: u32 = 0;
const REG: u32 = 1;
const REG_ADDRESS: u32 = 1;
const REG_PORT: u32 = 2;

/// Messages, one after another.
struct Batch(Vec<u8>);

/// The batch that replaces a table, whether there is one or not.
pub(super) fn replace(table: &Table) -> Vec<u8> {
    let mut batch = Batch(Vec::new());
    batch.frame(BATCH_BEGIN);
    batch.table(NEW_TABLE, CREATE, table.name);
    batch.table(DELETE_TABLE, 0, table.name);
    batch.table(NEW_TABLE, CREATE, table.name);
    table.chains.iter().for_each(|c| batch.chain(table.name, c));
    for chain in &table.chains {
        chain.rules.iter().for_each(|r| batch.rule(table.name, chain.name, r));
    }
    batch.table(NEW_TABLE, CREATE | ACK, table.name);
    batch.frame(BATCH_END);
    batch.0
}

/// The batch that removes a table, whether there is one or not.
pub(super) fn delete(name: &str) -> Vec<u8> {
    let mut batch = Batch(Vec::new());
    batch.frame(BATCH_BEGIN);
    batch.table(NEW_TABLE, CREATE, name);
    batch.table(DELETE_TABLE, ACK, name);
    batch.frame(BATCH_END);
    batch.0
}

// === impl Batch ===

impl Batch {
    fn frame(&mut self, kind: u16) {
        let [high, low] = SUBSYSTEM.to_be_bytes();
        self.message(kind, 0, [0, 0, high, low], |_| {});
    }

    fn table(&mut self, kind: u16, flags: u16, name: &str) {
        self.nft(kind, flags, |m| m.string(1, name));
    }

    fn chain(&mut self, table: &str, chain: &Chain) {
        self.nft(NEW_CHAIN, CREATE, |m| {
            m.string(1, table);
            m.string(3, chain.name);
            let Some(hook) = chain.hook else { return };
            let (number, priority) = hook.place();
            m.nested(4, |m| {
                m.u32(1, number);
                m.u32(2, priority.cast_unsigned());
            });
            m.string(7, "nat");
        });
    }

    fn rule(&mut self, table: &str, chain: &str, rule: &[Expr]) {
        self.nft(NEW_RULE, CREATE | APPEND, |m| {
            m.string(1, table);
            m.string(2, chain);
            m.nested(4, |m| rule.iter().for_each(|e| e.encode(m)));
        });
    }

    fn nft(&mut self, kind: u16, flags: u16, build: impl FnOnce(&mut Self)) {
        self.message(SUBSYSTEM << 8 | kind, flags, [IPV4, 0, 0, 0], build);
    }

    fn message(&mut self, kind: u16, flags: u16, header: [u8; 4], build: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 4]);
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(&(REQUEST | flags).to_ne_bytes());
        // Sequence number and port.
        self.0.extend_from_slice(&[0; 8]);
        self.0.extend_from_slice(&header);
        build(self);
        let length = u32::try_from(self.0.len() - start).expect("a message is short");
        self.0[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    fn nested(&mut self, attribute: u16, build: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 2]);
        self.0.extend_from_slice(&(attribute | NESTED).to_ne_bytes());
        build(self);
        let length = u16::try_from(self.0.len() - start).expect("a rule is short");
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    fn bytes(&mut self, attribute: u16, value: &[u8]) {
        let length = u16::try_from(value.len() + 4).expect("an attribute is short");
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&attribute.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn u32(&mut self, attribute: u16, value: u32) {
        self.bytes(attribute, &value.to_be_bytes());
    }

    fn string(&mut self, attribute: u16, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(attribute, &bytes);
    }

    /// Bytes as a register holds them.
    fn value(&mut self, attribute: u16, bytes: &[u8]) {
        self.nested(attribute, |m| m.bytes(1, bytes));
    }

    fn expr(&mut self, name: &str, build: impl FnOnce(&mut Self)) {
        self.nested(1, |m| {
            m.string(1, name);
            m.nested(2, build);
        });
    }

    fn equal(&mut self, bytes: &[u8]) {
        self.expr("cmp", |m| {
            m.u32(1, REG);
            m.u32(2, 0);
            m.value(3, bytes);
        });
    }

    fn payload(&mut self, base: u32, offset: u32, length: u32) {
        self.expr("payload", |m| {
            m.u32(1, REG);
            m.u32(2, base);
            m.u32(3, offset);
            m.u32(4, length);
        });
    }

    /// An address of the IP header is of a network.
    fn address(&mut self, offset: u32, network: Cidr) {
        self.payload(1, offset, 4);
        self.expr("bitwise", |m| {
            m.u32(1, REG);
            m.u32(2, REG);
            m.u32(3, 4);
            m.value(4, &network.mask().to_be_bytes());
            m.value(5, &[0; 4]);
        });
        self.equal(&network.first().octets());
    }

    fn load(&mut self, register: u32, bytes: &[u8]) {
        self.expr("immediate", |m| {
            m.u32(1, register);
            m.value(2, bytes);
        });
    }

    fn verdict(&mut self, code: i32, chain: Option<&str>) {
        self.expr("immediate", |m| {
            m.u32(1, VERDICT);
            m.nested(2, |m| {
                m.nested(2, |m| {
                    m.u32(1, code.cast_unsigned());
                    if let Some(chain) = chain {
                        m.string(2, chain);
                    }
                });
            });
        });
    }
}

// === impl Hook ===

impl Hook {
    /// Number and priority.
    fn place(self) -> (u32, i32) {
        match self {
            Self::Prerouting => (0, -100),
            Self::Output => (3, -100),
            Self::Postrouting => (4, 100),
        }
    }
}

// === impl Expr ===

impl Expr {
    fn encode(&self, m: &mut Batch) {
        match self {
            Self::Source(network) => m.address(12, *network),
            Self::Destination(network) => m.address(16, *network),
            Self::ToThisNode => {
                m.expr("fib", |m| {
                    m.u32(1, REG);
                    // The kind of the destination address, which is to be "local".
                    m.u32(2, 3);
                    m.u32(3, 2);
                });
                m.equal(&2_u32.to_ne_bytes());
            }
            Self::Protocol(number) => {
                m.expr("meta", |m| {
                    m.u32(1, REG);
                    m.u32(2, 16);
                });
                m.equal(&[*number]);
            }
            Self::DestinationPort(port) => {
                m.payload(2, 2, 2);
                m.equal(&port.to_be_bytes());
            }
            Self::Redirect(address, port) => {
                m.load(REG_ADDRESS, &address.octets());
                m.load(REG_PORT, &port.to_be_bytes());
                m.expr("nat", |m| {
                    m.u32(1, 1);
                    m.u32(2, u32::from(IPV4));
                    m.u32(3, REG_ADDRESS);
                    m.u32(5, REG_PORT);
                });
            }
            Self::Masquerade => m.expr("masq", |_| {}),
            Self::Return => m.verdict(-5, None),
            Self::Jump(chain) => m.verdict(-3, Some(chain)),
        }
    }
}
