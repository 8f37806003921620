//! A small image, made of a busybox that is on the machine.

use crate::images::blob::{digest_of, hex_of};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use tar::{Builder, EntryType, Header};

const APPLETS: [&str; 19] = [
    "sh", "cat", "echo", "sleep", "ls", "id", "env", "hostname", "ip", "wget", "nc", "httpd",
    "stat", "touch", "dd", "stty", "tty", "true", "cut",
];

/// Writes an OCI archive with the image `name` (a full name) to `out`, around the static `busybox`.
pub fn archive(busybox: &Path, name: &str, out: &Path) -> io::Result<()> {
    let layer_tar = layer(busybox)?;
    let diff_id = digest_of(&layer_tar);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&layer_tar)?;
    let layer = gzip.finish()?;
    let config = config(&diff_id)?;
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &layer)],
    }))?;
    let mut top = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
    top["annotations"] = json!({ "io.containerd.image.name": name });
    let index = serde_json::to_vec(&json!({ "schemaVersion": 2, "manifests": [top] }))?;
    let mut tar = Builder::new(File::create(out)?);
    file(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#, 0o644)?;
    file(&mut tar, "index.json", &index, 0o644)?;
    for blob in [&layer, &config, &manifest] {
        let digest = digest_of(blob);
        let path = format!("blobs/sha256/{}", hex_of(&digest).unwrap_or_default());
        file(&mut tar, &path, blob, 0o644)?;
    }
    tar.finish()
}

fn config(diff_id: &str) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(&json!({
        "architecture": oci_spec::image::Arch::default().to_string(),
        "os": "linux",
        "config": { "Cmd": ["sh"], "Env": ["PATH=/bin", "FROM_IMAGE=yes"] },
        "rootfs": { "type": "layers", "diff_ids": [diff_id] },
    }))?)
}

fn layer(busybox: &Path) -> io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    for folder in ["bin/", "dev/", "etc/", "proc/", "root/", "sys/", "tmp/", "www/"] {
        let mode = if folder == "tmp/" { 0o1777 } else { 0o755 };
        entry(&mut tar, folder, EntryType::Directory, mode, None, b"")?;
    }
    file(&mut tar, "bin/busybox", &std::fs::read(busybox)?, 0o755)?;
    for applet in APPLETS {
        let path = format!("bin/{applet}");
        entry(&mut tar, &path, EntryType::Symlink, 0o777, Some("busybox"), b"")?;
    }
    file(
        &mut tar,
        "etc/passwd",
        b"root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/www:/bin/sh\n",
        0o644,
    )?;
    file(&mut tar, "etc/group", b"root:x:0:\nweb:x:34:\nlogs:x:50:web\n", 0o644)?;
    tar.into_inner()
}

fn descriptor(kind: &str, blob: &[u8]) -> Value {
    json!({ "mediaType": kind, "digest": digest_of(blob), "size": blob.len() })
}

fn file<W: Write>(tar: &mut Builder<W>, path: &str, data: &[u8], mode: u32) -> io::Result<()> {
    entry(tar, path, EntryType::Regular, mode, None, data)
}

fn entry<W: Write>(
    tar: &mut Builder<W>,
    path: &str,
    kind: EntryType,
    mode: u32,
    link: Option<&str>,
    data: &[u8],
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(data.len() as u64);
    header.set_uid(0);
    header.set_gid(0);
    if let Some(link) = link {
        header.set_link_name(link)?;
    }
    tar.append_data(&mut header, path, data)
}
