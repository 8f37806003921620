//! Flags for the audit log, under kube-apiserver's names.

use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use windlass_api::audit::{Audit, AuditLog, LogOptions, Policy};
use windlass_core::clock::Clock;
use windlass_core::component::BoxError;

/// A day.
const DAY: Duration = Duration::from_secs(86_400);

/// Who did what is written where.
#[derive(Args)]
#[command(next_help_heading = "Audit")]
pub(crate) struct AuditFlags {
    /// Where requests are recorded, a line of JSON each; - is standard output
    #[arg(long, value_name = "FILE", requires = "audit_policy_file")]
    audit_log_path: Option<PathBuf>,
    /// What is recorded of which request (audit.k8s.io/v1, Policy)
    #[arg(long, value_name = "FILE")]
    audit_policy_file: Option<PathBuf>,
    /// Megabytes after which the file is closed and a new one begun; 0: never
    #[arg(long, default_value_t = 100, value_name = "MB")]
    audit_log_maxsize: u64,
    /// Closed files that are kept; 0: all
    #[arg(long, default_value_t = 0, value_name = "N")]
    audit_log_maxbackup: usize,
    /// Days that they are kept; 0: for ever
    #[arg(long, default_value_t = 0, value_name = "DAYS")]
    audit_log_maxage: u32,
}

impl AuditFlags {
    /// The audit that is asked for, if one is.
    pub(crate) fn open(&self, clock: Arc<dyn Clock>) -> Result<Option<Arc<Audit>>, BoxError> {
        let (Some(path), Some(policy)) = (&self.audit_log_path, &self.audit_policy_file) else {
            return Ok(None);
        };
        let named =
            |error: &dyn std::fmt::Display, path: &PathBuf| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(policy).map_err(|error| named(&error, policy))?;
        let policy = Policy::parse(&text).map_err(|error| named(&error, policy))?;
        let options = LogOptions {
            path: path.clone(),
            max_size: self.audit_log_maxsize << 20,
            max_backups: self.audit_log_maxbackup,
            max_age: DAY * self.audit_log_maxage,
        };
        let log = AuditLog::open(options, clock).map_err(|error| named(&error, path))?;
        Ok(Some(Audit::new(policy, Arc::new(log))))
    }
}
