//! Which pods must go for another one: extenders may take nodes out, or name other victims.

use super::wire::{field, pod_json, read};
use super::{Extenders, Objects, Remote};
use crate::PodInfo;
use crate::preemption::Candidate;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use windlass_core::meta::Str;

/// A node on which room can be made, by its name: numbers may change while extenders are asked.
pub(crate) type NamedRoom = (Str, Candidate);

/// A pod on a node, by their names.
pub(crate) type Lookup<'a> = dyn Fn(&str, &str) -> Option<Arc<PodInfo>> + Send + Sync + 'a;

impl Extenders {
    /// Asks about nodes on which room can be made; returns what is left of them.
    ///
    /// # Errors
    /// What one said that can't be done without, or that it said nothing.
    pub(crate) async fn rooms(
        &self,
        pod: &PodInfo,
        mut rooms: Vec<NamedRoom>,
        objects: &Objects,
        lookup: &Lookup<'_>,
    ) -> Result<Vec<NamedRoom>, String> {
        for remote in self.concerned(pod).filter(|remote| !remote.config.preempt_verb.is_empty()) {
            if rooms.is_empty() {
                break;
            }
            match remote.rooms(pod, &rooms, objects, lookup).await {
                Ok(left) => rooms = left,
                Err(error) if remote.config.ignorable => {
                    tracing::warn!(%error, "an extender is done without");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(rooms)
    }
}

impl Remote {
    async fn rooms(
        &self,
        pod: &PodInfo,
        rooms: &[NamedRoom],
        objects: &Objects,
        lookup: &Lookup<'_>,
    ) -> Result<Vec<NamedRoom>, String> {
        let names_only = self.config.node_cache_capable;
        let mut all: Map<String, Value> = Map::new();
        for (node, room) in rooms {
            let victim = |victim: &Arc<PodInfo>| match names_only {
                true => Ok(json!({"UID": victim.uid})),
                false => value(&pod_json(victim, objects)?),
            };
            let pods = room.victims.iter().map(victim).collect::<Result<Vec<_>, _>>()?;
            let victims = json!({"Pods": pods, "NumPDBViolations": room.violations});
            all.insert(node.to_string(), victims);
        }
        let key = if names_only { "NodeNameToMetaVictims" } else { "NodeNameToVictims" };
        let body = json!({"Pod": value(&pod_json(pod, objects)?)?, key: all});
        let answer = self.caller.post(&self.config.preempt_verb, body.to_string().into()).await?;
        let said = field(&read(&answer)?, "nodenametometavictims");
        let said = said.as_object().cloned().unwrap_or_default();
        let left = said.iter().map(|(node, victims)| self.room(node, victims, rooms, lookup));
        Ok(left.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// A node that the extender leaves, with the victims it says. None: it is done without this one.
    fn room(
        &self,
        node: &str,
        victims: &Value,
        rooms: &[NamedRoom],
        lookup: &Lookup<'_>,
    ) -> Result<Option<NamedRoom>, String> {
        let known = rooms.iter().find(|(name, _)| **name == *node);
        let (name, room) = known.ok_or_else(|| format!("it was not asked about node {node:?}"))?;
        let pods = field(victims, "pods");
        let uids = pods.as_array().into_iter().flatten().map(|pod| field(pod, "uid"));
        let victim = |uid: Value| {
            let uid = uid.as_str().unwrap_or_default();
            let known = room.victims.iter().find(|pod| *pod.uid == *uid).cloned();
            // It may name others than those that the plugins would choose.
            let pod = known.or_else(|| lookup(node, uid));
            pod.ok_or_else(|| format!("there is no pod {uid:?} on node {node:?}"))
        };
        let pods = uids.map(victim).collect::<Result<Vec<_>, _>>()?;
        if pods.is_empty() {
            let text = format!("expected at least one victim pod on node {node:?}");
            return if self.config.ignorable { Ok(None) } else { Err(text) };
        }
        let violations = field(victims, "numpdbviolations").as_u64().unwrap_or(0) as usize;
        Ok(Some((name.clone(), Candidate { node: room.node, victims: pods, violations })))
    }
}

fn value(raw: &RawValue) -> Result<Value, String> {
    serde_json::from_str(raw.get()).map_err(|error| error.to_string())
}
