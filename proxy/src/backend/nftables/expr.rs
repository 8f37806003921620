//! Rules as data: the kernel's expressions that the proxy's rules are made of.

use std::borrow::Cow;

use super::uapi::*;
use crate::model::Family;
use crate::netlink::Message;

/// One of the sixteen 32-bit registers. Wider values take consecutive ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reg(pub(super) u8);

/// Where a packet's bytes are loaded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// The IP header.
    Network,
    /// The header behind it.
    Transport,
}

/// One expression of a rule. A rule ends at the first expression that does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    /// Loads bytes of the packet.
    Payload { header: Header, offset: u32, len: u32, to: Reg },
    /// Loads the transport protocol's number.
    L4Proto { to: Reg },
    /// Loads a constant.
    Load { value: Vec<u8>, to: Reg },
    /// Loads how the packet stands to its connection: the `NF_CT_STATE_*` bits.
    ConnectionState { to: Reg },
    /// Loads what was done to the packet's connection: the `IPS_*` bits.
    ConnectionStatus { to: Reg },
    /// Loads the packet's mark.
    LoadMark { to: Reg },
    /// Sets the packet's mark.
    SetMark { from: Reg },
    /// Loads the type of the packet's source or destination address (a `RTN_*` number).
    AddressType { source: bool, to: Reg },
    /// `to = (from & mask) ^ xor`.
    Bitwise { from: Reg, to: Reg, mask: Vec<u8>, xor: Vec<u8> },
    /// Matches when the register equals the value.
    Equal(Reg, Vec<u8>),
    /// Matches when the register differs from the value.
    NotEqual(Reg, Vec<u8>),
    /// Matches when the register's bytes, in network order, are no less than the value.
    AtLeast(Reg, Vec<u8>),
    /// Matches when the register's bytes, in network order, are no more than the value.
    AtMost(Reg, Vec<u8>),
    /// Matches when the set has the key.
    Contains { set: &'static str, key: Reg },
    /// Matches when the set does not have the key.
    Lacks { set: &'static str, key: Reg },
    /// Loads the map's value for the key; matches when there is one.
    Lookup { map: &'static str, key: Reg, to: Reg },
    /// Follows the verdict that the map has for the key.
    VerdictMap { map: &'static str, key: Reg },
    /// A random number below `below`.
    Random { below: u32, to: Reg },
    /// Adds the key and value to a map from the packet path, or renews its timeout.
    Remember { map: &'static str, key: Reg, value: Reg, seconds: u32 },
    /// Removes the key from a map from the packet path.
    Forget { map: &'static str, key: Reg, value: Reg },
    /// Redirects the connection to an address and port.
    Dnat { family: Family, address: Reg, port: Reg },
    /// Replaces the connection's source by this node's address.
    Masquerade,
    /// Refuses with a TCP reset.
    RejectTcp,
    /// Refuses with ICMP port unreachable.
    RejectPort(Family),
    /// Drops the packet.
    Drop,
    /// Lets the packet pass this hook.
    Accept,
    /// Continues in another chain and returns.
    Jump(Cow<'static, str>),
    /// Continues in another chain and does not return.
    Goto(Cow<'static, str>),
}

// === impl Reg ===

impl Reg {
    /// The register this many 32-bit words further on.
    pub(super) fn plus(self, words: u8) -> Self {
        Self(self.0 + words)
    }

    fn number(self) -> u32 {
        NFT_REG32_00 + u32::from(self.0)
    }
}

// === impl Message ===

impl Message<'_> {
    /// Bytes of a register, as nested data.
    pub(super) fn value(&mut self, attribute: u16, value: &[u8]) {
        self.nested(attribute, |message| message.bytes(NFTA_DATA_VALUE, value));
    }
}

// === impl Expr ===

impl Expr {
    /// Appends the expression as an element of a rule's list.
    pub(super) fn encode(&self, message: &mut Message<'_>) {
        message.nested(NFTA_LIST_ELEM, |message| {
            message.string(NFTA_EXPR_NAME, self.name());
            message.nested(NFTA_EXPR_DATA, |message| self.encode_data(message));
        });
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Payload { .. } => "payload",
            Self::L4Proto { .. } | Self::LoadMark { .. } | Self::SetMark { .. } => "meta",
            Self::AddressType { .. } => "fib",
            Self::ConnectionState { .. } | Self::ConnectionStatus { .. } => "ct",
            Self::Bitwise { .. } => "bitwise",
            Self::Equal(..) | Self::NotEqual(..) | Self::AtLeast(..) | Self::AtMost(..) => "cmp",
            Self::Contains { .. }
            | Self::Lacks { .. }
            | Self::Lookup { .. }
            | Self::VerdictMap { .. } => "lookup",
            Self::Random { .. } => "numgen",
            Self::Remember { .. } | Self::Forget { .. } => "dynset",
            Self::Dnat { .. } => "nat",
            Self::Masquerade => "masq",
            Self::RejectTcp | Self::RejectPort(_) => "reject",
            Self::Load { .. } | Self::Drop | Self::Accept | Self::Jump(_) | Self::Goto(_) => {
                "immediate"
            }
        }
    }

    fn encode_data(&self, m: &mut Message<'_>) {
        match self {
            Self::Payload { header, offset, len, to } => {
                let base = if *header == Header::Network {
                    NFT_PAYLOAD_NETWORK_HEADER
                } else {
                    NFT_PAYLOAD_TRANSPORT_HEADER
                };
                m.u32(NFTA_PAYLOAD_DREG, to.number());
                m.u32(NFTA_PAYLOAD_BASE, base);
                m.u32(NFTA_PAYLOAD_OFFSET, *offset);
                m.u32(NFTA_PAYLOAD_LEN, *len);
            }
            Self::L4Proto { to } => meta(m, NFTA_META_DREG, *to, NFT_META_L4PROTO),
            Self::Load { value, to } => {
                m.u32(NFTA_IMMEDIATE_DREG, to.number());
                m.value(NFTA_IMMEDIATE_DATA, value);
            }
            Self::ConnectionState { to } => connection(m, *to, NFT_CT_STATE),
            Self::ConnectionStatus { to } => connection(m, *to, NFT_CT_STATUS),
            Self::LoadMark { to } => meta(m, NFTA_META_DREG, *to, NFT_META_MARK),
            Self::SetMark { from } => meta(m, NFTA_META_SREG, *from, NFT_META_MARK),
            Self::AddressType { source, to } => {
                m.u32(NFTA_FIB_DREG, to.number());
                m.u32(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
                m.u32(NFTA_FIB_FLAGS, if *source { NFTA_FIB_F_SADDR } else { NFTA_FIB_F_DADDR });
            }
            Self::Bitwise { from, to, mask, xor } => {
                m.u32(NFTA_BITWISE_SREG, from.number());
                m.u32(NFTA_BITWISE_DREG, to.number());
                m.u32(NFTA_BITWISE_LEN, mask.len() as u32);
                m.value(NFTA_BITWISE_MASK, mask);
                m.value(NFTA_BITWISE_XOR, xor);
            }
            Self::Equal(register, value) => compare(m, *register, NFT_CMP_EQ, value),
            Self::NotEqual(register, value) => compare(m, *register, NFT_CMP_NEQ, value),
            Self::AtLeast(register, value) => compare(m, *register, NFT_CMP_GTE, value),
            Self::AtMost(register, value) => compare(m, *register, NFT_CMP_LTE, value),
            Self::Contains { set, key } => lookup(m, set, *key, None),
            Self::Lacks { set, key } => {
                lookup(m, set, *key, None);
                m.u32(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
            }
            Self::Lookup { map, key, to } => lookup(m, map, *key, Some(to.number())),
            Self::VerdictMap { map, key } => lookup(m, map, *key, Some(NFT_REG_VERDICT)),
            _ => self.encode_effect(m),
        }
    }

    fn encode_effect(&self, m: &mut Message<'_>) {
        match self {
            Self::Random { below, to } => {
                m.u32(NFTA_NG_DREG, to.number());
                m.u32(NFTA_NG_MODULUS, *below);
                m.u32(NFTA_NG_TYPE, NFT_NG_RANDOM);
            }
            Self::Remember { map, key, value, seconds } => {
                dynset(m, map, NFT_DYNSET_OP_UPDATE, *key, *value);
                m.u64(NFTA_DYNSET_TIMEOUT, u64::from(*seconds) * 1000);
            }
            Self::Forget { map, key, value } => dynset(m, map, NFT_DYNSET_OP_DELETE, *key, *value),
            Self::Dnat { family, address, port } => {
                m.u32(NFTA_NAT_TYPE, NFT_NAT_DNAT);
                m.u32(NFTA_NAT_FAMILY, u32::from(nfproto(*family)));
                m.u32(NFTA_NAT_REG_ADDR_MIN, address.number());
                m.u32(NFTA_NAT_REG_PROTO_MIN, port.number());
            }
            Self::Masquerade => m.u32(NFTA_MASQ_FLAGS, NF_NAT_RANGE_PROTO_RANDOM_FULLY),
            Self::RejectTcp => {
                m.u32(NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST);
                m.u8(NFTA_REJECT_ICMP_CODE, 0);
            }
            Self::RejectPort(family) => {
                m.u32(NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
                m.u8(
                    NFTA_REJECT_ICMP_CODE,
                    if *family == Family::V4 { ICMP_PORT_UNREACH } else { ICMPV6_PORT_UNREACH },
                );
            }
            Self::Drop => verdict(m, NFTA_IMMEDIATE_DATA, NF_DROP, None),
            Self::Accept => verdict(m, NFTA_IMMEDIATE_DATA, NF_ACCEPT, None),
            Self::Jump(chain) => verdict(m, NFTA_IMMEDIATE_DATA, NFT_JUMP, Some(chain)),
            Self::Goto(chain) => verdict(m, NFTA_IMMEDIATE_DATA, NFT_GOTO, Some(chain)),
            _ => unreachable!("encode_data handles what only loads and matches"),
        }
    }
}

/// Appends a verdict, as data of an element or of an expression.
pub(super) fn encode_verdict(m: &mut Message<'_>, attribute: u16, code: i32, chain: Option<&str>) {
    m.nested(attribute, |m| {
        m.nested(NFTA_DATA_VERDICT, |m| {
            m.u32(NFTA_VERDICT_CODE, code.cast_unsigned());
            if let Some(chain) = chain {
                m.string(NFTA_VERDICT_CHAIN, chain);
            }
        });
    });
}

fn verdict(m: &mut Message<'_>, attribute: u16, code: i32, chain: Option<&str>) {
    m.u32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    encode_verdict(m, attribute, code, chain);
}

fn meta(m: &mut Message<'_>, attribute: u16, register: Reg, key: u32) {
    m.u32(NFTA_META_KEY, key);
    m.u32(attribute, register.number());
}

fn connection(m: &mut Message<'_>, to: Reg, key: u32) {
    m.u32(NFTA_CT_DREG, to.number());
    m.u32(NFTA_CT_KEY, key);
}

fn compare(m: &mut Message<'_>, register: Reg, op: u32, value: &[u8]) {
    m.u32(NFTA_CMP_SREG, register.number());
    m.u32(NFTA_CMP_OP, op);
    m.value(NFTA_CMP_DATA, value);
}

fn lookup(m: &mut Message<'_>, set: &str, key: Reg, to: Option<u32>) {
    m.string(NFTA_LOOKUP_SET, set);
    m.u32(NFTA_LOOKUP_SREG, key.number());
    if let Some(to) = to {
        m.u32(NFTA_LOOKUP_DREG, to);
    }
}

fn dynset(m: &mut Message<'_>, set: &str, op: u32, key: Reg, value: Reg) {
    m.string(NFTA_DYNSET_SET_NAME, set);
    m.u32(NFTA_DYNSET_OP, op);
    m.u32(NFTA_DYNSET_SREG_KEY, key.number());
    m.u32(NFTA_DYNSET_SREG_DATA, value.number());
}

/// The kernel's number of a family.
pub(super) fn nfproto(family: Family) -> u8 {
    match family {
        Family::V4 => NFPROTO_IPV4,
        Family::V6 => NFPROTO_IPV6,
    }
}
