//! Control planes whose store is sealed.

use kube::api::{Api, PostParams};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use windlass::standalone::{Cluster, Encryption, Options};
use windlass_core::apis::core::v1::ConfigMap;
use windlass_core::component::BoxError;

type Result<T> = std::result::Result<T, BoxError>;

const DEADLINE: Duration = Duration::from_secs(60);
/// What must not be found on disk.
const TEXT: &str = "nobody-may-read-this";
/// Two keys, and one that has the name of the first.
const A: &str = "a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const B: &str = "b:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const OTHER_A: &str = "a:QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=";

/// A data directory, and files with keys beside it.
struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn keys(&self, keys: &[&str]) -> Result<PathBuf> {
        let file = tempfile::Builder::new().prefix("keys").tempfile_in(&self.0)?;
        std::fs::write(&file, keys.join("\n"))?;
        Ok(file.keep()?.1)
    }

    /// Does something with a control plane of this process. Its runtime ends with it, and so does all that
    /// holds the store.
    fn with_cluster<F>(&self, keys: Option<&[&str]>, act: F) -> Result<()>
    where
        F: AsyncFnOnce(Api<ConfigMap>) -> Result<()>,
    {
        let keys = keys.map(|keys| self.keys(keys)).transpose()?;
        self.with_encryption(Encryption { keys, ..Encryption::default() }, act)
    }

    fn with_encryption<F>(&self, encryption: Encryption, act: F) -> Result<()>
    where
        F: AsyncFnOnce(Api<ConfigMap>) -> Result<()>,
    {
        let options = Options { controllers: false, scheduler: false, ..Options::in_memory() };
        let options = Options { data_dir: Some(self.data()), encryption, ..options };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let cluster = Cluster::start(options).await?;
            act(Api::namespaced(cluster.kube_client(), "default")).await?;
            cluster.stop().await;
            Ok(())
        })
    }

    /// Writes the text.
    fn write(&self, keys: Option<&[&str]>) -> Result<()> {
        self.with_cluster(keys, async |config_maps| {
            let object = json!({"metadata": {"name": "a"}, "data": {"text": TEXT}});
            config_maps.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
            Ok(())
        })
    }

    /// Reads it.
    fn read(&self, keys: Option<&[&str]>) -> Result<()> {
        self.with_cluster(keys, async |config_maps| {
            let found = config_maps.get("a").await?;
            assert_eq!(found.data.unwrap_or_default()["text"], TEXT);
            Ok(())
        })
    }

    fn program(&self, flags: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_windlass-apiserver"));
        program.args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(self.data()).args(flags);
        program.env("WINDLASS_LOG", "info").stdout(Stdio::null()).stderr(Stdio::piped());
        program
    }

    /// What the program says when it can't start with these keys.
    fn refusal(&self, keys: &[&str]) -> Result<String> {
        let file = self.keys(keys)?;
        let output = self.program(&["--encryption-keys", text(&file)]).output()?;
        assert!(!output.status.success());
        Ok(String::from_utf8(output.stderr)?)
    }

    /// Runs the program until it says that everything is sealed with the first of these keys, then ends it.
    fn seal_all(&self, keys: &[&str], flags: &[&str]) -> Result<()> {
        let file = self.keys(keys)?;
        let mut program = self.program(&["--encryption-keys", text(&file)]);
        let mut child = program.args(flags).spawn()?;
        let lines = BufReader::new(child.stderr.take().ok_or("it is a pipe")?).lines();
        let (sealed, told) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut said = Vec::new();
            for line in lines.map_while(std::io::Result::ok) {
                if line.contains("all values are sealed with the first key") {
                    // Who waits may have given up.
                    let _gone = sealed.send(());
                }
                said.push(line);
            }
            said.join("\n")
        });
        let told = told.recv_timeout(DEADLINE);
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let status = child.wait()?;
        let said = reader.join().map_err(|_| "the reader panicked")?;
        assert!(told.is_ok() && status.success(), "{status}: {said}");
        Ok(())
    }

    /// Everything in the files of the store.
    fn stored(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for entry in std::fs::read_dir(self.data().join("store"))? {
            bytes.extend(std::fs::read(entry?.path())?);
        }
        Ok(bytes)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the name is made of letters")
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_sealed_store_wants_its_key() -> Result<()> {
    let scene = Scene::new()?;
    scene.write(Some(&[A]))?;
    let stored = scene.stored()?;
    assert!(contains(&stored, "/registry/core/configmaps/default/a") && !contains(&stored, TEXT));

    let output = scene.program(&[]).output()?;
    let said = String::from_utf8(output.stderr)?;
    assert!(!output.status.success());
    assert_eq!(said, "error: store: its values are sealed: name the keys with --encryption-keys\n");
    let said = scene.refusal(&[B])?;
    assert!(said.contains("the key ring has no key \"a\"") && said.lines().count() == 1, "{said}");
    let said = scene.refusal(&[OTHER_A])?;
    assert!(said.contains("key \"a\" is another one now") && said.lines().count() == 1, "{said}");
    let said = scene.refusal(&["a:AAEC"])?;
    assert!(said.contains("line 1: the key is not base64 of 32 bytes"), "{said}");
    assert!(!said.contains("AAEC"), "{said}");
    scene.read(Some(&[A]))
}

#[test]
fn a_new_key_in_front_takes_the_place_of_the_old() -> Result<()> {
    let scene = Scene::new()?;
    scene.write(Some(&[A]))?;
    scene.seal_all(&[B, A], &[])?;
    assert!(!contains(&scene.stored()?, TEXT));
    scene.read(Some(&[B]))
}

#[test]
fn a_plain_store_is_sealed_once_it_is_allowed() -> Result<()> {
    let scene = Scene::new()?;
    scene.write(None)?;
    assert!(contains(&scene.stored()?, TEXT));
    let said = scene.refusal(&[A])?;
    assert!(said.contains("it is not sealed") && said.lines().count() == 1, "{said}");
    scene.seal_all(&[A], &["--encryption-read-plain"])?;
    scene.read(Some(&[A]))
}

#[test]
fn files_that_others_may_read_and_flags_without_keys_are_refused() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new()?;
    let file = scene.keys(&[A])?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640))?;
    let output = scene.program(&["--encryption-keys", text(&file)]).output()?;
    let said = String::from_utf8(output.stderr)?;
    assert!(said.contains("mode 0640, others may read the keys. It must be 0600"), "{said}");
    assert_eq!(said.matches(text(&file)).count(), 1, "{said}");
    let output = scene.program(&["--encryption-read-plain"]).output()?;
    let said = String::from_utf8(output.stderr)?;
    assert!(!output.status.success() && said.contains("--encryption-keys"), "{said}");
    Ok(())
}

/// With a key that the cluster makes for itself.
fn own_key() -> Encryption {
    Encryption { own_key: true, ..Encryption::default() }
}

async fn put(config_maps: Api<ConfigMap>) -> Result<()> {
    let object = json!({"metadata": {"name": "a"}, "data": {"text": TEXT}});
    config_maps.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
    Ok(())
}

async fn look(config_maps: Api<ConfigMap>) -> Result<()> {
    let found = config_maps.get("a").await?;
    assert_eq!(found.data.unwrap_or_default()["text"], TEXT);
    Ok(())
}

#[test]
fn a_cluster_seals_its_store_with_a_key_of_its_own() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new()?;
    scene.with_encryption(own_key(), put)?;
    assert!(!contains(&scene.stored()?, TEXT));
    let key = scene.data().join("pki/encryption.keys");
    assert_eq!(std::fs::metadata(&key)?.permissions().mode() & 0o777, 0o600);
    scene.with_encryption(own_key(), look)?;
    let refused = scene.with_encryption(Encryption::default(), look);
    let why = refused.expect_err("nothing can be read without the key").to_string();
    assert!(why.contains("its values are sealed"), "{why}");
    std::fs::remove_file(&key)?;
    let refused = scene.with_encryption(own_key(), look);
    assert!(refused.is_err(), "another key would not help: none is made");
    assert!(!key.exists());
    Ok(())
}

#[test]
fn a_store_that_was_there_before_is_sealed() -> Result<()> {
    let scene = Scene::new()?;
    scene.with_encryption(Encryption::default(), put)?;
    assert!(contains(&scene.stored()?, TEXT));
    scene.with_encryption(own_key(), look)?;
    assert!(scene.data().join("pki/encryption.keys").exists());
    scene.with_encryption(own_key(), look)
}
