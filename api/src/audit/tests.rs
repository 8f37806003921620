use super::policy::Verdict;
use super::{AuditLog, AuditSink, Level, LogOptions, Policy, PolicyError, Stage};
use crate::authentication::User;
use crate::authorization::Attributes;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::clock::{Clock, SystemClock};
use windlass_core::request::{Target, parse};

const POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  users: ["system:kube-proxy"]
  verbs: ["watch"]
- level: None
  nonResourceURLs: ["/healthz*", "/version"]
- level: Metadata
  resources: [{group: "", resources: ["secrets", "configmaps"]}]
- level: RequestResponse
  userGroups: ["admins"]
  namespaces: ["kube-system"]
  omitManagedFields: false
- level: Request
  resources: [{group: "", resources: ["pods/*", "*/scale"], resourceNames: ["a"]}]
  omitStages: [ResponseStarted]
"#;

fn decide(policy: &Policy, user: &User, path: &str) -> Verdict {
    let (path, query) = path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q)));
    let info = parse(&http::Method::GET, path, query);
    let resource = match &info.target {
        Target::Resource(target) => Some(target),
        Target::Path => None,
    };
    policy.decide(&Attributes { user, verb: info.verb.as_str(), resource, path, selectors: None })
}

#[test]
fn the_first_rule_decides() {
    let policy = Policy::parse(POLICY).expect("a policy");
    let (jane, proxy) = (User::new("jane", ["admins"]), User::new("system:kube-proxy", []));
    for (user, path, level) in [
        (&proxy, "/api/v1/services?watch=1", Level::None),
        (&proxy, "/api/v1/secrets", Level::Metadata),
        (&jane, "/healthz/etcd", Level::None),
        (&jane, "/metrics", Level::None),
        (&jane, "/api/v1/namespaces/kube-system/secrets", Level::Metadata),
        (&jane, "/api/v1/namespaces/kube-system/pods", Level::RequestResponse),
        (&proxy, "/api/v1/namespaces/x/pods/a/log", Level::Request),
        (&proxy, "/api/v1/namespaces/x/pods/a", Level::None),
        (&proxy, "/api/v1/namespaces/x/replicationcontrollers/a/scale", Level::Request),
    ] {
        assert_eq!(decide(&policy, user, path).level, level, "{} {path}", user.name);
    }
    let verdict = decide(&policy, &proxy, "/api/v1/namespaces/x/pods/a/log");
    assert_eq!(verdict.omit_stages, [Stage::RequestReceived, Stage::ResponseStarted]);
    assert!(verdict.omit_managed_fields);
    let verdict = decide(&policy, &jane, "/api/v1/namespaces/kube-system/pods");
    assert!(!verdict.omit_managed_fields);
}

#[test]
fn a_policy_that_can_not_be_meant_is_refused() {
    let head = "apiVersion: audit.k8s.io/v1\nkind: Policy\n";
    assert!(matches!(Policy::parse(head), Err(PolicyError::Empty)));
    assert!(matches!(Policy::parse("kind: Pod"), Err(PolicyError::Kind(_))));
    assert!(matches!(Policy::parse("]"), Err(PolicyError::Syntax(_))));
    let wrong = format!("{head}rules: [{{level: Everything}}]");
    assert!(matches!(Policy::parse(&wrong), Err(PolicyError::Syntax(_))));
    let mixed =
        format!("{head}rules: [{{level: Metadata, namespaces: [a], nonResourceURLs: [/b]}}]");
    assert!(matches!(Policy::parse(&mixed), Err(PolicyError::Mixed(0))));
}

#[test]
fn the_log_is_private_rotated_and_tidied() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("logs/audit.log");
    let options =
        LogOptions { path: path.clone(), max_size: 100, max_backups: 2, max_age: Duration::ZERO };
    let log = AuditLog::open(options.clone(), Arc::new(SystemClock)).expect("a log");
    // Something old, and something that is none of its own.
    let old = path.with_file_name("audit-2001-01-01T00-00-00.000.log");
    let other = path.with_file_name("audit-other.log");
    for file in [&old, &other] {
        std::fs::write(file, "x").expect("written");
    }
    for at in 0..20 {
        assert!(log.take(format!("{{\"at\":{at},\"more\":\"{}\"}}", "x".repeat(40)).into_bytes()));
    }
    // What was taken is written before it is gone.
    drop(log);
    let mut files: Vec<_> = std::fs::read_dir(path.parent().expect("a folder"))
        .expect("files")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 4, "two closed ones, the open one, the other: {files:?}");
    assert!(!old.exists() && other.exists());
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let last = std::fs::read_to_string(&path).expect("text");
    assert!(last.len() <= 100 && last.ends_with("}\n") && last.contains("\"at\":19"), "{last}");
    // It goes on where it was.
    let log = AuditLog::open(LogOptions { max_size: 0, ..options }, Arc::new(SystemClock));
    log.expect("a log").take(b"{}".to_vec());
    assert_eq!(std::fs::read_to_string(&path).expect("text"), format!("{last}{{}}\n"));
}

#[test]
fn closed_files_go_when_they_are_old() {
    struct Then;
    impl Clock for Then {
        fn now(&self) -> jiff::Timestamp {
            "2026-01-10T00:00:00Z".parse().expect("a time")
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.log");
    let file = |day: u8| path.with_file_name(format!("audit-2026-01-{day:02}T00-00-00.000.log"));
    for day in [1, 8] {
        std::fs::write(file(day), "x").expect("written");
    }
    let max_age = Duration::from_secs(3 * 86_400);
    let options = LogOptions { path: path.clone(), max_size: 5, max_backups: 0, max_age };
    let log = AuditLog::open(options, Arc::new(Then)).expect("a log");
    log.take(b"{\"a\":1}".to_vec());
    log.take(b"{\"b\":2}".to_vec());
    drop(log);
    assert!(!file(1).exists() && file(8).exists() && file(10).exists());
}
