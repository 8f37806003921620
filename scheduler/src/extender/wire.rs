//! What travels: `ExtenderArgs` and its like, whose fields are written as Go names them and read whatever their case.

use super::{Objects, Refused};
use crate::PodInfo;
use crate::framework::Placement;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};
use windlass_core::Object;
use windlass_core::meta::Str;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Arguments<'a> {
    pod: Box<RawValue>,
    nodes: Option<Nodes>,
    node_names: Option<Vec<&'a str>>,
}

#[derive(Serialize)]
struct Nodes {
    metadata: Map<String, Value>,
    items: Vec<Box<RawValue>>,
}

/// What an extender says of the nodes it was asked about.
pub(super) struct Filtered {
    /// Empty when it said nothing of nodes that it keeps.
    kept: HashSet<String>,
    failed: BTreeMap<String, String>,
    failed_for_good: BTreeMap<String, String>,
}

/// `ExtenderArgs`: the pod and the nodes, whole or by name.
pub(super) fn arguments(
    pod: &PodInfo,
    nodes: &[(Str, i64)],
    objects: &Objects,
    names_only: bool,
) -> Result<Vec<u8>, String> {
    let names = || nodes.iter().map(|(node, _)| &**node).collect();
    let whole = || -> Result<Nodes, String> {
        // One that went in the meantime can't be chosen.
        let known = nodes.iter().filter_map(|(node, _)| objects.nodes.get("", node));
        let items = known.map(|entry| raw(&entry.object)).collect::<Result<_, _>>()?;
        Ok(Nodes { metadata: Map::new(), items })
    };
    let arguments = Arguments {
        pod: pod_json(pod, objects)?,
        nodes: if names_only { None } else { Some(whole()?) },
        node_names: names_only.then(names),
    };
    serde_json::to_vec(&arguments).map_err(|error| error.to_string())
}

pub(super) fn pod_json(pod: &PodInfo, objects: &Objects) -> Result<Box<RawValue>, String> {
    let entry = objects.pods.get(&pod.namespace, &pod.name);
    let entry = entry.filter(|entry| entry.object.header().uid == pod.uid);
    raw(&entry.ok_or("the pod has gone")?.object)
}

fn raw(object: &Object) -> Result<Box<RawValue>, String> {
    serde_json::from_slice(&object.to_json()).map_err(|error| error.to_string())
}

/// `ExtenderBindingArgs`.
pub(super) fn binding(Placement { pod, node, .. }: &Placement) -> Vec<u8> {
    let args = json!({"PodName": pod.name, "PodNamespace": pod.namespace, "PodUID": pod.uid, "Node": node});
    args.to_string().into()
}

/// `ExtenderBindingResult`.
pub(super) fn bound(answer: &[u8]) -> Result<(), String> {
    said_error(&read(answer)?)
}

/// `HostPriorityList`: a score for each node that is named.
pub(super) fn priorities(answer: &[u8]) -> Result<BTreeMap<String, i64>, String> {
    let Value::Array(all) = read(answer)? else { return Err("its scores are no list".into()) };
    let one = |entry: &Value| {
        let host = field(entry, "host").as_str()?.to_owned();
        Some((host, field(entry, "score").as_i64().unwrap_or(0)))
    };
    Ok(all.iter().filter_map(one).collect())
}

// === impl Filtered ===

impl Filtered {
    /// `ExtenderFilterResult`.
    pub(super) fn read(answer: &[u8], names: bool) -> Result<Self, String> {
        let answer = read(answer)?;
        said_error(&answer)?;
        let kept = match (field(&answer, "nodenames"), field(&field(&answer, "nodes"), "items")) {
            (Value::Array(names_kept), _) if names => {
                names_kept.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            (_, Value::Array(nodes)) => {
                let named = nodes.iter().filter_map(|node| node["metadata"]["name"].as_str());
                named.map(str::to_owned).collect()
            }
            _ => HashSet::new(),
        };
        let reasons = |name: &str| {
            let reason = |(node, why): (&String, &Value)| {
                (node.clone(), why.as_str().unwrap_or_default().to_owned())
            };
            field(&answer, name).as_object().map(|map| map.iter().map(reason).collect())
        };
        Ok(Self {
            kept,
            failed: reasons("failednodes").unwrap_or_default(),
            failed_for_good: reasons("failedandunresolvablenodes").unwrap_or_default(),
        })
    }

    pub(super) fn keeps(&self, node: &str) -> bool {
        self.kept.contains(node)
    }

    /// Why a node is not kept. One of which nothing is said is not worth that pods go.
    pub(super) fn refusal(&self, node: Str) -> Refused {
        let for_good = self.failed_for_good.get(&*node);
        let (reason, for_good) = match (for_good, self.failed.get(&*node)) {
            (Some(reason), _) => (reason.clone(), true),
            (None, Some(reason)) => (reason.clone(), false),
            (None, None) => ("node(s) didn't pass an extender".into(), true),
        };
        Refused { node, reason, for_good }
    }
}

pub(super) fn read(answer: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(answer).map_err(|error| format!("the answer can't be read: {error}"))
}

fn said_error(answer: &Value) -> Result<(), String> {
    match field(answer, "error").as_str() {
        None | Some("") => Ok(()),
        Some(error) => Err(error.to_owned()),
    }
}

/// A field by its name in small letters.
pub(super) fn field(of: &Value, name: &str) -> Value {
    let found =
        of.as_object().and_then(|map| map.iter().find(|(key, _)| key.to_lowercase() == name));
    found.map_or(Value::Null, |(_, value)| value.clone())
}
