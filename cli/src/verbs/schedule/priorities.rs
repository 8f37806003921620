//! What admission would make of priority classes.

use serde_json::Value;
use std::collections::BTreeMap;
use windlass_core::apis::scheduling::v1::PriorityClass;
use windlass_core::client::{ListOptions, Reader, Scope};
use windlass_core::{Result, scheme};

/// The priority classes of a cluster.
pub(super) struct Priorities {
    by_name: BTreeMap<String, PriorityClass>,
}

pub(super) async fn load(reader: &dyn Reader) -> Result<Priorities> {
    let scope = Scope::all(scheme::PRIORITYCLASSES);
    let listed = reader.list(&scope, &ListOptions::default()).await?.items;
    let named = listed.iter().map(|class| Ok((class.name().to_owned(), class.view()?)));
    Ok(Priorities { by_name: named.collect::<Result<_>>()? })
}

impl Priorities {
    /// Gives the pods of an object the priority that its class stands for.
    pub(super) fn fill_in(&self, object: &mut Value) {
        let spec = match object["kind"].as_str() {
            Some("Pod") => object.pointer_mut("/spec"),
            Some("CronJob") => object.pointer_mut("/spec/jobTemplate/spec/template/spec"),
            _ => object.pointer_mut("/spec/template/spec"),
        };
        let Some(spec) = spec.and_then(Value::as_object_mut) else { return };
        if spec.contains_key("priority") {
            return;
        }
        let class = match spec.get("priorityClassName").and_then(Value::as_str) {
            Some(name) => self.by_name.get(name),
            // Of several the least, as admission has it.
            None => {
                let defaults = self.by_name.values().filter(|c| c.global_default == Some(true));
                defaults.min_by_key(|class| class.value)
            }
        };
        if let Some(class) = class {
            spec.insert("priority".into(), class.value.into());
            if let Some(policy) = &class.preemption_policy {
                spec.insert("preemptionPolicy".into(), policy.as_str().into());
            }
        }
    }
}
