//! Admission by others: webhooks on real sockets with TLS, and policies.

mod hook;

mod kube_rs;
mod mutations;
mod policies;
mod told;
mod webhooks;

use hook::{Answered, Hook};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use windlass_api::admission::{
    MutatingPolicies, MutatingWebhooks, ValidatingPolicies, ValidatingWebhooks,
};
use windlass_api::authentication::User;
use windlass_api::authorization::{AlwaysAllow, Authorizer};
use windlass_api::local::LocalClient;
use windlass_api::server::{ApiServer, Builder};
use windlass_core::Error;
use windlass_core::client::{ClientExt, Key, WriteOptions, Writer};
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionResource};

/// No test waits longer for anything.
const SOON: Duration = Duration::from_secs(20);

/// A server with a namespace `default`, and everything that is called.
struct Cluster {
    client: LocalClient,
}

impl Cluster {
    async fn start() -> Self {
        Self::with(|builder| builder, Arc::new(AlwaysAllow)).await
    }

    async fn with(more: impl FnOnce(Builder) -> Builder, authorizer: Arc<dyn Authorizer>) -> Self {
        let [a, b, c, d] = std::array::from_fn(|_| authorizer.clone());
        let builder = ApiServer::builder()
            .admission_with(move |objects| Arc::new(MutatingWebhooks::new(objects, a)))
            .admission_with(move |objects| Arc::new(ValidatingWebhooks::new(objects, b)))
            .admission_with(move |objects| Arc::new(MutatingPolicies::new(objects, c)))
            .admission_with(move |objects| Arc::new(ValidatingPolicies::new(objects, d)));
        let server = more(builder).build().await.expect("a server");
        let cluster = Self { client: LocalClient::new(server, User::admin()) };
        cluster.make(scheme::NAMESPACES, "", &named("default")).await.expect("a namespace");
        cluster
    }

    async fn make(
        &self,
        resource: GroupVersionResource,
        namespace: &str,
        object: &Value,
    ) -> Result<Value, Status> {
        let key = Key::new(resource, namespace, "");
        self.client.create_from(&key, object).await.map(view).map_err(status)
    }

    async fn config_map(&self, object: &Value) -> Result<Value, Status> {
        self.make(scheme::CONFIGMAPS, "default", object).await
    }

    /// What comes of a write that is not kept, as soon as it is what is expected.
    async fn eventually(
        &self,
        object: &Value,
        expected: impl Fn(&Result<Value, Status>) -> bool,
    ) -> Result<Value, Status> {
        let deadline = tokio::time::Instant::now() + SOON;
        loop {
            let done = self.dry(object).await;
            if expected(&done) {
                return done;
            }
            assert!(tokio::time::Instant::now() < deadline, "{done:?}");
            tokio::task::yield_now().await;
        }
    }

    async fn dry(&self, object: &Value) -> Result<Value, Status> {
        let mut object = object.clone();
        object["apiVersion"] = json!("v1");
        object["kind"] = json!("ConfigMap");
        let key = Key::new(scheme::CONFIGMAPS, "default", "");
        let options = WriteOptions { dry_run: true, ..WriteOptions::default() };
        let made = self.client.create(&key, object.to_string().into(), &options).await;
        made.map(view).map_err(status)
    }
}

fn view(object: Arc<windlass_core::Object>) -> Value {
    object.view().expect("JSON")
}

fn status(error: Error) -> Status {
    match error {
        Error::Status(status) => *status,
        other => panic!("{other}"),
    }
}

fn named(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}
