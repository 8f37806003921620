//! What a disk may hold after the power is lost.
//!
//! What was synced stays. Of what was not, each write may be there whole, up to any byte, in some of its
//! sectors, or not at all; each change of a length or a name may have happened or not.

use rand::Rng;
use rand::rngs::SmallRng;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use windlass_store::testing::Action;

const SECTOR: usize = 512;
/// So much of the space that was never written is kept: more would only take time.
const TAIL: usize = 4096;

/// One directory of files.
#[derive(Default)]
pub(super) struct Model {
    files: Vec<File>,
    /// As programs see them.
    names: Names,
    synced_names: Names,
    name_changes: Vec<NameChange>,
}

type Names = BTreeMap<OsString, usize>;

#[derive(Default)]
struct File {
    synced: Content,
    changes: Vec<Change>,
}

/// What is beyond the bytes, up to the length, was never written.
#[derive(Clone, Default)]
struct Content {
    bytes: Vec<u8>,
    len: usize,
}

enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
    Grow(usize),
}

enum NameChange {
    Create(OsString, usize),
    Rename(OsString, OsString),
    Remove(OsString),
}

/// What of the changes that were not synced is there after the power is lost.
pub(super) enum Luck<'a> {
    All,
    None,
    Some(&'a mut SmallRng),
}

// === impl Luck ===

impl Luck<'_> {
    fn happens(&mut self) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Some(rng) => rng.random_bool(0.5),
        }
    }

    /// What of a write is there: pieces with their offsets in it.
    fn pieces<'b>(&mut self, bytes: &'b [u8]) -> Vec<(usize, &'b [u8])> {
        let Self::Some(rng) = self else {
            return if self.happens() { vec![(0, bytes)] } else { Vec::new() };
        };
        match rng.random_range(0..4) {
            0 => Vec::new(),
            1 => vec![(0, bytes)],
            2 => vec![(0, &bytes[..rng.random_range(0..=bytes.len())])],
            _ => {
                let sectors = bytes.chunks(SECTOR).enumerate();
                let there = sectors.filter(|_| rng.random_bool(0.5));
                there.map(|(index, piece)| (index * SECTOR, piece)).collect()
            }
        }
    }
}

// === impl Content ===

impl Content {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if !bytes.is_empty() {
            self.bytes.resize(self.bytes.len().max(end), 0);
            self.bytes[offset..end].copy_from_slice(bytes);
            self.len = self.len.max(end);
        }
    }

    fn apply(&mut self, change: &Change, luck: &mut Luck<'_>) {
        match change {
            Change::Write(offset, bytes) => {
                for (at, piece) in luck.pieces(bytes) {
                    self.write(offset + at, piece);
                }
            }
            Change::SetLen(len) if luck.happens() => {
                self.bytes.truncate(*len);
                self.len = *len;
            }
            Change::Grow(len) if luck.happens() => self.len = self.len.max(*len),
            Change::SetLen(_) | Change::Grow(_) => {}
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes.resize(self.len.min(self.bytes.len() + TAIL), 0);
        bytes
    }
}

// === impl File ===

impl File {
    fn after(&self, luck: &mut Luck<'_>) -> Content {
        let mut content = self.synced.clone();
        self.changes.iter().for_each(|change| content.apply(change, luck));
        content
    }

    /// Puts on disk what luck wills, and forgets the rest.
    fn settle(&mut self, luck: &mut Luck<'_>) {
        self.synced = self.after(luck);
        self.changes.clear();
    }
}

// === impl Model ===

impl Model {
    /// A directory with nothing to be synced.
    pub(super) fn of(dir: &Path) -> Self {
        let mut model = Self::default();
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let bytes = std::fs::read(entry.path()).unwrap();
            let synced = Content { len: bytes.len(), bytes };
            model.names.insert(entry.file_name(), model.files.len());
            model.files.push(File { synced, changes: Vec::new() });
        }
        model.synced_names = model.names.clone();
        model
    }

    /// Notes what a program does. With `luck` a sync works; what it is about is as lucky.
    pub(super) fn note(&mut self, path: &Path, action: Action<'_>, luck: &mut Luck<'_>) {
        let name = name(path);
        match action {
            Action::CreateDir => {}
            Action::Create => self.create(name),
            Action::Write { offset, bytes, .. } => {
                self.change(name, Change::Write(offset as usize, bytes.to_vec()));
            }
            Action::SetLen { len, .. } => self.change(name, Change::SetLen(len as usize)),
            Action::Allocate { offset, len, .. } => {
                self.change(name, Change::Grow((offset + len) as usize));
            }
            Action::SyncData { .. } | Action::SyncAll { .. } => self.file(name).settle(luck),
            Action::Rename { to } => {
                let to = self::name(to);
                let file = self.names.remove(name).unwrap();
                self.names.insert(to.to_owned(), file);
                self.name_changes.push(NameChange::Rename(name.to_owned(), to.to_owned()));
            }
            Action::Remove => {
                self.names.remove(name).unwrap();
                self.name_changes.push(NameChange::Remove(name.to_owned()));
            }
            Action::SyncDir => {
                if luck.happens() {
                    self.synced_names = self.names.clone();
                    self.name_changes.clear();
                }
            }
        }
    }

    fn create(&mut self, name: &OsStr) {
        if self.names.contains_key(name) {
            self.change(name, Change::SetLen(0));
            return;
        }
        let file = self.files.len();
        self.files.push(File::default());
        self.names.insert(name.to_owned(), file);
        self.name_changes.push(NameChange::Create(name.to_owned(), file));
    }

    fn file(&mut self, name: &OsStr) -> &mut File {
        &mut self.files[self.names[name]]
    }

    fn change(&mut self, name: &OsStr, change: Change) {
        self.file(name).changes.push(change);
    }

    /// Makes a directory as it may be found when the power comes back.
    pub(super) fn image(&self, mut luck: Luck<'_>) -> tempfile::TempDir {
        let mut names = self.synced_names.clone();
        for change in self.name_changes.iter().filter(|_| luck.happens()) {
            match change {
                NameChange::Create(name, file) => {
                    names.insert(name.clone(), *file);
                }
                // What was never made can't be renamed: the other change was not written either.
                NameChange::Rename(from, to) => {
                    if let Some(file) = names.remove(from) {
                        names.insert(to.clone(), file);
                    }
                }
                NameChange::Remove(name) => {
                    names.remove(name);
                }
            }
        }
        let dir = tempfile::tempdir().unwrap();
        for (name, file) in names {
            let bytes = self.files[file].after(&mut luck).to_bytes();
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        dir
    }
}

fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap()
}
