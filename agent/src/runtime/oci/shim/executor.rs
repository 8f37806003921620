//! The last step inside a container: finds the program and becomes it.

use super::filter::Filter;
use libcontainer::workload::{
    Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError,
};
use oci_spec::runtime::Spec;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

/// Becomes the program. What goes wrong is written, in words, to `report`, which closes when the program runs.
#[derive(Clone)]
pub(super) struct Exec {
    report: Rc<File>,
    filter: Option<Rc<Filter>>,
    env: Rc<RefCell<HashMap<String, String>>>,
}

// === impl Exec ===

impl Exec {
    /// `filter`: where libcontainer loads none.
    pub(super) fn new(report: File, filter: Option<Filter>) -> Self {
        Self { report: Rc::new(report), filter: filter.map(Rc::new), env: Rc::default() }
    }

    fn tell(&self, message: &str) -> String {
        // When nobody reads, nobody needs the words.
        let _unread = (&*self.report).write_all(message.as_bytes());
        message.to_string()
    }
}

impl Executor for Exec {
    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        find(spec)
            .map(|_| ())
            .map_err(|words| ExecutorValidationError::ArgValidationError(self.tell(&words)))
    }

    fn setup_envs(&self, envs: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        *self.env.borrow_mut() = envs;
        Ok(())
    }

    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        let (program, args) =
            find(spec).map_err(|words| ExecutorError::Other(self.tell(&words)))?;
        if let Some(filter) = &self.filter {
            filter.load().map_err(|words| ExecutorError::Other(self.tell(&words)))?;
        }
        // This also gives the program the signal dispositions that a program expects.
        let error = Command::new(&program)
            .arg0(&args[0])
            .args(&args[1..])
            .env_clear()
            .envs(self.env.borrow().iter())
            .exec();
        let words = format!("exec {}: {}", program.display(), system_words(&error));
        Err(ExecutorError::Other(self.tell(&words)))
    }
}

/// The program's path and all arguments.
fn find(spec: &Spec) -> Result<(PathBuf, Vec<String>), String> {
    let process = spec.process().as_ref();
    let args = process.and_then(|p| p.args().clone()).unwrap_or_default();
    let Some(name) = args.first().cloned() else {
        return Err("no command specified".into());
    };
    let env = process.and_then(|p| p.env().clone()).unwrap_or_default();
    let path = env.iter().find_map(|e| e.strip_prefix("PATH=")).unwrap_or("");
    let program = if name.contains('/') {
        check(Path::new(&name)).map_err(|e| e.words(&name))?;
        PathBuf::from(&name)
    } else {
        search(&name, path)?
    };
    Ok((program, args))
}

fn search(name: &str, path: &str) -> Result<PathBuf, String> {
    let mut forbidden = None;
    for folder in path.split(':') {
        let candidate = Path::new(folder).join(name);
        match check(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(Unfit::Stat(_)) => {}
            Err(e) => forbidden = Some(e),
        }
    }
    Err(match forbidden {
        Some(e) => e.words(name),
        None => format!("exec: {name:?}: executable file not found in $PATH"),
    })
}

enum Unfit {
    Stat(io::Error),
    Folder,
    Forbidden,
}

impl Unfit {
    fn words(&self, name: &str) -> String {
        match self {
            Self::Stat(e) => format!("exec: {name:?}: stat {name}: {}", system_words(e)),
            Self::Folder => format!("exec: {name:?}: is a directory"),
            Self::Forbidden => format!("exec: {name:?}: permission denied"),
        }
    }
}

fn check(path: &Path) -> Result<(), Unfit> {
    let meta = std::fs::metadata(path).map_err(Unfit::Stat)?;
    if meta.is_dir() {
        Err(Unfit::Folder)
    } else if meta.permissions().mode() & 0o111 == 0 {
        Err(Unfit::Forbidden)
    } else {
        Ok(())
    }
}

/// What the system calls an error, in small letters and without its number.
fn system_words(e: &io::Error) -> String {
    let text = e.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
