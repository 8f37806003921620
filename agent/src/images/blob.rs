//! Digests.

use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};

/// Counts the SHA-256 of what is read through it.
pub(crate) struct HashingReader<R> {
    inner: R,
    hash: Sha256,
}

/// `sha256:…` of these bytes.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    render(&Sha256::digest(bytes))
}

/// The hexadecimal part of a digest, when it is a well-formed `sha256:` one.
pub(crate) fn hex_of(digest: &str) -> Option<&str> {
    let hex = digest.strip_prefix("sha256:")?;
    (hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())).then_some(hex)
}

/// Hexadecimal digits of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// 64 random hexadecimal digits, for names that must never come twice.
pub(crate) fn random_hex() -> String {
    let (a, b) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    format!("{}{}", a.simple(), b.simple())
}

fn render(hash: &[u8]) -> String {
    format!("sha256:{}", hex(hash))
}

// === impl HashingReader ===

impl<R: Read> HashingReader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new() }
    }

    /// Reads what is left and gives the digest of everything.
    pub(crate) fn finish(mut self) -> io::Result<String> {
        io::copy(&mut self, &mut Sink)?;
        Ok(render(&self.hash.finalize()))
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.hash.update(&buf[..n]);
        Ok(n)
    }
}

struct Sink;

impl Write for Sink {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
