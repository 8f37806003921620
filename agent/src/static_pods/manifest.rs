//! From a file to a static pod.

use super::Pods;
use crate::images::blob::{digest_of, hex_of};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::controller::ObjectKey;

/// What a pod was made from, which with its file and node makes its uid.
pub(crate) const HASH: &str = "kubernetes.io/config.hash";
/// Where a pod comes from: `file` or `api`.
pub(crate) const SOURCE: &str = "kubernetes.io/config.source";
/// A longer file is none of a pod.
const LONGEST: u64 = 1 << 20;

/// The files of a folder with their content. Hidden ones are left out, as editors leave them.
pub(super) fn files(folder: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let Some(entry) = readable(folder, entry) else { continue };
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        // Links are followed.
        let Some(meta) = readable(&entry.path(), fs::metadata(entry.path())) else { continue };
        if hidden || !meta.is_file() {
            continue;
        }
        if meta.len() > LONGEST {
            tracing::warn!(file = %entry.path().display(), "too long for a static pod");
            continue;
        }
        let content = readable(&entry.path(), fs::read(entry.path()));
        found.extend(content.map(|content| (entry.path(), content)));
    }
    found.sort();
    Ok(found)
}

/// A file that can't be read is left out, with a word in the log, and keeps no other one back.
fn readable<T>(path: &Path, read: io::Result<T>) -> Option<T> {
    let log = |error: &io::Error| tracing::warn!(file = %path.display(), %error, "can't be read: not a static pod");
    read.inspect_err(log).ok()
}

/// The pods that files describe; what is none is left out, with a word in the log.
pub(super) fn pods(files: Vec<(PathBuf, Vec<u8>)>, node: &str, now: Timestamp) -> Pods {
    let mut pods = Pods::new();
    for (path, content) in files {
        match pod(&path, &content, node, now) {
            Ok(pod) => {
                let key = ObjectKey::of(&pod);
                if pods.insert(key.clone(), Arc::new(pod)).is_some() {
                    tracing::warn!(file = %path.display(), pod = %key, "two files describe this static pod: this one counts");
                }
            }
            Err(error) => tracing::warn!(file = %path.display(), error, "not a static pod"),
        }
    }
    pods
}

fn pod(path: &Path, content: &[u8], node: &str, now: Timestamp) -> Result<Object, String> {
    let mut pod: Map<String, Value> = yaml_serde::from_slice(content).map_err(|e| e.to_string())?;
    if pod.get("apiVersion") != Some(&json!("v1")) || pod.get("kind") != Some(&json!("Pod")) {
        return Err("it has another kind than v1 Pod".into());
    }
    let mut metadata = object(pod.remove("metadata"))?;
    let mut spec = object(pod.remove("spec"))?;
    let name = metadata.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = format!("{}-{}", name.ok_or("it has no name")?, node.to_lowercase());
    let uid = uid(path, content, node);
    metadata.insert("name".into(), json!(name));
    metadata.insert("uid".into(), json!(uid));
    metadata.entry("namespace").or_insert_with(|| json!("default"));
    let annotations = metadata.entry("annotations").or_insert(Value::Null);
    if annotations.is_null() {
        *annotations = json!({});
    }
    let annotations = annotations.as_object_mut().ok_or("its annotations are no map")?;
    annotations.insert(HASH.into(), json!(uid));
    annotations.insert(SOURCE.into(), json!("file"));
    annotations.insert("kubernetes.io/config.seen".into(), json!(now.to_string()));
    spec.insert("nodeName".into(), json!(node));
    let stays = json!({"effect": "NoExecute", "operator": "Exists"});
    match spec.entry("tolerations").or_insert_with(|| json!([])).as_array_mut() {
        Some(tolerations) => tolerations.push(stays),
        None => return Err("its tolerations are no list".into()),
    }
    let whole = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
    let pod = Object::from_wire(whole.to_string().into()).map_err(|e| e.to_string())?;
    let typed = pod.view::<windlass_core::apis::core::v1::Pod>().map_err(|e| e.to_string())?;
    match typed.spec.is_some_and(|spec| !spec.containers.is_empty()) {
        true => Ok(pod),
        false => Err("it has no containers".into()),
    }
}

fn object(value: Option<Value>) -> Result<Map<String, Value>, String> {
    match value {
        Some(Value::Object(fields)) => Ok(fields),
        _ => Err("it lacks metadata or spec".into()),
    }
}

/// The same for the same content of the same file on the same node, as long as it is so.
fn uid(path: &Path, content: &[u8], node: &str) -> String {
    let mut text = format!("host:{node} file:{} ", path.display()).into_bytes();
    text.extend(content);
    let digest = digest_of(&text);
    hex_of(&digest).unwrap_or_default()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: i}]}\n";

    fn read(files: &[(&str, &str)]) -> Pods {
        let files = files.iter().map(|(path, text)| ((*path).into(), text.as_bytes().to_vec()));
        pods(files.collect(), "N1", Timestamp::from_second(1).expect("a time"))
    }

    #[test]
    fn a_file_is_a_pod_of_this_node() {
        let pods = read(&[("/m/web.yaml", MANIFEST)]);
        let (key, pod) = pods.first_key_value().expect("one");
        assert_eq!(key.to_string(), "default/web-n1");
        let pod: Value = pod.view().expect("JSON");
        assert_eq!(pod["spec"]["nodeName"], "N1");
        assert_eq!(pod["metadata"]["annotations"][HASH], pod["metadata"]["uid"]);
        assert_eq!(pod["metadata"]["annotations"][SOURCE], "file");
        assert_eq!(
            pod["spec"]["tolerations"],
            json!([{"effect": "NoExecute", "operator": "Exists"}])
        );
    }

    #[test]
    fn another_content_is_another_pod() {
        let uid = |text: &str| {
            let pods = read(&[("/m/web.yaml", text)]);
            pods.values().next().expect("one").header().uid.to_string()
        };
        assert_eq!(uid(MANIFEST), uid(MANIFEST));
        assert_ne!(uid(MANIFEST), uid(&MANIFEST.replace("image: i", "image: j")));
    }

    #[test]
    fn what_is_no_pod_is_left_out() {
        let service = MANIFEST.replace("kind: Pod", "kind: Service");
        let empty = MANIFEST.replace("{name: c, image: i}", "");
        let annotated = |with: &str| {
            MANIFEST.replace("{name: web}", &format!("{{name: n, annotations: {with}}}"))
        };
        let (list, text) = (annotated("[]"), annotated("x"));
        let bad = [
            ("/a", "{"),
            ("/b", &service),
            ("/c", &empty),
            ("/e", ""),
            ("/f", &list),
            ("/g", &text),
        ];
        assert_eq!(read(&bad).len(), 0);
        assert_eq!(read(&[bad[4], ("/h", MANIFEST)]).len(), 1);
        assert_eq!(read(&[("/i", &annotated("null"))]).len(), 1);
    }

    #[test]
    fn a_file_that_cant_be_read_keeps_no_other_back() {
        let folder = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink("loop", folder.path().join("loop")).expect("a link");
        fs::write(folder.path().join("web"), MANIFEST).expect("written");
        let found = files(folder.path()).expect("read");
        assert_eq!(found, [(folder.path().join("web"), MANIFEST.into())]);
    }
}
