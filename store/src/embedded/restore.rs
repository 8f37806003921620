//! From a file that holds a snapshot to a directory that opens.

use super::disk::{self, DataDir, HEADER, Header, Kind, io_error};
use super::files::Machine;
use super::frame::Frames;
use super::record::Item;
use super::snapshot::{self, Output};
use crate::{Error, KeyValue, LeaseId, Result, Revision};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

/// Length of the checksum that `etcdctl snapshot save` leaves behind a snapshot.
const CHECKSUM: u64 = 32;
/// It stands behind a multiple of so many bytes.
const PAGE: u64 = 512;

/// See [`crate::backup::restore`].
pub(crate) fn restore(from: &Path, to: &Path) -> Result<Revision> {
    let mut file = File::open(from).map_err(io_error("open", from))?;
    let file_len = file.metadata().map_err(io_error("stat", from))?.len();
    let mut input = Hashing { input: BufReader::new(&mut file), sum: Sha256::new() };
    let header = Header::read(&mut input, Kind::Snapshot, from)?;
    // The API counts revisions with a sign.
    if header.revision == 0 || i64::try_from(header.revision).is_err() {
        let (file, reason) = (from.display().to_string(), format!("revision {}", header.revision));
        return Err(Error::Corrupt { file, offset: 16, reason });
    }
    let dir = empty(to)?;
    snapshot::publish(&dir, header.revision, |output| {
        let mut frames = Frames::new(&mut input, from, header.salt, HEADER as u64, file_len);
        copy(&mut frames, header, output)?;
        let end = frames.offset();
        check_end(&mut input, end, file_len).map_err(io_error("read", from))?.map_err(|reason| {
            Error::Corrupt { file: from.display().to_string(), offset: end, reason }
        })
    })?;
    Ok(header.revision)
}

/// The directory, if nothing is in it.
fn empty(path: &Path) -> Result<DataDir> {
    match std::fs::read_dir(path) {
        // Looked at before anything in it is touched.
        Ok(entries) => {
            let names = entries.map(|entry| Ok(entry?.file_name()));
            let names: std::io::Result<Vec<_>> = names.collect();
            refuse_used(path, names.map_err(io_error("list", path))?)?;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(io_error("list", path)(error)),
    }
    let dir = DataDir::open(path, Arc::new(Machine))?;
    refuse_used(path, dir.names()?)?;
    Ok(dir)
}

fn refuse_used<N: AsRef<OsStr>>(path: &Path, names: Vec<N>) -> Result<()> {
    match names.iter().map(AsRef::as_ref).find(|name| *name != disk::LOCK) {
        None => Ok(()),
        Some(found) => {
            let path = path.display();
            Err(Error::Invalid(format!("{path} is not empty: there is {found:?}")))
        }
    }
}

fn copy<R: Read>(frames: &mut Frames<R>, header: Header, output: &mut Output<'_>) -> Result<()> {
    // Names that the store chooses begin somewhere else: those who hold names of leases that were granted
    // after the snapshot, or ended before it, must not meet others' leases.
    output.grants(u64::from(Header::new(Kind::Snapshot, 0).salt) << 24)?;
    let mut order = Order { revision: header.revision, last: None, leases: BTreeSet::new() };
    loop {
        let mut written = Ok(());
        let more = snapshot::read_frame(frames, header.format, &mut |item| {
            order.check(&item)?;
            if written.is_ok() {
                written = match item {
                    Item::Key(kv) => output.key(&kv),
                    Item::Lease(id, ttl) => output.lease(id, ttl),
                    Item::Grants(_) => Ok(()),
                };
            }
            Ok(())
        })?;
        written?;
        if !more {
            return Ok(());
        }
    }
}

/// Nothing but the end; or zeros up to a multiple of [`PAGE`] and the checksum of all before it.
fn check_end<R: Read>(
    input: &mut Hashing<R>,
    end: u64,
    file_len: u64,
) -> std::io::Result<std::result::Result<(), String>> {
    let left = file_len - end;
    let Some(filling) = left.checked_sub(CHECKSUM).filter(|filling| *filling < PAGE) else {
        let reason = format!("{left} bytes come after the end of the snapshot");
        return Ok(if left == 0 { Ok(()) } else { Err(reason) });
    };
    let mut filled = [0; PAGE as usize];
    let filled = &mut filled[..usize::try_from(filling).expect("less than a page")];
    input.read_exact(filled)?;
    let expected = input.sum.clone().finalize();
    let mut found = [0; CHECKSUM as usize];
    input.read_exact(&mut found)?;
    let sound = found[..] == expected[..] && filled.iter().all(|byte| *byte == 0);
    Ok(if sound { Ok(()) } else { Err("the checksum of the file is wrong".into()) })
}

/// What has to be true of the items of a snapshot, one after the other.
struct Order {
    revision: Revision,
    last: Option<Bytes>,
    leases: BTreeSet<LeaseId>,
}

// === impl Order ===

impl Order {
    fn check(&mut self, item: &Item) -> std::result::Result<(), &'static str> {
        match item {
            Item::Grants(_) => {}
            Item::Lease(id, _) => {
                self.leases.insert(*id);
            }
            Item::Key(kv) => {
                self.check_key(kv)?;
                self.last = Some(kv.key.clone());
            }
        }
        Ok(())
    }

    fn check_key(&self, kv: &KeyValue) -> std::result::Result<(), &'static str> {
        if self.last.as_ref().is_some_and(|last| *last >= kv.key) || kv.key.is_empty() {
            return Err("a key is not in its place");
        }
        let times = [1, kv.create_revision, kv.mod_revision, self.revision];
        if !times.is_sorted() || kv.version == 0 {
            return Err("a key has a revision that can't be");
        }
        match kv.lease {
            Some(id) if !self.leases.contains(&id) => Err("a key has a lease that is not there"),
            _ => Ok(()),
        }
    }
}

/// Sums up what is read.
struct Hashing<R> {
    input: R,
    sum: Sha256,
}

// === impl Hashing ===

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.sum.update(&buffer[..read]);
        Ok(read)
    }
}
