//! Binds through the API.

use crate::framework::{Bind, Extensions, Placement, Plugin, Reach};
use crate::{PodClass, Snapshot};
use async_trait::async_trait;
use serde_json::json;
use std::sync::Arc;
use windlass_core::client::{Client, Key, WriteOptions};
use windlass_core::scheme;

/// Posts a `Binding` to the pod.
pub struct DefaultBinder {
    client: Arc<dyn Client>,
}

impl DefaultBinder {
    /// Binds through this client.
    #[must_use]
    pub fn new(client: Arc<dyn Client>) -> Self {
        Self { client }
    }
}

impl Plugin for DefaultBinder {
    fn name(&self) -> &'static str {
        "DefaultBinder"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions { bind: Some(self), ..Extensions::default() }
    }

    fn reach(&self, _: &PodClass, _: &Snapshot) -> Reach {
        Reach::Nothing
    }
}

#[async_trait]
impl Bind for DefaultBinder {
    async fn bind(&self, placement: &Placement) -> Result<(), windlass_core::Error> {
        let Placement { pod, node, .. } = placement;
        let key = Key::new(scheme::PODS, &*pod.namespace, &*pod.name).subresource("binding");
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        });
        let body = binding.to_string().into();
        self.client.create(&key, body, &WriteOptions::default()).await.map(drop)
    }
}
