//! What a key may be used for (`certificates.k8s.io/v1`, KeyUsage).

/// One use of a key, by Kubernetes' name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage(&'static Known);

#[derive(Debug, PartialEq, Eq)]
struct Known {
    name: &'static str,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// A bit of the extension `keyUsage` (RFC 5280, section 4.2.1.3).
    Bit(u8),
    /// A purpose of `extKeyUsage`.
    Purpose(&'static [u64]),
}

const fn bit(name: &'static str, bit: u8) -> Known {
    Known { name, kind: Kind::Bit(bit) }
}

const fn purpose(name: &'static str, oid: &'static [u64]) -> Known {
    Known { name, kind: Kind::Purpose(oid) }
}

const KNOWN: &[Known] = &[
    bit("digital signature", 0),
    bit("signing", 0),
    bit("content commitment", 1),
    bit("key encipherment", 2),
    bit("data encipherment", 3),
    bit("key agreement", 4),
    bit("cert sign", 5),
    bit("crl sign", 6),
    bit("encipher only", 7),
    bit("decipher only", 8),
    purpose("any", &[2, 5, 29, 37, 0]),
    purpose("server auth", &[1, 3, 6, 1, 5, 5, 7, 3, 1]),
    purpose("client auth", &[1, 3, 6, 1, 5, 5, 7, 3, 2]),
    purpose("code signing", &[1, 3, 6, 1, 5, 5, 7, 3, 3]),
    purpose("email protection", &[1, 3, 6, 1, 5, 5, 7, 3, 4]),
    purpose("s/mime", &[1, 3, 6, 1, 5, 5, 7, 3, 4]),
    purpose("ipsec end system", &[1, 3, 6, 1, 5, 5, 7, 3, 5]),
    purpose("ipsec tunnel", &[1, 3, 6, 1, 5, 5, 7, 3, 6]),
    purpose("ipsec user", &[1, 3, 6, 1, 5, 5, 7, 3, 7]),
    purpose("timestamping", &[1, 3, 6, 1, 5, 5, 7, 3, 8]),
    purpose("ocsp signing", &[1, 3, 6, 1, 5, 5, 7, 3, 9]),
    purpose("microsoft sgc", &[1, 3, 6, 1, 4, 1, 311, 10, 3, 3]),
    purpose("netscape sgc", &[2, 16, 840, 1, 113_730, 4, 1]),
];

// === impl Usage ===

impl Usage {
    /// The use that Kubernetes calls so; `None` when there is none of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        KNOWN.iter().find(|known| known.name == name).map(Self)
    }

    /// The uses of a client's key.
    pub(super) fn of_clients() -> Vec<Self> {
        ["digital signature", "client auth"].into_iter().filter_map(Self::named).collect()
    }

    pub(super) fn extended(self) -> Option<&'static [u64]> {
        match self.0.kind {
            Kind::Purpose(oid) => Some(oid),
            Kind::Bit(_) => None,
        }
    }
}

/// The bits of `keyUsage`, and how many there are; `None` when none is set.
pub(super) fn key_usage_bits(usages: &[Usage]) -> Option<(Vec<u8>, usize)> {
    let bits = usages.iter().filter_map(|usage| match usage.0.kind {
        Kind::Bit(bit) => Some(bit),
        Kind::Purpose(_) => None,
    });
    let mut bytes = [0_u8; 2];
    let mut last = None;
    for bit in bits {
        bytes[usize::from(bit / 8)] |= 0x80 >> (bit % 8);
        last = last.max(Some(bit));
    }
    // DER: without the zeros at the end.
    let length = usize::from(last?) + 1;
    Some((bytes[..length.div_ceil(8)].to_vec(), length))
}
