//! The Pod Security Standards (Kubernetes documentation of that name), one function a control.

mod app_armor;
mod capabilities;
mod host;
mod privilege;
mod proc_mount;
mod seccomp;
mod selinux;
mod sysctls;
mod user;
mod volumes;

use super::policy::{Level, Standard};
use super::subject::Subject;

/// What is wrong with a pod: in a word or two, and in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) reason: String,
    pub(super) detail: String,
}

/// What a control says of a pod.
type Check = fn(&Subject<'_>) -> Option<Violation>;

/// A control: its name, the names of those that it stands in for, and its forms, each from a release on.
struct Control(&'static str, &'static [&'static str], &'static [(u32, Check)]);

/// In the order in which violations are told.
const BASELINE: &[Control] = &[
    Control("appArmorProfile", &[], &[(0, app_armor::check)]),
    Control("capabilities_baseline", &[], &[(0, capabilities::baseline)]),
    Control("hostNamespaces", &[], &[(0, host::namespaces)]),
    Control("hostPathVolumes", &[], &[(0, volumes::host_path)]),
    Control("hostPorts", &[], &[(0, host::ports)]),
    Control("hostProbesAndHostLifecycle", &[], &[(34, host::probes)]),
    Control("privileged", &[], &[(0, privilege::privileged)]),
    Control("procMount_baseline", &[], &[(0, proc_mount::strict), (35, proc_mount::relaxed)]),
    Control("seLinuxOptions", &[], &[(0, selinux::first), (31, selinux::with_engine)]),
    Control("seccompProfile_baseline", &[], &[(0, seccomp::annotations), (19, seccomp::baseline)]),
    Control(
        "sysctls",
        &[],
        &[(0, sysctls::v0), (27, sysctls::v27), (29, sysctls::v29), (32, sysctls::v32)],
    ),
    Control("windowsHostProcess", &[], &[(0, host::windows_process)]),
];

const RESTRICTED: &[Control] = &[
    Control(
        "allowPrivilegeEscalation",
        &[],
        &[(8, privilege::escalation), (25, privilege::escalation_but_windows)],
    ),
    Control(
        "capabilities_restricted",
        &["capabilities_baseline"],
        &[(22, capabilities::restricted), (25, capabilities::restricted_but_windows)],
    ),
    Control("procMount_restricted", &["procMount_baseline"], &[(35, proc_mount::strict)]),
    Control("restrictedVolumes", &["hostPathVolumes"], &[(0, volumes::restricted)]),
    Control("runAsNonRoot", &[], &[(0, user::non_root), (35, user::non_root_or_own)]),
    Control("runAsUser", &[], &[(23, user::not_zero), (35, user::not_zero_or_own)]),
    Control(
        "seccompProfile_restricted",
        &["seccompProfile_baseline"],
        &[(19, seccomp::restricted), (25, seccomp::restricted_but_windows)],
    ),
];

/// Everything in which a pod violates a standard.
pub(super) fn violations(standard: Standard, subject: &Subject<'_>) -> Vec<Violation> {
    let minor = standard.version.minor();
    let (baseline, restricted): (&[Control], &[Control]) = match standard.level {
        Level::Privileged => (&[], &[]),
        Level::Baseline => (BASELINE, &[]),
        Level::Restricted => (BASELINE, RESTRICTED),
    };
    let replaced = |name: &str| {
        let there = restricted.iter().filter(|control| control.at(minor).is_some());
        there.flat_map(|control| control.1).any(|other| *other == name)
    };
    let baseline = baseline.iter().filter(|control| !replaced(control.0));
    let checks = baseline.chain(restricted).filter_map(|control| control.at(minor));
    checks.filter_map(|check| check(subject)).collect()
}

/// `privileged, hostPort`.
pub(super) fn reasons(violations: &[Violation]) -> String {
    let all: Vec<_> = violations.iter().map(|one| one.reason.as_str()).collect();
    all.join(", ")
}

/// `privileged (container "a" must not …), hostPort (…)`.
pub(super) fn details(violations: &[Violation]) -> String {
    let all: Vec<_> =
        violations.iter().map(|one| format!("{} ({})", one.reason, one.detail)).collect();
    all.join(", ")
}

// === impl Control ===

impl Control {
    /// Its form in a release.
    fn at(&self, minor: u32) -> Option<Check> {
        self.2.iter().rev().find(|(from, _)| *from <= minor).map(|(_, check)| *check)
    }
}

// === impl Violation ===

impl Violation {
    fn new(reason: impl Into<String>, detail: String) -> Option<Self> {
        Some(Self { reason: reason.into(), detail })
    }
}
