//! Unpacks one layer into a folder that overlayfs can use as a lower one: a whiteout becomes a
//! character device 0/0, an opaque folder gets the attribute `trusted.overlay.opaque`.

use super::blob::HashingReader;
use super::resolve::{Missing, resolve_in};
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Uid, XattrFlags};
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use tar::{Archive, Entry, EntryType};

/// The attribute that hides what lies below a folder.
pub(crate) const OPAQUE: &str = "trusted.overlay.opaque";
const WHITEOUT: &str = ".wh.";
const OPAQUE_WHITEOUT: &str = ".wh..wh..opq";

/// Unpacks `blob` (a tar, plain or gzipped) into the new folder `target` and gives the digests of
/// the blob and of the tar in it.
pub(crate) fn unpack(blob: impl Read, target: &Path) -> io::Result<(String, String)> {
    fs::create_dir_all(target)?;
    fs::set_permissions(target, fs::Permissions::from_mode(0o755))?;
    let mut blob = BufReader::with_capacity(128 * 1024, HashingReader::new(blob));
    let magic = {
        use io::BufRead;
        let head = blob.fill_buf()?;
        [head.first().copied(), head.get(1).copied()]
    };
    let diff = match magic {
        [Some(0x1f), Some(0x8b)] => {
            let mut tar = HashingReader::new(flate2::bufread::MultiGzDecoder::new(&mut blob));
            unpack_tar(&mut tar, target)?;
            tar.finish()?
        }
        [Some(0x28), Some(0xb5)] => {
            return Err(io::Error::other("zstd layers are not supported"));
        }
        _ => {
            let mut tar = HashingReader::new(&mut blob);
            unpack_tar(&mut tar, target)?;
            tar.finish()?
        }
    };
    io::copy(&mut blob, &mut io::sink())?;
    Ok((blob.into_inner().finish()?, diff))
}

/// Whether this is a whiteout as [`unpack`] leaves it.
pub(crate) fn is_whiteout(meta: &fs::Metadata) -> bool {
    meta.file_type().is_char_device() && meta.rdev() == 0
}

/// Whether this folder hides those of lower layers.
pub(crate) fn is_opaque(folder: &Path) -> bool {
    let mut value = [0_u8; 1];
    matches!(rustix::fs::getxattr(folder, OPAQUE, &mut value[..]), Ok(1) if value[0] == b'y')
}

fn unpack_tar(tar: &mut impl Read, target: &Path) -> io::Result<()> {
    let root = rustix::process::geteuid().is_root();
    let mut archive = Archive::new(tar);
    archive.set_preserve_permissions(true);
    archive.set_preserve_mtime(true);
    archive.set_unpack_xattrs(root);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        place(&mut entry, target, &path, root)
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    }
    Ok(())
}

fn place<R: Read>(
    entry: &mut Entry<'_, R>,
    target: &Path,
    path: &Path,
    root: bool,
) -> io::Result<()> {
    if path.components().any(|c| matches!(c, Component::ParentDir)) {
        return Err(io::Error::other("the path leads out of the image"));
    }
    let Some(name) = path.file_name() else {
        return own(entry, target, root);
    };
    let parent = path.parent().unwrap_or(Path::new(""));
    let folder = resolve_in(target, parent, Missing::Create)?;
    if name == OPAQUE_WHITEOUT {
        return make_opaque(&folder);
    }
    if let Some(gone) = name.to_str().and_then(|n| n.strip_prefix(WHITEOUT)) {
        // `.wh...` would take away the folder above.
        if matches!(gone, "" | "." | "..") {
            return Err(io::Error::other("a whiteout of no file"));
        }
        return make_whiteout(&folder.join(gone));
    }
    let dest = folder.join(name);
    clear(&dest, entry.header().entry_type())?;
    create(entry, target, &dest)?;
    own(entry, &dest, root)
}

/// Removes what stands in the way of an entry of this kind.
fn clear(dest: &Path, kind: EntryType) -> io::Result<()> {
    match fs::symlink_metadata(dest) {
        Ok(meta) if meta.is_dir() && kind.is_dir() => Ok(()),
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(dest),
        Ok(_) => fs::remove_file(dest),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

fn create<R: Read>(entry: &mut Entry<'_, R>, target: &Path, dest: &Path) -> io::Result<()> {
    let header = entry.header();
    match header.entry_type() {
        EntryType::Link => {
            let to = entry.link_name()?.unwrap_or_default().into_owned();
            let parent = to.parent().unwrap_or(Path::new(""));
            let from = resolve_in(target, parent, Missing::Keep)?;
            let name = to.file_name().ok_or_else(|| io::Error::other("a hard link to nothing"))?;
            fs::hard_link(from.join(name), dest)
        }
        EntryType::Symlink => {
            let to = entry.link_name()?.unwrap_or_default().into_owned();
            std::os::unix::fs::symlink(to, dest)
        }
        EntryType::Char => device(dest, FileType::CharacterDevice, header),
        EntryType::Block => device(dest, FileType::BlockDevice, header),
        EntryType::Fifo => device(dest, FileType::Fifo, header),
        EntryType::XGlobalHeader => Ok(()),
        _ => entry.unpack(dest).map(|_| ()),
    }
}

fn device(dest: &Path, kind: FileType, header: &tar::Header) -> io::Result<()> {
    let major = header.device_major()?.unwrap_or(0);
    let minor = header.device_minor()?.unwrap_or(0);
    let mode = Mode::from_raw_mode(header.mode()? & 0o7777);
    let dev = rustix::fs::makedev(major, minor);
    Ok(rustix::fs::mknodat(CWD, dest, kind, mode, dev)?)
}

fn make_whiteout(dest: &Path) -> io::Result<()> {
    clear(dest, EntryType::Regular)?;
    Ok(rustix::fs::mknodat(CWD, dest, FileType::CharacterDevice, Mode::empty(), 0)?)
}

fn make_opaque(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::setxattr(folder, OPAQUE, b"y", XattrFlags::empty())?)
}

/// Gives `dest` the owner of its entry (only root can), then its mode: a change of owner clears set-uid bits.
fn own<R: Read>(entry: &Entry<'_, R>, dest: &Path, root: bool) -> io::Result<()> {
    let header = entry.header();
    if matches!(header.entry_type(), EntryType::Link | EntryType::XGlobalHeader) {
        return Ok(());
    }
    if root {
        let (uid, gid) = (header.uid()? as u32, header.gid()? as u32);
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        rustix::fs::chownat(CWD, dest, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    if header.entry_type().is_symlink() {
        return Ok(());
    }
    fs::set_permissions(dest, fs::Permissions::from_mode(header.mode()? & 0o7777))
}

/// Applies unpacked layers, lowest first, to a plain folder: what overlayfs shows, as copies.
pub(crate) fn copy_merged(layers: &[PathBuf], target: &Path) -> io::Result<()> {
    fs::create_dir_all(target)?;
    layers.iter().try_for_each(|layer| copy_over(layer, target))
}

fn copy_over(from: &Path, to: &Path) -> io::Result<()> {
    if is_opaque(from) {
        for entry in fs::read_dir(to)? {
            clear(&entry?.path(), EntryType::Regular)?;
        }
    }
    copy_owner(from, to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, dest) = (entry.path(), to.join(entry.file_name()));
        let meta = fs::symlink_metadata(&source)?;
        if meta.is_dir() {
            clear(&dest, EntryType::Directory)?;
            fs::create_dir_all(&dest)?;
            copy_over(&source, &dest)?;
            continue;
        }
        clear(&dest, EntryType::Regular)?;
        copy_file(&source, &dest, &meta)?;
    }
    Ok(())
}

fn copy_file(source: &Path, dest: &Path, meta: &fs::Metadata) -> io::Result<()> {
    let kind = meta.file_type();
    if is_whiteout(meta) {
        return Ok(());
    }
    if kind.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(source)?, dest)?;
    } else if kind.is_file() {
        io::copy(&mut File::open(source)?, &mut File::create(dest)?)?;
    } else {
        let kind = FileType::from_raw_mode(meta.mode());
        let mode = Mode::from_raw_mode(meta.mode() & 0o7777);
        rustix::fs::mknodat(CWD, dest, kind, mode, meta.rdev())?;
    }
    copy_owner(source, dest)
}

fn copy_owner(source: &Path, dest: &Path) -> io::Result<()> {
    let meta = fs::symlink_metadata(source)?;
    if rustix::process::geteuid().is_root() {
        let (uid, gid) = (Uid::from_raw(meta.uid()), Gid::from_raw(meta.gid()));
        rustix::fs::chownat(CWD, dest, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    if meta.file_type().is_symlink() {
        return Ok(());
    }
    fs::set_permissions(dest, fs::Permissions::from_mode(meta.mode() & 0o7777))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar_of(name: &str) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        // Written by hand: the crate's own writer refuses some of these.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(0);
        header.set_mode(0o644);
        header.set_cksum();
        let mut tar = tar::Builder::new(Vec::new());
        tar.append(&header, io::empty()).unwrap();
        tar.into_inner().unwrap()
    }

    #[test]
    fn no_whiteout_reaches_out_of_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let neighbour = dir.path().join("neighbour");
        fs::write(&neighbour, "stays").unwrap();
        for name in [".wh...", ".wh..", ".wh.", "../neighbour"] {
            let layer = dir.path().join("layer");
            assert!(unpack(&tar_of(name)[..], &layer).is_err(), "{name}");
            assert!(layer.is_dir(), "{name}");
            assert_eq!(fs::read_to_string(&neighbour).unwrap(), "stays", "{name}");
        }
    }
}
