//! One call of a plugin.

use crate::network::Attachment;
use crate::runtime::{Error, Result};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a plugin may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// Longest answer.
const MAX_ANSWER: u64 = 1 << 20;

/// What a plugin is to do.
#[derive(Clone, Copy)]
pub(super) enum Command {
    Add,
    Delete,
}

/// A call.
pub(super) struct Call<'a> {
    pub(super) command: Command,
    pub(super) pod: &'a Attachment,
    pub(super) bin_dirs: &'a [PathBuf],
}

// === impl Call ===

impl Call<'_> {
    /// Runs the plugin that the configuration names, and gives its result.
    pub(super) async fn run(&self, config: &Value) -> Result<Value> {
        let name = config["type"].as_str().unwrap_or_default();
        let program = self.find(name)?;
        let failed = |source| Error::Io { context: format!("CNI plugin {name}"), source };
        let mut child = tokio::process::Command::new(program)
            .env_clear()
            .envs(self.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let input = serde_json::to_vec(config).map_err(|e| Error::Failed(e.to_string()))?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let talk = async {
            let write = async {
                let Some(mut stdin) = stdin else { return Ok(()) };
                match stdin.write_all(&input).await {
                    // It need not read its configuration.
                    Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
                    done => done,
                }
            };
            let (_, answer, complaint) = tokio::try_join!(write, all(stdout), all(stderr))?;
            Ok::<_, std::io::Error>((child.wait().await?, answer, complaint))
        };
        let done = tokio::time::timeout(DEADLINE, talk).await;
        let (status, answer, complaint) = done
            .map_err(|_| Error::Failed(format!("CNI plugin {name} took too long")))?
            .map_err(failed)?;
        if status.success() {
            return read_result(name, &answer);
        }
        Err(Error::Failed(format!("plugin type={name:?} failed: {}", words(&answer, &complaint))))
    }

    fn find(&self, name: &str) -> Result<PathBuf> {
        let plain = !name.is_empty() && !name.contains('/') && name != "..";
        let mut candidates = self.bin_dirs.iter().map(|d| d.join(name));
        candidates.find(|p| plain && p.is_file()).ok_or_else(|| {
            Error::Failed(format!("failed to find plugin {name:?} in path {:?}", self.bin_dirs))
        })
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let pod = self.pod;
        let dirs: Vec<_> = self.bin_dirs.iter().map(|d| d.display().to_string()).collect();
        // A namespace that is gone is named by nothing.
        let netns =
            if pod.netns.exists() { pod.netns.display().to_string() } else { String::new() };
        let args = format!(
            "IgnoreUnknown=1;K8S_POD_NAMESPACE={};K8S_POD_NAME={};K8S_POD_INFRA_CONTAINER_ID={};K8S_POD_UID={}",
            pod.namespace, pod.name, pod.sandbox.0, pod.uid
        );
        vec![
            ("CNI_COMMAND", self.command.word().to_string()),
            ("CNI_CONTAINERID", pod.sandbox.0.clone()),
            ("CNI_NETNS", netns),
            ("CNI_IFNAME", "eth0".to_string()),
            ("CNI_ARGS", args),
            ("CNI_PATH", dirs.join(":")),
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_string()),
        ]
    }
}

// === impl Command ===

impl Command {
    fn word(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Delete => "DEL",
        }
    }
}

async fn all(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(MAX_ANSWER).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

fn read_result(name: &str, answer: &[u8]) -> Result<Value> {
    if answer.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(answer)
        .map_err(|e| Error::Failed(format!("CNI plugin {name} gave a malformed result: {e}")))
}

/// What a plugin says about its failure: JSON with a message, or anything.
fn words(answer: &[u8], complaint: &[u8]) -> String {
    let error: Value = serde_json::from_slice(answer).unwrap_or_default();
    match (error["msg"].as_str(), error["details"].as_str()) {
        (Some(message), Some(details)) if !details.is_empty() => format!("{message}: {details}"),
        (Some(message), _) => message.to_string(),
        (None, _) => String::from_utf8_lossy(complaint).trim().to_string(),
    }
}
