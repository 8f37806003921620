//! Who may import whom. The table stands in ARCHITECTURE.md.

use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use std::collections::BTreeMap;

const CONTROL_PLANE: [&str; 2] = ["windlass-api", "windlass-store"];

/// Crate → the workspace crates it may depend on; `None` for any.
fn allowed() -> BTreeMap<&'static str, Option<Vec<&'static str>>> {
    BTreeMap::from([
        ("windlass-core", Some(vec![])),
        ("windlass-store", Some(vec![])),
        ("windlass-api", Some(vec!["windlass-core", "windlass-store"])),
        ("windlass-controllers", Some(vec!["windlass-core"])),
        ("windlass-scheduler", Some(vec!["windlass-core"])),
        ("windlass-agent", Some(vec!["windlass-core"])),
        ("windlass-proxy", Some(vec!["windlass-core"])),
        ("windlass", None),
        ("windlass-benches", None),
        ("windlass-examples", None),
    ])
}

fn violations(package: &Package, allowed: &[&str]) -> Vec<String> {
    let own = |name: &str| name.starts_with("windlass");
    let may = |name: &str, kind: DependencyKind| {
        allowed.contains(&name)
            || (kind == DependencyKind::Development && CONTROL_PLANE.contains(&name))
    };
    let imports = package.dependencies.iter().filter(|dependency| own(&dependency.name));
    imports
        .filter(|dependency| {
            dependency.name != package.name.as_str() && !may(&dependency.name, dependency.kind)
        })
        .map(|dependency| format!("{} must not import {}", package.name, dependency.name))
        .collect()
}

#[test]
fn crates_import_only_what_lies_below_them() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    let allowed = allowed();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        match allowed.get(package.name.as_str()) {
            Some(Some(list)) => wrong.extend(violations(package, list)),
            Some(None) => {}
            None => wrong.push(format!("{} is not in the table", package.name)),
        }
        for other in ["windlass", "windlass-benches", "windlass-examples"] {
            let root = matches!(package.name.as_str(), "windlass-benches" | "windlass-examples");
            if !root && package.dependencies.iter().any(|d| d.name == other) {
                wrong.push(format!("{} must not import {other}", package.name));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!(metadata.packages.len(), allowed.len());
}
