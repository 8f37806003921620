//! Networks by CNI plugins: programs of the node, called as the CNI specification 1.1 says
//! (<https://www.cni.dev/docs/spec/>).
//!
//! The first configuration of the folder, by name, counts. What a pod was connected with is kept, so
//! that it is disconnected the same way even when the configuration has changed.

mod config;
mod plugin;
#[cfg(test)]
mod tests;

use super::bridge::links::loopback_up;
use super::{Attachment, Network};
use crate::images::store::write_atomically;
use crate::runtime::{Error, Result};
use async_trait::async_trait;
use config::NetworkList;
use plugin::{Call, Command};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Where CNI's things lie.
#[derive(Clone, Debug)]
pub struct CniOptions {
    /// Configurations: `/etc/cni/net.d`.
    pub conf_dir: PathBuf,
    /// Plugins: `/opt/cni/bin` and `/usr/lib/cni`.
    pub bin_dirs: Vec<PathBuf>,
    /// Keeps what pods were connected with.
    pub state_dir: PathBuf,
}

/// The network that a CNI configuration describes.
#[derive(Clone, Debug)]
pub struct CniNetwork {
    options: CniOptions,
}

/// What a pod was connected with.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    list: NetworkList,
    result: Value,
}

// === impl CniOptions ===

impl CniOptions {
    /// The usual folders; `state_dir` is the agent's.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            conf_dir: "/etc/cni/net.d".into(),
            bin_dirs: vec!["/opt/cni/bin".into(), "/usr/lib/cni".into()],
            state_dir: state_dir.into(),
        }
    }
}

// === impl CniNetwork ===

impl CniNetwork {
    /// The network of the folder's configuration; `None` when there is none.
    ///
    /// # Errors
    /// When there is one that can't be read.
    pub fn find(options: CniOptions) -> Result<Option<Self>> {
        let found = config::load(&options.conf_dir)?;
        std::fs::create_dir_all(&options.state_dir).map_err(|e| failed(&options.state_dir, e))?;
        Ok(found.map(|list| {
            tracing::info!(network = list.name, "pods are connected by CNI plugins");
            Self { options }
        }))
    }

    async fn add(&self, pod: &Attachment, list: &NetworkList) -> Result<Value> {
        let mut result = Value::Null;
        for config in &list.plugins {
            let call = Call { command: Command::Add, pod, bin_dirs: &self.options.bin_dirs };
            result = call.run(&list.stdin(config, &result, &pod.ports)).await?;
        }
        Ok(result)
    }

    async fn delete(&self, pod: &Attachment, kept: &Kept) -> Result<()> {
        for config in kept.list.plugins.iter().rev() {
            let call = Call { command: Command::Delete, pod, bin_dirs: &self.options.bin_dirs };
            call.run(&kept.list.stdin(config, &kept.result, &pod.ports)).await?;
        }
        Ok(())
    }

    fn keep(&self, pod: &Attachment, kept: &Kept) -> Result<()> {
        let bytes = serde_json::to_vec(kept).map_err(|e| Error::Failed(e.to_string()))?;
        write_atomically(&self.path(pod), &bytes)
    }

    fn kept(&self, pod: &Attachment) -> Result<Option<Kept>> {
        let path = self.path(pod);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|e| Error::Failed(format!("{}: {e}", path.display()))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed(&path, e)),
        }
    }

    fn path(&self, pod: &Attachment) -> PathBuf {
        self.options.state_dir.join(format!("{}.json", pod.sandbox.0))
    }

    async fn connect(&self, pod: &Attachment) -> Result<Vec<IpAddr>> {
        let list = config::load(&self.options.conf_dir)?
            .ok_or_else(|| Error::Failed("cni plugin not initialized".into()))?;
        // Kept first: after a crash in the middle, what was done can be undone.
        let mut kept = Kept { list, result: Value::Null };
        self.keep(pod, &kept)?;
        kept.result = self.add(pod, &kept.list).await?;
        self.keep(pod, &kept)?;
        addresses(&kept.result)
    }
}

#[async_trait]
impl Network for CniNetwork {
    async fn attach(&self, pod: &Attachment) -> Result<Vec<IpAddr>> {
        let netns = pod.netns.clone();
        let up = tokio::task::spawn_blocking(move || loopback_up(&netns)).await;
        let up = up.map_err(|e| Error::Failed(format!("a task failed: {e}")))?;
        up.map_err(|e| failed(&pod.netns, e))?;
        let connected = self.connect(pod).await;
        if connected.is_err()
            && let Err(e) = self.detach(pod).await
        {
            tracing::warn!(pod = pod.name, error = %e, "can't undo a connection that failed");
        }
        connected
    }

    async fn detach(&self, pod: &Attachment) -> Result<()> {
        let Some(kept) = self.kept(pod)? else { return Ok(()) };
        self.delete(pod, &kept).await?;
        let path = self.path(pod);
        std::fs::remove_file(&path).map_err(|e| failed(&path, e))
    }
}

/// The addresses of a result.
fn addresses(result: &Value) -> Result<Vec<IpAddr>> {
    let all = result["ips"].as_array().cloned().unwrap_or_default();
    let texts = all.iter().filter_map(|ip| ip["address"].as_str());
    let parse = |text: &str| text.split('/').next().unwrap_or_default().parse();
    texts
        .map(|text| {
            parse(text).map_err(|_| Error::Failed(format!("CNI gave the address \"{text}\"")))
        })
        .collect()
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Io { context: path.display().to_string(), source }
}
