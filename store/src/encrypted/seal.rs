//! What a sealed value looks like: magic with version (5 bytes), length of the key's name (1), the name, nonce
//! (12), the value encrypted, tag (16). What stands before the nonce, and the key of the pair, are authenticated
//! with it.

use super::keys::{Key, KeyRing};
use super::nonces::Nonces;
use crate::{Error, Event, KeyValue, Op, Result};
use aes_gcm::{AeadInPlace, Nonce, Tag};
use bytes::Bytes;
use std::sync::Arc;

/// Begins a sealed value; the last byte is the version. Neither JSON nor text begins like this.
const MAGIC: &[u8; 5] = b"\0wse\x01";
const NONCE: usize = 12;
const TAG: usize = 16;

/// Seals values and opens them.
pub(super) struct Sealer {
    pub(super) keys: KeyRing,
    pub(super) nonces: Arc<dyn Nonces>,
    pub(super) allow_plain: bool,
}

/// The parts of a sealed value.
struct Sealed<'a> {
    head: &'a [u8],
    key_name: &'a [u8],
    nonce: &'a [u8; NONCE],
    text: &'a [u8],
    tag: &'a [u8; TAG],
}

// === impl Sealed ===

impl<'a> Sealed<'a> {
    /// `None` when the bytes are no sealed value.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (len, rest) = bytes.strip_prefix(MAGIC)?.split_first()?;
        let (key_name, rest) = rest.split_at_checked(usize::from(*len))?;
        let head = &bytes[..MAGIC.len() + 1 + key_name.len()];
        let (nonce, rest) = rest.split_first_chunk()?;
        let (text, tag) = rest.split_last_chunk()?;
        Some(Self { head, key_name, nonce, text, tag })
    }
}

// === impl Sealer ===

impl Sealer {
    /// Seals what a key shall hold.
    pub(super) fn seal(&self, key: &[u8], value: &[u8]) -> Result<Bytes> {
        let with = self.keys.first();
        let nonce = self.nonces.next().map_err(|source| Error::Io {
            context: "take a nonce to seal a value".into(),
            source,
        })?;
        let mut out = Vec::with_capacity(overhead(with) + value.len());
        out.extend_from_slice(MAGIC);
        out.push(u8::try_from(with.name.len()).expect("names are short"));
        out.extend_from_slice(with.name.as_bytes());
        let authenticated = [&out[..], key].concat();
        out.extend_from_slice(&nonce);
        let begin = out.len();
        out.extend_from_slice(value);
        let text = &mut out[begin..];
        let tag = with.cipher.encrypt_in_place_detached(&nonce.into(), &authenticated, text);
        let tag =
            tag.map_err(|_| Error::Invalid(format!("value of {key:?} is too long to seal")))?;
        out.extend_from_slice(&tag);
        Ok(out.into())
    }

    /// Opens what a key holds.
    pub(super) fn open(&self, mut kv: KeyValue) -> Result<KeyValue> {
        let opened = self.open_value(&kv.key, &kv.value);
        let opened = opened.map_err(|reason| Error::Sealed { key: kv.key.clone(), reason })?;
        kv.value = opened.unwrap_or(kv.value);
        Ok(kv)
    }

    /// `None` when the value is plain, and may be.
    fn open_value(&self, key: &[u8], value: &[u8]) -> Result<Option<Bytes>, String> {
        let Some(sealed) = Sealed::parse(value) else {
            let is_plain = self.allow_plain && !value.starts_with(MAGIC);
            return if is_plain { Ok(None) } else { Err("it is not sealed".into()) };
        };
        let name = String::from_utf8_lossy(sealed.key_name);
        let with = self.keys.find(sealed.key_name);
        let with = with.ok_or_else(|| format!("the key ring has no key {name:?}"))?;
        let authenticated = [sealed.head, key].concat();
        let mut text = sealed.text.to_vec();
        let (nonce, tag) = (Nonce::from(*sealed.nonce), Tag::from(*sealed.tag));
        let opened = with.cipher.decrypt_in_place_detached(&nonce, &authenticated, &mut text, &tag);
        opened.map_err(|_| format!("it was changed, or key {name:?} is another one now"))?;
        Ok(Some(text.into()))
    }

    /// Whether the first key sealed it.
    pub(super) fn is_current(&self, value: &[u8]) -> bool {
        let first = self.keys.first().name.as_bytes();
        Sealed::parse(value).is_some_and(|sealed| sealed.key_name == first)
    }

    pub(super) fn open_event(&self, event: &Event) -> Result<Event> {
        let open = |kv: &KeyValue| self.open(kv.clone());
        Ok(match event {
            Event::Put { now, previous } => {
                Event::Put { now: open(now)?, previous: previous.as_ref().map(open).transpose()? }
            }
            Event::Delete { previous } => Event::Delete { previous: open(previous)? },
        })
    }

    pub(super) fn seal_op(&self, op: Op) -> Result<Op> {
        Ok(match op {
            Op::Put { key, value, lease } => {
                let value = self.seal(&key, &value)?;
                Op::Put { key, value, lease }
            }
            Op::Delete { key } => Op::Delete { key },
        })
    }
}

/// Whether a value of the store behind looks like one that was sealed, with whatever key.
#[must_use]
pub fn is_sealed(value: &[u8]) -> bool {
    Sealed::parse(value).is_some()
}

/// How much longer a sealed value is.
fn overhead(key: &Key) -> usize {
    MAGIC.len() + 1 + key.name.len() + NONCE + TAG
}
