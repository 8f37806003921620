//! The contract on the runtime in memory.

use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use windlass_agent::images::ImageId;
use windlass_agent::runtime::fake::{Director, FakeRuntime, Script};
use windlass_agent::runtime::testing::{self, Program, Subject};
use windlass_agent::runtime::{ContainerConfig, Runtime};

/// Plays what the contract's programs would do.
struct Actor;

impl Director for Actor {
    fn container(&self, config: &ContainerConfig) -> Script {
        play(&config.command)
    }

    fn exec(&self, _: &ContainerConfig, command: &[String]) -> Script {
        play(command)
    }
}

fn play(command: &[String]) -> Script {
    let soon = Some(Duration::from_millis(5));
    match Program::of(command).expect("a program of the contract") {
        Program::Prints => Script {
            stdout: "out\nsecond\n".into(),
            stderr: "err\n".into(),
            runs: soon,
            exit_code: 3,
            ..Script::default()
        },
        Program::Succeeds => Script { runs: soon, ..Script::default() },
        Program::RunsUntilTerm => {
            Script { on_term: Some(5), milli_cpu: 10, memory: 1 << 20, ..Script::default() }
        }
        Program::IgnoresTerm => Script::default(),
        Program::Copies => Script { copies: true, ..Script::default() },
        Program::Missing => Script {
            start_error: Some(
                "exec: \"/no/such/program\": stat /no/such/program: no such file or directory"
                    .into(),
            ),
            ..Script::default()
        },
    }
}

struct Fake {
    dir: tempfile::TempDir,
    runtime: Arc<FakeRuntime>,
}

#[async_trait]
impl Subject for Fake {
    fn runtime(&self) -> Arc<dyn Runtime> {
        self.runtime.clone()
    }

    fn image(&self) -> ImageId {
        ImageId("sha256:fake".into())
    }

    fn log_folder(&self) -> PathBuf {
        tempfile::tempdir_in(self.dir.path()).expect("a folder").keep()
    }

    /// What it has is in memory: a clone is all that a new life can find.
    async fn reopen(&mut self) {
        self.runtime = Arc::new((*self.runtime).clone());
    }
}

#[tokio::test(start_paused = true)]
async fn keeps_the_contract() {
    let dir = tempfile::tempdir().expect("a folder");
    let runtime = Arc::new(FakeRuntime::new(Actor, || SystemTime::UNIX_EPOCH));
    testing::contract(&mut Fake { dir, runtime }).await;
}
