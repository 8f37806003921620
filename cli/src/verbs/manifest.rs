//! Manifests: YAML or JSON, several documents, lists.

use super::resource;
use clap::Args;
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use windlass_core::client::Key;
use windlass_core::component::BoxError;
use windlass_core::scheme::{GroupVersion, ResourceInfo, Scheme};

/// Where manifests are.
#[derive(Args)]
pub(super) struct Files {
    /// Files or folders with manifests; `-` is standard input
    #[arg(short, long = "filename", required = true)]
    pub(super) filename: Vec<PathBuf>,
}

/// One object of a manifest.
pub(super) struct Manifest {
    pub(super) info: &'static ResourceInfo,
    pub(super) key: Key,
    pub(super) object: Value,
}

impl Files {
    /// All objects, in the order of the files.
    pub(super) fn read(&self, namespace: &str) -> Result<Vec<Manifest>, BoxError> {
        let mut manifests = Vec::new();
        for path in &self.filename {
            for file in expand(path)? {
                let text = read(&file)?;
                let named = |error: BoxError| format!("{}: {error}", file.display());
                manifests.extend(parse(&text, namespace).map_err(named)?);
            }
        }
        if manifests.is_empty() { Err("no objects passed".into()) } else { Ok(manifests) }
    }
}

impl Manifest {
    /// `deployment.apps/web`
    pub(super) fn title(&self) -> String {
        let group = match &*self.info.gvr.group {
            "" => String::new(),
            group => format!(".{group}"),
        };
        format!("{}{group}/{}", self.info.singular, self.key.name)
    }
}

fn expand(path: &Path) -> Result<Vec<PathBuf>, BoxError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    let is_manifest = |path: &PathBuf| {
        path.extension()
            .is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known))
    };
    files.retain(is_manifest);
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, BoxError> {
    let mut text = String::new();
    match path.to_str() {
        Some("-") => std::io::stdin().read_to_string(&mut text).map(drop)?,
        _ => {
            text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?
        }
    }
    Ok(text)
}

fn parse(text: &str, namespace: &str) -> Result<Vec<Manifest>, BoxError> {
    let mut manifests = Vec::new();
    for document in yaml_serde::Deserializer::from_str(text) {
        let value: Value = serde::Deserialize::deserialize(document)?;
        let items = match value {
            Value::Null => Vec::new(),
            Value::Object(mut list) if list.get("kind").is_some_and(|kind| kind == "List") => {
                match list.remove("items") {
                    Some(Value::Array(items)) => items,
                    None | Some(Value::Null) => Vec::new(),
                    Some(_) => return Err("the items of a List are no list".into()),
                }
            }
            object => vec![object],
        };
        for object in items {
            manifests.push(manifest(object, namespace)?);
        }
    }
    Ok(manifests)
}

fn manifest(object: Value, namespace: &str) -> Result<Manifest, BoxError> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let group_version: GroupVersion = version.parse()?;
    let info = Scheme::builtin()
        .by_gvk(&group_version.with_kind(kind.clone()))
        .ok_or_else(|| format!("no matches for kind \"{kind}\" in version \"{version}\""))?;
    let own = text(&object["metadata"]["namespace"]);
    let namespace = if own.is_empty() { namespace } else { &own };
    let place = if info.namespaced { namespace } else { "" };
    let key = Key::new(info.gvr.clone(), place, text(&object["metadata"]["name"]));
    if key.name.is_empty() {
        return Err(format!("{kind}: metadata.name is required").into());
    }
    Ok(Manifest { info, key, object })
}

/// The key of one object named on the command line.
pub(super) fn key(word: &str, name: &str, namespace: &str) -> Result<Key, BoxError> {
    let info = resource::find(word)?;
    Ok(Key::new(info.gvr.clone(), if info.namespaced { namespace } else { "" }, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_and_lists_are_read() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: b, namespace: other}\n- {apiVersion: v1, kind: Node, metadata: {name: c}}\n";
        let manifests = parse(text, "mine").expect("manifests");
        let titles: Vec<_> =
            manifests.iter().map(|m| (m.title(), m.key.namespace.clone())).collect();
        assert_eq!(
            titles,
            [
                ("configmap/a".to_owned(), Some("mine".to_owned())),
                ("deployment.apps/b".to_owned(), Some("other".to_owned())),
                ("node/c".to_owned(), None),
            ]
        );
        assert!(parse("kind: Gizmo\napiVersion: v1\nmetadata: {name: g}", "mine").is_err());
        assert!(parse("a: [", "mine").is_err());
        assert!(parse("{kind: List, apiVersion: v1}", "mine").expect("an empty list").is_empty());
        assert!(parse("{kind: List, apiVersion: v1, items: 1}", "mine").is_err());
    }
}
