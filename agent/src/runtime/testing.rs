//! What every runtime promises, as checks that each implementation runs.
//!
//! A [`Subject`] brings a runtime and says how to run a [`Program`]; [`contract`] checks the rest.
//! Each check waits for events, with a deadline.

mod busybox;
mod checks;
mod streams;

pub use busybox::archive as busybox_archive;

use super::{
    ContainerConfig, ContainerId, ContainerState, ContainerStatus, Event, Runtime, SandboxConfig,
    SandboxId,
};
use crate::images::ImageId;
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// What the checks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Prints `out` and `second` to standard output, `err` to standard error, and exits with 3.
    Prints,
    /// Exits with 0 at once.
    Succeeds,
    /// Runs until it gets SIGTERM, then exits with 5.
    RunsUntilTerm,
    /// Runs, whatever SIGTERM it gets.
    IgnoresTerm,
    /// Copies its input to its output until it ends, then exits with 0.
    Copies,
    /// A path that isn't there: `/no/such/program`.
    Missing,
}

/// An implementation under test.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The runtime.
    fn runtime(&self) -> Arc<dyn Runtime>;
    /// The image that has the programs.
    fn image(&self) -> ImageId;
    /// A new, empty folder for logs.
    fn log_folder(&self) -> PathBuf;
    /// Drops the runtime and opens it again, as a restart of the agent does.
    async fn reopen(&mut self);
}

/// Checks everything.
///
/// # Panics
/// When a promise is broken.
pub async fn contract(subject: &mut dyn Subject) {
    checks::sandboxes_come_and_go(subject).await;
    checks::output_and_exit_code(subject).await;
    checks::success_is_completed(subject).await;
    checks::a_missing_program_is_a_start_error(subject).await;
    checks::what_runs_uses_something(subject).await;
    checks::stopping_asks_first(subject).await;
    checks::stopping_kills_in_the_end(subject).await;
    checks::removing_ends_what_runs(subject).await;
    checks::an_unknown_container_is_no_trouble(subject).await;
    streams::exec_has_streams_and_a_code(subject).await;
    streams::exec_reads_its_input(subject).await;
    streams::exec_has_a_limit(subject).await;
    streams::exec_of_nothing_there(subject).await;
    streams::attached_input_ends(subject).await;
    checks::everything_is_found_again(subject).await;
    let left = subject.runtime().list_sandboxes().await.expect("list");
    assert!(left.is_empty(), "the checks remove what they make");
}

// === impl Program ===

impl Program {
    /// The command line, for a runtime that really has a shell.
    pub fn command(self) -> Vec<String> {
        let script = match self {
            Self::Prints => "echo out; echo err >&2; echo second; exit 3",
            Self::Succeeds => "exit 0",
            Self::RunsUntilTerm => "trap 'exit 5' TERM; while :; do sleep 1000 & wait; done",
            Self::IgnoresTerm => "trap '' TERM; while :; do sleep 1000; done",
            Self::Copies => "cat",
            Self::Missing => return vec!["/no/such/program".into()],
        };
        vec!["/bin/sh".into(), "-c".into(), script.into()]
    }

    /// The program a command line is of.
    pub fn of(command: &[String]) -> Option<Self> {
        let all = [
            Self::Prints,
            Self::Succeeds,
            Self::RunsUntilTerm,
            Self::IgnoresTerm,
            Self::Copies,
            Self::Missing,
        ];
        all.into_iter().find(|p| p.command() == command)
    }
}

/// Removes what a test made in its root control group, and the group; waits for processes that are just ending.
///
/// # Errors
/// When something in it still runs.
pub fn remove_cgroup(root: &str) -> std::io::Result<()> {
    super::linux::cgroup::remove(std::path::Path::new(root))
}

/// A sandbox for one check, and how to make containers in it.
struct Pod {
    runtime: Arc<dyn Runtime>,
    id: SandboxId,
    events: BoxStream<'static, Event>,
}

impl Pod {
    async fn new(subject: &dyn Subject) -> Self {
        let runtime = subject.runtime();
        let config = SandboxConfig {
            name: "pod".into(),
            namespace: "default".into(),
            uid: "uid-1".into(),
            hostname: "pod".into(),
            cgroup_parent: "kubepods/besteffort/poduid-1".into(),
            ..SandboxConfig::default()
        };
        let events = runtime.events();
        let status = runtime.run_sandbox(config).await.expect("run sandbox");
        Self { runtime, id: status.id, events }
    }

    async fn create(
        &self,
        subject: &dyn Subject,
        program: Program,
        change: impl FnOnce(&mut ContainerConfig),
    ) -> ContainerId {
        let mut config = ContainerConfig {
            name: "main".into(),
            image: subject.image(),
            command: program.command(),
            log_path: subject.log_folder().join("0.log"),
            ..ContainerConfig::default()
        };
        change(&mut config);
        self.runtime.create_container(&self.id, config).await.expect("create")
    }

    async fn run(&self, subject: &dyn Subject, program: Program) -> ContainerId {
        let id = self.create(subject, program, |_| {}).await;
        self.runtime.start_container(&id).await.expect("start");
        id
    }

    async fn status(&self, id: &ContainerId) -> Option<ContainerStatus> {
        status(&*self.runtime, id).await
    }

    /// Waits for the container to end, and gives code and reason.
    async fn exited(&mut self, id: &ContainerId) -> (i32, String) {
        let told = async {
            while let Some(event) = self.events.next().await {
                if event == Event::Exited(id.clone()) {
                    return;
                }
            }
        };
        tokio::time::timeout(DEADLINE, told).await.expect("the container ends");
        match self.status(id).await.expect("is listed").state {
            ContainerState::Exited { exit_code, reason, .. } => (exit_code, reason),
            state => panic!("told that it ended, listed as {state:?}"),
        }
    }

    async fn remove(self) {
        self.runtime.remove_sandbox(&self.id).await.expect("remove sandbox");
    }
}

async fn status(runtime: &dyn Runtime, id: &ContainerId) -> Option<ContainerStatus> {
    let all = runtime.list_containers().await.expect("list");
    all.into_iter().find(|c| c.id == *id)
}
