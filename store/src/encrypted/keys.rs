//! Keys, their names, and the file they stand in.

use aes_gcm::aead::OsRng;
use aes_gcm::aead::rand_core::RngCore;
use aes_gcm::{Aes256Gcm, KeyInit};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fmt::{Debug, Formatter};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// Bytes of a key.
const KEY: usize = 32;
/// The longest name of a key.
const MAX_NAME: usize = 64;
/// The longest file that is read.
const MAX_FILE: u64 = 64 << 10;

/// Why there is no key ring. Says nothing of the file's name, which whoever named it knows.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The file can't be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Others than the owner may read or write the file.
    #[error("mode {mode:04o}, others may read the keys. It must be 0600")]
    Mode {
        /// Its mode.
        mode: u32,
    },
    /// A line is no key. `line` counts from 1.
    #[error("line {line}: {reason}")]
    Line {
        /// The line.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no key.
    #[error("there is no key: one to a line, NAME:BASE64 of 32 bytes")]
    Empty,
}

/// Keys with names. The first seals, all open. `Debug` shows names only; the bytes are wiped when it is dropped.
pub struct KeyRing {
    keys: Vec<Key>,
}

/// One key.
pub(super) struct Key {
    pub(super) name: String,
    pub(super) cipher: Aes256Gcm,
}

// === impl KeyRing ===

impl KeyRing {
    /// Reads keys from a file that only its owner may read, one to a line: `name:base64 of 32 bytes`. Empty lines
    /// and lines that begin with `#` are left out.
    ///
    /// # Errors
    /// See [`KeyRingError`].
    pub fn read(path: &Path) -> Result<Self, KeyRingError> {
        let file = File::open(path)?;
        let mode = file.metadata()?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyRingError::Mode { mode });
        }
        // With room for all of it: a buffer that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize));
        file.take(MAX_FILE).read_to_string(&mut text)?;
        Self::parse(&text)
    }

    /// Keys from the text of such a file.
    ///
    /// # Errors
    /// See [`KeyRingError`].
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let mut keys: Vec<Key> = Vec::new();
        let lines = text.lines().map(str::trim).enumerate();
        for (index, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let failed = |reason| KeyRingError::Line { line: index + 1, reason };
            let key = parse_key(line).map_err(failed)?;
            if keys.iter().any(|other| other.name == key.name) {
                return Err(failed("the name was used before"));
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(KeyRingError::Empty) } else { Ok(Self { keys }) }
    }

    /// A new key as a line of such a file, from the operating system's random numbers.
    ///
    /// # Errors
    /// When the system has none.
    pub fn generate(name: &str) -> std::io::Result<Zeroizing<String>> {
        let mut bytes = Zeroizing::new([0; KEY]);
        OsRng
            .try_fill_bytes(&mut *bytes)
            .map_err(|error| std::io::Error::other(error.to_string()))?;
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(*bytes));
        Ok(Zeroizing::new(format!("{name}:{}\n", &*encoded)))
    }

    /// The key that seals.
    pub(super) fn first(&self) -> &Key {
        self.keys.first().expect("a ring has a key")
    }

    pub(super) fn find(&self, name: &[u8]) -> Option<&Key> {
        self.keys.iter().find(|key| key.name.as_bytes() == name)
    }
}

impl Debug for KeyRing {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.name)).finish()
    }
}

fn parse_key(line: &str) -> Result<Key, &'static str> {
    let (name, text) = line.split_once(':').ok_or("it is not NAME:BASE64")?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_plain) {
        return Err("a name has 1 to 64 letters, digits, '-', '_' and '.'");
    }
    let mut bytes = Zeroizing::new([0; KEY + 1]);
    let len = BASE64_STANDARD.decode_slice(text.trim(), &mut bytes[..]);
    if !matches!(len, Ok(KEY)) {
        return Err("the key is not base64 of 32 bytes");
    }
    let cipher = Aes256Gcm::new_from_slice(&bytes[..KEY]).expect("the key has the right length");
    Ok(Key { name: name.to_owned(), cipher })
}
