//! Reads image archives: the OCI layout in a tar, and what `docker save` writes.

use super::reference;
use crate::runtime::{Error, Result};
use flate2::read::MultiGzDecoder;
use oci_spec::image::{Arch, Descriptor, ImageIndex, ImageManifest, MediaType, Os};
use serde::Deserialize;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Largest JSON document that is read.
const MAX_DOCUMENT: u64 = 16 << 20;
/// Deepest nesting of indexes.
const MAX_DEPTH: usize = 4;

/// An archive, and where each of its files begins.
pub(crate) struct ArchiveFile {
    file: Arc<File>,
    members: HashMap<String, Member>,
}

/// What is left of a member's content. Readers do not disturb each other: each has a position of its own.
pub(crate) struct MemberReader {
    file: Arc<File>,
    at: u64,
    left: u64,
}

/// One image of an archive.
pub(crate) struct Found {
    /// The names it goes by, full ones.
    pub(crate) names: Vec<String>,
    /// The manifest's digest, when the archive has one.
    pub(crate) manifest: Option<String>,
    /// The manifest's bytes.
    #[cfg_attr(
        not(feature = "containerd"),
        expect(dead_code, reason = "kept by content stores only")
    )]
    pub(crate) manifest_bytes: Option<Vec<u8>>,
    /// The configuration's bytes.
    pub(crate) config: Vec<u8>,
    /// The digest the manifest gives for the configuration.
    pub(crate) config_digest: Option<String>,
    /// The layers, lowest first.
    pub(crate) layers: Vec<LayerMember>,
}

/// A layer in an archive.
pub(crate) struct LayerMember {
    /// The name of its file in the archive.
    pub(crate) member: String,
    /// The digest the manifest gives for it.
    pub(crate) digest: Option<String>,
    /// The kind of its blob, when the archive says it.
    #[cfg_attr(
        not(feature = "containerd"),
        expect(dead_code, reason = "kept by content stores only")
    )]
    pub(crate) media_type: Option<String>,
}

#[derive(Clone, Copy)]
struct Member {
    offset: u64,
    size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// A manifest of an index, with the annotations of all descriptors that lead to it.
struct Leaf {
    descriptor: Descriptor,
    names: Vec<String>,
}

// === impl ArchiveFile ===

impl ArchiveFile {
    /// Opens an archive; one that is gzipped is first unpacked into a file without a name in `scratch`.
    pub(crate) fn open(path: &Path, scratch: &Path) -> Result<Self> {
        let context = || format!("image archive {}", path.display());
        let file = File::open(path).map_err(|e| io_error(context(), e))?;
        let file = plain(file, scratch).map_err(|e| io_error(context(), e))?;
        let members = index(&file)
            .map_err(|e| Error::Invalid(format!("{} is not a tar archive: {e}", context())))?;
        Ok(Self { file: Arc::new(file), members })
    }

    /// A member's content.
    pub(crate) fn read(&self, member: &str) -> Result<MemberReader> {
        let lacks = || Error::Invalid(format!("the image archive lacks {member}"));
        let Member { offset, size } = *self.members.get(member).ok_or_else(lacks)?;
        Ok(MemberReader { file: self.file.clone(), at: offset, left: size })
    }

    /// All images for this machine.
    pub(crate) fn images(&self) -> Result<Vec<Found>> {
        let found = if self.members.contains_key("index.json") {
            self.oci_images()?
        } else if self.members.contains_key("manifest.json") {
            self.docker_images()?
        } else {
            return Err(Error::Invalid(
                "not an image archive: it has neither index.json nor manifest.json".into(),
            ));
        };
        if found.is_empty() {
            return Err(Error::Invalid(format!(
                "the image archive has no image for linux/{}",
                Arch::default()
            )));
        }
        Ok(found)
    }

    fn oci_images(&self) -> Result<Vec<Found>> {
        let top: ImageIndex = self.json("index.json")?;
        let mut leaves = Vec::new();
        for descriptor in top.manifests() {
            let mut below = Vec::new();
            self.descend(descriptor, &[], 0, &mut below)?;
            // One image a descriptor of the top: of a multi-platform one, the first that fits.
            leaves.extend(below.into_iter().next());
        }
        leaves.into_iter().map(|leaf| self.oci_image(leaf)).collect()
    }

    fn descend(
        &self,
        at: &Descriptor,
        names: &[String],
        depth: usize,
        out: &mut Vec<Leaf>,
    ) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(Error::Invalid("the image archive's indexes are nested too deeply".into()));
        }
        let mut names = names.to_vec();
        names.extend(names_of(at));
        match at.media_type() {
            MediaType::ImageIndex => {}
            MediaType::Other(other) if other.contains("manifest.list") => {}
            _ if fits(at) => {
                out.push(Leaf { descriptor: at.clone(), names });
                return Ok(());
            }
            _ => return Ok(()),
        }
        let index: ImageIndex = serde_json::from_slice(&self.blob(at)?).map_err(malformed)?;
        index.manifests().iter().try_for_each(|d| self.descend(d, &names, depth + 1, out))
    }

    fn oci_image(&self, leaf: Leaf) -> Result<Found> {
        let bytes = self.blob(&leaf.descriptor)?;
        let manifest: ImageManifest = serde_json::from_slice(&bytes).map_err(malformed)?;
        let layers = manifest.layers().iter().map(|d| LayerMember {
            member: member_of(d),
            digest: Some(d.digest().to_string()),
            media_type: Some(d.media_type().to_string()),
        });
        Ok(Found {
            names: leaf.names.iter().filter_map(|n| reference::normalise(n).ok()).collect(),
            manifest: Some(leaf.descriptor.digest().to_string()),
            manifest_bytes: Some(bytes),
            config: self.blob(manifest.config())?,
            config_digest: Some(manifest.config().digest().to_string()),
            layers: layers.collect(),
        })
    }

    fn docker_images(&self) -> Result<Vec<Found>> {
        let manifests: Vec<DockerManifest> = self.json("manifest.json")?;
        manifests
            .into_iter()
            .map(|m| {
                let names = m.repo_tags.unwrap_or_default();
                Ok(Found {
                    names: names.iter().map(|n| reference::normalise(n)).collect::<Result<_>>()?,
                    manifest: None,
                    manifest_bytes: None,
                    config: self.document(&m.config)?,
                    config_digest: None,
                    layers: m
                        .layers
                        .into_iter()
                        .map(|member| LayerMember { member, digest: None, media_type: None })
                        .collect(),
                })
            })
            .collect()
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let bytes = self.document(&member_of(descriptor))?;
        let wanted = descriptor.digest().to_string();
        let is = super::blob::digest_of(&bytes);
        if is == wanted {
            Ok(bytes)
        } else {
            Err(Error::Invalid(format!("the image archive is damaged: {wanted} has digest {is}")))
        }
    }

    fn json<T: serde::de::DeserializeOwned>(&self, member: &str) -> Result<T> {
        serde_json::from_slice(&self.document(member)?).map_err(malformed)
    }

    fn document(&self, member: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read(member)?
            .take(MAX_DOCUMENT)
            .read_to_end(&mut bytes)
            .map_err(|e| io_error(format!("image archive, {member}"), e))?;
        Ok(bytes)
    }
}

// === impl MemberReader ===

impl MemberReader {
    /// How many bytes are left.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }
}

impl Read for MemberReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}

fn plain(mut file: File, scratch: &Path) -> io::Result<File> {
    let mut magic = [0_u8; 2];
    let n = file.read(&mut magic)?;
    file.rewind()?;
    if n < 2 || magic != [0x1f, 0x8b] {
        return Ok(file);
    }
    let path = scratch.join(super::blob::random_hex());
    let mut out = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    io::copy(&mut MultiGzDecoder::new(file), &mut out)?;
    out.rewind()?;
    Ok(out)
}

fn index(file: &File) -> io::Result<HashMap<String, Member>> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    let mut members = HashMap::new();
    let mut links = Vec::new();
    for entry in tar::Archive::new(file).entries_with_seek()? {
        let entry = entry?;
        let name = clean(&entry.path()?);
        if let Some(to) = entry.link_name()? {
            // `docker save` links layers that images share.
            links.push((name, clean(&to)));
        } else if entry.header().entry_type().is_file() {
            let at = Member { offset: entry.raw_file_position(), size: entry.size() };
            members.insert(name, at);
        }
    }
    for (name, to) in links {
        let to = to.trim_start_matches("../").to_string();
        if let Some(at) = members.get(&to).copied() {
            members.insert(name, at);
        }
    }
    Ok(members)
}

fn clean(path: &Path) -> String {
    path.to_string_lossy().trim_start_matches("./").trim_start_matches('/').to_string()
}

fn member_of(descriptor: &Descriptor) -> String {
    format!("blobs/{}", descriptor.digest().to_string().replacen(':', "/", 1))
}

fn names_of(descriptor: &Descriptor) -> Option<String> {
    let annotations = descriptor.annotations().as_ref()?;
    if let Some(name) = annotations.get("io.containerd.image.name") {
        return Some(name.clone());
    }
    // By the OCI layout this may be a bare tag: then it names nothing.
    let name = annotations.get("org.opencontainers.image.ref.name")?;
    name.contains(['/', ':']).then(|| name.clone())
}

fn fits(descriptor: &Descriptor) -> bool {
    descriptor
        .platform()
        .as_ref()
        .is_none_or(|p| *p.os() == Os::Linux && *p.architecture() == Arch::default())
}

fn malformed(e: serde_json::Error) -> Error {
    Error::Invalid(format!("the image archive is malformed: {e}"))
}

fn io_error(context: String, source: io::Error) -> Error {
    Error::Io { context, source }
}
