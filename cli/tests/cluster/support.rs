//! A cluster as a process, in a network namespace of its own.

use kube::api::{Api, DeleteParams, PostParams};
use kube::runtime::wait::{await_condition, conditions};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use windlass_core::apis::core::v1::Pod;
use windlass_core::component::BoxError;

pub(crate) type Result<T> = std::result::Result<T, BoxError>;

const DEADLINE: Duration = Duration::from_secs(60);
const IMAGE: &str = "docker.io/library/busybox:windlass";
const WINDLASS: &str = env!("CARGO_BIN_EXE_windlass");

/// A folder, and as root a network namespace with an address.
pub(crate) struct Scene {
    dir: tempfile::TempDir,
    netns: Option<Netns>,
}

/// `windlass up`, all parts ready.
pub(crate) struct Running {
    child: Child,
    /// Held open: what is written after the start must find a reader.
    _stdout: BufReader<ChildStdout>,
}

struct Netns(String);

impl Scene {
    /// Runs a test in a scene of its own, on a thread that is in its namespace.
    pub(crate) fn play<F>(name: &str, act: F) -> Result<()>
    where
        F: AsyncFnOnce(&Scene) -> Result<()> + Send + 'static,
    {
        let root = rustix::process::geteuid().is_root();
        let netns = root
            .then(|| Netns::new(&format!("windlass-{name}-{}", std::process::id())))
            .transpose()?;
        let scene = Scene { dir: tempfile::tempdir()?, netns };
        let thread = std::thread::spawn(move || {
            scene.enter()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(act(&scene))
        });
        thread.join().map_err(|_| BoxError::from("the test panicked"))?
    }

    pub(crate) fn has_node(&self) -> bool {
        self.netns.is_some()
    }

    fn enter(&self) -> Result<()> {
        let Some(Netns(name)) = &self.netns else { return Ok(()) };
        let file = File::open(Path::new("/run/netns").join(name))?;
        let network = rustix::thread::LinkNameSpaceType::Network;
        rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), Some(network))?;
        Ok(())
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// `windlass up …` with this data directory. A child of this thread: in the same namespace.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(WINDLASS);
        command
            .arg("up")
            .arg("--data-dir")
            .arg(self.data_dir())
            .args(["--listen", "127.0.0.1:16443"]);
        if !self.has_node() {
            command.arg("--no-node");
        }
        command
    }

    /// Starts the cluster; returns when all its parts are ready.
    pub(crate) fn start(&self) -> Result<Running> {
        let mut child = self.command().stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("piped")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        while !line.starts_with("Ctrl-C") {
            line.clear();
            if stdout.read_line(&mut line)? == 0 {
                return Err(format!("the cluster ended: {}", child.wait()?).into());
            }
        }
        Ok(Running { child, _stdout: stdout })
    }

    pub(crate) async fn client(&self) -> Result<kube::Client> {
        let file = kube::config::Kubeconfig::read_from(self.data_dir().join("admin.kubeconfig"))?;
        let config = kube::Config::from_custom_kubeconfig(file, &Default::default()).await?;
        Ok(kube::Client::try_from(config)?)
    }

    /// Brings the image and runs a pod that stays.
    pub(crate) async fn run_pod(&self, client: &kube::Client, name: &str) -> Result<()> {
        self.run_shell(client, name, "while :; do sleep 1; done").await?;
        self.wait_ready(client, name).await
    }

    /// Brings the image and makes a pod that runs a script once.
    pub(crate) async fn run_shell(
        &self,
        client: &kube::Client,
        name: &str,
        script: &str,
    ) -> Result<()> {
        self.import_image()?;
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": name},
            "spec": {"terminationGracePeriodSeconds": 1, "restartPolicy": "Never", "containers": [
                {"name": "c", "image": IMAGE, "command": ["sh", "-c", script]}]},
        }))?;
        let api = Api::<Pod>::namespaced(client.clone(), "default");
        // The service account of a new namespace takes a moment.
        let account = Api::<windlass_core::apis::core::v1::ServiceAccount>::namespaced(
            client.clone(),
            "default",
        );
        let there =
            |account: Option<&windlass_core::apis::core::v1::ServiceAccount>| account.is_some();
        tokio::time::timeout(DEADLINE, await_condition(account, "default", there)).await??;
        api.create(&PostParams::default(), &pod).await?;
        Ok(())
    }

    pub(crate) async fn wait_succeeded(&self, client: &kube::Client, name: &str) -> Result<()> {
        let api = Api::<Pod>::namespaced(client.clone(), "default");
        let succeeded = |pod: Option<&Pod>| {
            let phase = pod.and_then(|pod| pod.status.as_ref()?.phase.as_deref());
            phase == Some("Succeeded")
        };
        let ended = await_condition(api, name, succeeded);
        tokio::time::timeout(DEADLINE, ended).await.map_err(|_| format!("{name} goes on"))??;
        Ok(())
    }

    /// What the program says, run in this scene.
    pub(crate) fn windlass(&self, arguments: &[&str]) -> Result<String> {
        let ended = Command::new(WINDLASS).args(arguments).output()?;
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        match ended.status.success() {
            true => Ok(said),
            false => {
                Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr)).into())
            }
        }
    }

    pub(crate) async fn wait_ready(&self, client: &kube::Client, name: &str) -> Result<()> {
        let api = Api::<Pod>::namespaced(client.clone(), "default");
        let ready = await_condition(api, name, conditions::is_pod_running());
        tokio::time::timeout(DEADLINE, ready).await??;
        Ok(())
    }

    pub(crate) async fn delete_pod(&self, client: &kube::Client, name: &str) -> Result<()> {
        let api = Api::<Pod>::namespaced(client.clone(), "default");
        let uid = api.get(name).await?.metadata.uid.unwrap_or_default();
        api.delete(name, &DeleteParams::default()).await?;
        let gone = await_condition(api, name, conditions::is_deleted(&uid));
        tokio::time::timeout(DEADLINE, gone).await??;
        Ok(())
    }

    fn import_image(&self) -> Result<()> {
        let archive = self.dir.path().join("busybox.tar");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/busybox-image.sh");
        run(Command::new(script).arg(&archive))?;
        run(Command::new(WINDLASS)
            .args(["image", "import", "--data-dir"])
            .arg(self.data_dir())
            .arg(archive))
    }
}

impl Running {
    /// `kill -9`.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM; the exit code must be 0.
    pub(crate) fn stop(mut self) -> Result<()> {
        run(Command::new("kill").args(["-TERM", &self.child.id().to_string()]))?;
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the cluster ended with {status}").into())
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Netns {
    fn new(name: &str) -> Result<Self> {
        let ip = |args: &[&str]| run(Command::new("ip").args(args));
        ip(&["netns", "add", name])?;
        let netns = Self(name.to_owned());
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        ip(&["-n", name, "link", "add", "uplink", "type", "veth", "peer", "name", "outside"])?;
        ip(&["-n", name, "link", "set", "outside", "up"])?;
        ip(&["-n", name, "addr", "add", "198.51.100.2/24", "dev", "uplink"])?;
        ip(&["-n", name, "link", "set", "uplink", "up"])?;
        ip(&["-n", name, "route", "add", "default", "via", "198.51.100.1"])?;
        Ok(netns)
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if let Err(error) = run(Command::new("ip").args(["netns", "del", &self.0])) {
            eprintln!("network namespace {}: {error}", self.0);
        }
    }
}

/// Runs a command to its end; an error when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}
