mod registry;

use super::*;
use crate::images::blob::{digest_of, hex_of};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;
use tar::{Builder, EntryType, Header};

const NAME: &str = "docker.io/library/app:v1";

/// A tar of these entries: path, kind, content or link.
fn tar(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (path, kind, content) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        // The builder itself refuses bad paths: the name goes in as bytes.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        let data = if *kind == EntryType::Regular { content.as_bytes() } else { b"" };
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_size(data.len() as u64);
        header.set_cksum();
        tar.append(&header, data).unwrap();
    }
    tar.into_inner().unwrap()
}

fn file(path: &'static str, content: &'static str) -> (&'static str, EntryType, &'static str) {
    (path, EntryType::Regular, content)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

fn arch() -> String {
    oci_spec::image::Arch::default().to_string()
}

fn config(layers: &[Vec<u8>]) -> Vec<u8> {
    let diffs: Vec<String> = layers.iter().map(|l| digest_of(l)).collect();
    let config = json!({
        "architecture": arch(), "os": "linux",
        "config": { "User": "web", "Cmd": ["x"] },
        "rootfs": { "type": "layers", "diff_ids": diffs },
    });
    serde_json::to_vec(&config).unwrap()
}

/// An OCI layout, member by member.
struct Layout {
    members: Vec<(String, Vec<u8>)>,
}

impl Layout {
    /// An image of these (uncompressed) layers, in an index below the top one, beside an image for another machine.
    fn new(layers: &[Vec<u8>]) -> Self {
        let mut this = Self { members: vec![] };
        let other = json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest_of(b"elsewhere"), "size": 9,
            "platform": { "architecture": "s390x", "os": "linux" } });
        let config = this.blob("application/vnd.oci.image.config.v1+json", &config(layers));
        let layers: Vec<Value> = layers
            .iter()
            .map(|l| this.blob("application/vnd.oci.image.layer.v1.tar+gzip", &gzip(l)))
            .collect();
        let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let mut manifest = this.blob("application/vnd.oci.image.manifest.v1+json", &manifest);
        manifest["platform"] = json!({ "architecture": arch(), "os": "linux" });
        let nested = json!({ "schemaVersion": 2, "manifests": [other, manifest] });
        let nested = serde_json::to_vec(&nested).unwrap();
        let mut nested = this.blob("application/vnd.oci.image.index.v1+json", &nested);
        nested["annotations"] = json!({ "io.containerd.image.name": NAME });
        let top = json!({ "schemaVersion": 2, "manifests": [nested] });
        this.members.push(("index.json".into(), serde_json::to_vec(&top).unwrap()));
        this
    }

    fn blob(&mut self, kind: &str, bytes: &[u8]) -> Value {
        let digest = digest_of(bytes);
        let path = format!("blobs/sha256/{}", hex_of(&digest).unwrap());
        self.members.push((path, bytes.to_vec()));
        json!({ "mediaType": kind, "digest": digest, "size": bytes.len() })
    }

    fn archive(&self) -> Vec<u8> {
        let mut tar = Builder::new(Vec::new());
        for (path, bytes) in &self.members {
            let mut header = Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, bytes.as_slice()).unwrap();
        }
        tar.into_inner().unwrap()
    }
}

struct Setup {
    dir: tempfile::TempDir,
    store: ImageStore,
}

impl Setup {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(dir.path().join("images")).unwrap();
        Self { dir, store }
    }

    async fn import(&self, archive: &[u8]) -> Result<Vec<String>> {
        let path = self.dir.path().join("archive.tar");
        fs::write(&path, archive).unwrap();
        self.store.import_images(&path).await
    }

    fn count(&self, folder: &str) -> usize {
        fs::read_dir(self.dir.path().join("images").join(folder)).unwrap().count()
    }
}

fn two_layers() -> Vec<Vec<u8>> {
    vec![tar(&[file("a", "one")]), tar(&[file("b", "two")])]
}

#[tokio::test]
async fn an_imported_image_is_there_and_stays() {
    let setup = Setup::new();
    let archive = Layout::new(&two_layers()).archive();
    assert_eq!(setup.import(&archive).await.unwrap(), [NAME]);
    assert_eq!(setup.import(&gzip(&archive)).await.unwrap(), [NAME], "gzipped, and once more");
    assert_eq!((setup.count("layers"), setup.count("tmp")), (2, 0));
    let image = setup.store.image_status("app:v1").await.unwrap().expect("is here");
    assert_eq!(image.tags, [NAME]);
    assert_eq!(image.user, "web");
    assert!(image.digests[0].starts_with("docker.io/library/app@sha256:"));
    for name in [image.digests[0].as_str(), &image.id.0, &image.id.0["sha256:".len()..]] {
        assert_eq!(setup.store.image_status(name).await.unwrap().as_ref(), Some(&image));
    }
    assert!(setup.store.image_status("app").await.unwrap().is_none(), "another tag");
    assert!(matches!(setup.store.image_status("a b").await, Err(Error::Invalid(_))));
    let again = ImageStore::open(setup.dir.path().join("images")).unwrap();
    assert_eq!(again.list_images().await.unwrap(), [image]);
}

#[tokio::test]
async fn layers_are_shared_and_go_with_their_last_user() {
    let setup = Setup::new();
    let layers = two_layers();
    setup.import(&Layout::new(&layers).archive()).await.unwrap();
    let first = setup.store.image_status(NAME).await.unwrap().unwrap().id;
    let (folders, pin) = setup.store.layers(&first).unwrap();
    assert_eq!(fs::read_to_string(folders[1].join("b")).unwrap(), "two");
    // The name moves on to another image; the first one stays, nameless.
    setup.import(&Layout::new(&layers[..1]).archive()).await.unwrap();
    assert_eq!((setup.store.list_images().await.unwrap().len(), setup.count("layers")), (2, 2));
    setup.store.remove_image(&first.0).await.unwrap();
    assert_eq!(setup.count("layers"), 2, "a container has them");
    drop(pin);
    assert_eq!(setup.count("layers"), 1, "the other image has that one");
    for _ in 0..2 {
        setup.store.remove_image(NAME).await.unwrap();
    }
    assert_eq!((setup.count("layers"), setup.count("blobs/sha256")), (0, 0));
    assert!(matches!(setup.store.layers(&first), Err(Error::NotFound(_))));
}

#[tokio::test]
async fn a_damaged_archive_leaves_nothing() {
    let setup = Setup::new();
    let mut layout = Layout::new(&two_layers());
    let layer = digest_of(&gzip(&two_layers()[1]));
    let path = format!("blobs/sha256/{}", hex_of(&layer).unwrap());
    let member = layout.members.iter_mut().find(|(p, _)| *p == path).unwrap();
    member.1 = gzip(&tar(&[file("evil", "other content")]));
    let error = setup.import(&layout.archive()).await.unwrap_err();
    assert!(error.to_string().contains("digest mismatch"), "{error}");
    assert!(setup.store.list_images().await.unwrap().is_empty());
    assert_eq!(["layers", "tmp", "blobs/sha256"].map(|f| setup.count(f)), [0, 0, 0]);
    let cut = &Layout::new(&two_layers()).archive()[..700];
    for archive in [b"no archive at all".as_slice(), b"", cut] {
        assert!(matches!(setup.import(archive).await, Err(Error::Invalid(_))));
    }
}

#[test]
fn readers_of_one_archive_do_not_disturb_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("archive");
    let members = vec![("a".into(), b"first".to_vec()), ("b".into(), b"second".to_vec())];
    std::fs::write(&path, Layout { members }.archive()).unwrap();
    let archive = ArchiveFile::open(&path, dir.path()).unwrap();
    let mut readers = ["a", "b", "a"].map(|member| archive.read(member).unwrap());
    let read = readers.each_mut().map(|reader| std::io::read_to_string(reader).unwrap());
    assert_eq!(read, ["first", "second", "first"]);
}

#[tokio::test]
async fn docker_archives_are_read() {
    let setup = Setup::new();
    let layers = two_layers();
    let manifest = json!([{ "Config": "c.json", "RepoTags": ["app:v2"], "Layers": ["l0/layer.tar", "l1/layer.tar"] }]);
    let layout = Layout {
        members: vec![
            ("manifest.json".into(), serde_json::to_vec(&manifest).unwrap()),
            ("c.json".into(), config(&layers)),
            ("l0/layer.tar".into(), layers[0].clone()),
            ("l1/layer.tar".into(), layers[1].clone()),
        ],
    };
    assert_eq!(setup.import(&layout.archive()).await.unwrap(), ["docker.io/library/app:v2"]);
    let image = setup.store.image_status("app:v2").await.unwrap().unwrap();
    assert_eq!(setup.store.layers(&image.id).unwrap().0.len(), 2);
}

#[tokio::test]
async fn another_machines_image_is_refused() {
    let setup = Setup::new();
    let mut layout = Layout { members: vec![] };
    let mut only = layout.blob("application/vnd.oci.image.manifest.v1+json", b"{}");
    only["platform"] = json!({ "architecture": "s390x", "os": "linux" });
    let top = json!({ "schemaVersion": 2, "manifests": [only] });
    layout.members.push(("index.json".into(), serde_json::to_vec(&top).unwrap()));
    let error = setup.import(&layout.archive()).await.unwrap_err();
    assert!(error.to_string().contains("has no image for linux/"), "{error}");
}

#[test]
fn nothing_is_written_outside() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("layer");
    let evil = tar(&[("../outside", EntryType::Regular, "x")]);
    assert!(layer::unpack(evil.as_slice(), &target).is_err());
    let sly = tar(&[
        ("out", EntryType::Symlink, "/"),
        ("up", EntryType::Symlink, "../../.."),
        file("out/by-link", "x"),
        file("up/by-parent", "x"),
        ("hard", EntryType::Link, "up/by-parent"),
    ]);
    layer::unpack(sly.as_slice(), &target).unwrap();
    for inside in ["by-link", "by-parent", "hard"] {
        assert_eq!(fs::read_to_string(target.join(inside)).unwrap(), "x");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn whiteouts_hide_what_is_below() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |n: &str| dir.path().join(n);
    let lower = tar(&[file("gone", "1"), file("kept", "1"), file("d/old", "1"), file("e/f", "1")]);
    let upper = tar(&[
        file(".wh.gone", ""),
        file("d/.wh..wh..opq", ""),
        file("d/new", "2"),
        file("e", "now a file"),
    ]);
    layer::unpack(lower.as_slice(), &at("lower")).unwrap();
    layer::unpack(upper.as_slice(), &at("upper")).unwrap();
    assert!(layer::is_whiteout(&fs::symlink_metadata(at("upper/gone")).unwrap()));
    assert!(layer::is_opaque(&at("upper/d")) && !layer::is_opaque(&at("lower/d")));
    layer::copy_merged(&[at("lower"), at("upper")], &at("all")).unwrap();
    let mut names: Vec<String> = walk(&at("all"), "");
    names.sort();
    assert_eq!(names, ["d/new", "e", "kept"]);
}

fn walk(folder: &Path, prefix: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap());
    let names = entries.flat_map(|e| {
        let name = format!("{prefix}{}", e.file_name().to_string_lossy());
        if e.file_type().unwrap().is_dir() {
            walk(&e.path(), &format!("{name}/"))
        } else {
            vec![name]
        }
    });
    names.collect()
}

#[tokio::test]
async fn what_another_process_adds_is_seen_and_kept() {
    let ours = Setup::new();
    let theirs = ImageStore::open(ours.dir.path().join("images")).unwrap();
    let archive = ours.dir.path().join("theirs.tar");
    fs::write(&archive, Layout::new(&two_layers()).archive()).unwrap();
    theirs.import_images(&archive).await.unwrap();
    drop(theirs);
    let image = ours.store.image_status("app:v1").await.unwrap().expect("is seen");
    // A container that ends makes the owner clean up.
    let (folders, pin) = ours.store.layers(&image.id).unwrap();
    drop(pin);
    assert!(folders.iter().all(|folder| folder.exists()));
    assert_eq!(ours.store.list_images().await.unwrap(), [image]);
}
