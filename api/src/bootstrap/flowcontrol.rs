//! The objects of priority and fairness: made, kept as they must be, and told whether they are of any use.
//!
//! Mandatory objects are put right whenever they are touched. Suggested ones belong to the cluster's administrators
//! once they changed them, or said so by the annotation (API concepts, "Maintenance of the mandatory and suggested
//! configuration objects").

use crate::flowcontrol::{Builtin, builtin};
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use windlass_core::apis::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use windlass_core::cache::{Informer, InformerFactory};
use windlass_core::client::{Client, Key, Patch, PatchType, WriteOptions};
use windlass_core::clock::Env;
use windlass_core::component::{BoxError, Component, Ready, Shutdown};
use windlass_core::scheme::FLOWSCHEMAS;
use windlass_core::{Object, Result};

const AUTO_UPDATE: &str = "apf.kubernetes.io/autoupdate-spec";
/// Waiting time when something could not be written.
const AGAIN: Duration = Duration::from_secs(10);

/// Keeps the objects of priority and fairness.
pub struct FlowObjects {
    client: Arc<dyn Client>,
    schemas: Arc<Informer<FlowSchema>>,
    levels: Arc<Informer<PriorityLevelConfiguration>>,
    changed: Arc<Notify>,
    env: Env,
}

/// What becomes of a built-in object.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Leave,
    Create,
    /// With this annotation; and with its own spec, or the one it has.
    Update {
        auto: bool,
        spec: bool,
    },
}

// === impl FlowObjects ===

impl FlowObjects {
    /// Writes through `client`, and hears of changes from informers.
    #[must_use]
    pub fn new(client: Arc<dyn Client>, informers: &InformerFactory, env: Env) -> Self {
        let (schemas, levels) = (
            informers.informer(FLOWSCHEMAS),
            informers.informer(windlass_core::scheme::PRIORITYLEVELCONFIGURATIONS),
        );
        let changed = Arc::new(Notify::new());
        let tell = changed.clone();
        schemas.on_change(move |_| tell.notify_one());
        let tell = changed.clone();
        levels.on_change(move |_| tell.notify_one());
        Self { client, schemas, levels, changed, env }
    }

    async fn put_right(&self) -> Result<()> {
        for one in builtin() {
            self.keep(&one).await?;
        }
        for schema in self.schemas.list(None) {
            let level = schema.view.spec.as_ref().map(|s| &s.priority_level_configuration.name);
            let level = level.map(String::as_str).unwrap_or_default();
            let found = self.levels.get("", level).is_some();
            if dangling(&schema.view) != Some(!found) {
                self.tell(schema.object.name(), level, found).await?;
            }
        }
        Ok(())
    }

    async fn keep(&self, one: &Builtin) -> Result<()> {
        let known: Option<Arc<Object>> = if one.resource == FLOWSCHEMAS {
            self.schemas.get("", one.name).map(|entry| entry.object.clone())
        } else {
            self.levels.get("", one.name).map(|entry| entry.object.clone())
        };
        let known = known.map(|object| object.view::<Value>()).transpose()?;
        let key = Key::cluster(one.resource.clone(), one.name);
        let options = WriteOptions {
            field_manager: "api-priority-and-fairness-config-producer-v1".into(),
            ..WriteOptions::default()
        };
        let result = match (step(one, known.as_ref()), known) {
            (Step::Leave, _) | (Step::Update { .. }, None) => return Ok(()),
            (Step::Create, _) => {
                let metadata = json!({"name": one.name, "annotations": {AUTO_UPDATE: "true"}});
                let object = json!({"metadata": metadata, "spec": one.spec});
                self.client.create(&key, super::body(&one.resource, object), &options).await
            }
            (Step::Update { auto, spec }, Some(mut object)) => {
                object["metadata"]["annotations"][AUTO_UPDATE] = auto.to_string().into();
                if spec {
                    object["spec"] = one.spec.clone();
                }
                self.client.update(&key, super::body(&one.resource, object), &options).await
            }
        };
        match result {
            // Somebody was faster: that is told in its turn.
            Err(error) if error.is_already_exists() || error.is_conflict() => Ok(()),
            other => other.map(drop),
        }
    }

    /// Writes into a schema's status whether its level is there.
    async fn tell(&self, name: &str, level: &str, found: bool) -> Result<()> {
        let (status, reason, end) = match found {
            true => ("False", "Found", "and it exists"),
            false => ("True", "NotFound", "but there is no such object"),
        };
        let message = format!(
            "This FlowSchema references the PriorityLevelConfiguration object named {level:?} {end}"
        );
        let now = self.env.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let condition = json!({"type": "Dangling", "status": status, "reason": reason,
            "message": message, "lastTransitionTime": now});
        let patch = json!({"status": {"conditions": [condition]}});
        let patch = Patch { kind: PatchType::Merge, body: Bytes::from(patch.to_string()) };
        let key = Key::cluster(FLOWSCHEMAS, name).subresource("status");
        match self.client.patch(&key, patch, &WriteOptions::default()).await {
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
            other => other.map(drop),
        }
    }
}

#[async_trait]
impl Component for FlowObjects {
    fn name(&self) -> &str {
        "flow control"
    }

    async fn run(self: Box<Self>, ready: Ready, shutdown: Shutdown) -> Result<(), BoxError> {
        let work = async {
            self.schemas.synced().wait().await;
            self.levels.synced().wait().await;
            loop {
                match self.put_right().await {
                    Ok(()) => {
                        ready.set();
                        self.changed.notified().await;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "an object of flow control can't be kept");
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            }
        };
        shutdown.run_until_cancelled(work).await;
        Ok(())
    }
}

/// What to do about a built-in object.
fn step(one: &Builtin, known: Option<&Value>) -> Step {
    let Some(known) = known else { return Step::Create };
    let says = known["metadata"]["annotations"][AUTO_UPDATE].as_str();
    let auto = one.mandatory
        || match says {
            Some("true") => true,
            Some("false") => false,
            // Nobody has touched it since it was made.
            _ => known["metadata"]["generation"] == 1,
        };
    let spec = auto && known["spec"] != one.spec;
    if spec || says != Some(if auto { "true" } else { "false" }) {
        return Step::Update { auto, spec };
    }
    Step::Leave
}

/// What a schema's status says about its level.
fn dangling(schema: &FlowSchema) -> Option<bool> {
    let conditions = schema.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions.iter().find(|one| one.type_.as_deref() == Some("Dangling"))?;
    Some(condition.status.as_deref() == Some("True"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mandatory_objects_are_put_right_and_suggested_ones_left_to_who_changed_them() {
        let all = builtin();
        let find = |name: &str| all.iter().find(|one| one.name == name).expect("it is there");
        let (must, may) = (find("catch-all"), find("probes"));
        let object = |one: &Builtin, says: Option<&str>, generation: u32, changed: bool| {
            let mut spec = one.spec.clone();
            if changed {
                spec["more"] = 1.into();
            }
            let mut metadata = json!({"generation": generation});
            if let Some(says) = says {
                metadata["annotations"] = json!({AUTO_UPDATE: says});
            }
            json!({"metadata": metadata, "spec": spec})
        };
        for (one, says, generation, changed, expected) in [
            (must, Some("true"), 1, false, Step::Leave),
            (must, Some("false"), 3, true, Step::Update { auto: true, spec: true }),
            (may, Some("true"), 3, true, Step::Update { auto: true, spec: true }),
            (may, Some("false"), 3, true, Step::Leave),
            (may, None, 1, false, Step::Update { auto: true, spec: false }),
            (may, None, 2, true, Step::Update { auto: false, spec: false }),
        ] {
            let known = object(one, says, generation, changed);
            assert_eq!(step(one, Some(&known)), expected, "{says:?} {generation} {changed}");
        }
        assert_eq!(step(may, None), Step::Create);
    }
}
