use super::payload::Payload;
use super::{atomic, mounts, subpath};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn payload(files: &[(&str, &str)]) -> Payload {
    let mut payload = Payload::default();
    for (path, text) in files {
        payload.add(path, text.as_bytes().to_vec(), Some(0o400)).expect("a path");
    }
    payload
}

fn read(dir: &Path, path: &str) -> String {
    fs::read_to_string(dir.join(path)).expect("it is there")
}

#[test]
fn files_change_all_at_once_through_one_link() {
    let root = tempfile::tempdir().expect("a folder");
    let dir = root.path().join("v");
    atomic::write(&dir, "..1", &payload(&[("one", "1"), ("deep/er/two", "2")]), None)
        .expect("writes");
    assert_eq!((read(&dir, "one"), read(&dir, "deep/er/two")), ("1".into(), "2".into()));
    assert_eq!(fs::read_link(dir.join("one")).expect("a link"), Path::new("..data/one"));
    let mode = fs::metadata(dir.join("one")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o400);
    // The same again changes nothing.
    atomic::write(&dir, "..2", &payload(&[("one", "1"), ("deep/er/two", "2")]), None)
        .expect("writes");
    assert_eq!(fs::read_link(dir.join("..data")).expect("a link"), Path::new("..1"));
    // But what an agent that was killed had not yet shown.
    fs::remove_file(dir.join("one")).expect("it was there");
    atomic::write(&dir, "..2", &payload(&[("one", "1"), ("deep/er/two", "2")]), None)
        .expect("writes");
    assert_eq!(read(&dir, "one"), "1");
    atomic::write(&dir, "..3", &payload(&[("one", "new")]), None).expect("writes");
    assert_eq!(read(&dir, "one"), "new");
    assert!(!dir.join("deep").exists() && !dir.join("..1").exists());
}

#[test]
fn a_path_stays_in_its_volume() {
    for path in ["", "/etc/passwd", "../x", "a/../../x", "..data"] {
        assert!(Payload::default().add(path, Vec::new(), None).is_err(), "{path}");
    }
    let root = tempfile::tempdir().expect("a folder");
    let volume = root.path().join("volume");
    fs::create_dir(&volume).expect("a folder");
    fs::write(root.path().join("secret"), "").expect("a file");
    symlink("/etc", volume.join("abs")).expect("a link");
    symlink("..", volume.join("up")).expect("a link");
    fs::create_dir(volume.join("in")).expect("a folder");
    symlink("in", volume.join("ok")).expect("a link");
    let resolve =
        |path: &str| subpath::resolve(&volume, Path::new(path), Path::new("/none"), false);
    for path in ["abs", "abs/passwd", "up", "up/secret", "../secret", "/etc"] {
        assert!(resolve(path).is_err(), "{path}");
    }
    assert_eq!(resolve("ok").expect("inside"), volume.join("in"));
    // What is missing is made, for whoever may use the volume.
    fs::set_permissions(&volume, fs::Permissions::from_mode(0o777)).expect("a mode");
    assert_eq!(resolve("new/er").expect("inside"), volume.join("new/er"));
    for made in ["new", "new/er"] {
        let mode = fs::metadata(volume.join(made)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o777, "{made}");
    }
}

#[test]
fn what_is_mounted_in_a_folder_is_not_deleted_with_it() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: mounting needs root");
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    let (real, alias) = (root.path().join("real"), root.path().join("alias"));
    let (outside, inside) = (root.path().join("outside"), real.join("pod/in side"));
    for dir in [&outside, &inside] {
        fs::create_dir_all(dir).expect("a folder");
    }
    fs::write(outside.join("file"), "stays").expect("a file");
    symlink("real", &alias).expect("a link");
    mounts::bind(&outside, &inside).expect("mounts");
    assert_eq!(read(&inside, "file"), "stays");
    mounts::remove_tree(&alias.join("pod")).expect("removes");
    assert!(!real.join("pod").exists());
    assert_eq!(read(&outside, "file"), "stays");
    mounts::remove_tree(&alias.join("pod")).expect("it may be gone");
}
