//! What holds of all controllers, as far as the text of the tests tells.

use std::fs;
use std::path::{Path, PathBuf};
use windlass_controllers::registry;

/// Everything that is in these folders of the crate, with what is in theirs.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all = vec![];
    for path in entries {
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

#[test]
fn the_name_of_each_controller_stands_in_a_test_here() {
    let tests = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e"));
    let tests: String = tests.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let named = |name: &str| tests.contains(&format!("\"{name}\""));
    let missing: Vec<_> =
        registry::ALL.iter().map(|(name, _)| *name).filter(|name| !named(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn each_folder_of_a_controller_has_a_data_file() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders = fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path());
    let is_controller =
        |path: &PathBuf| path.is_dir() && !path.ends_with("support") && !path.ends_with("views");
    let has_data = |path: &PathBuf| {
        files(path).iter().any(|file| file.extension().is_some_and(|kind| kind == "yaml"))
    };
    let missing: Vec<_> = folders.filter(|path| is_controller(path) && !has_data(path)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
