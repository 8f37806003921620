//! Which system calls a container may make (seccomp).

use super::state::{self, io_error};
use crate::runtime::{Error, Result, Seccomp, Security};
use serde_json::{Value, json};
use std::io;
use std::path::Path;

/// What may be called without a condition on arguments: words, the first of which says who may.
const CALLS: &str = include_str!("../../../data/seccomp.txt");
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;
/// The flags of `clone` that make namespaces.
const NEW_NAMESPACES: u64 = 0x7e02_0000;
/// The address families of sockets above the twelve that are allowed; those left out reach the hypervisor, the
/// kernel's cryptography or hardware.
const FAMILIES: [u64; 25] = [
    13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44,
    45,
];
/// Ways of execution that a process may choose: Linux of 64 and 32 bits, its addresses at random or not, and asking.
const PERSONALITIES: [u64; 5] = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// The filter of a container that has these capabilities, in OCI's form; `None`: it may call anything.
///
/// # Errors
/// When its file is missing or can't be understood.
pub(in crate::runtime) fn of(
    security: &Security,
    capabilities: &[String],
) -> Result<Option<Value>> {
    match &security.seccomp {
        _ if security.privileged => Ok(None),
        Seccomp::Unconfined => Ok(None),
        Seccomp::RuntimeDefault => Ok(Some(default(capabilities))),
        Seccomp::Localhost(path) => load(path).map(Some),
    }
}

fn load(path: &Path) -> Result<Value> {
    let profile: Option<Value> = state::read(path)?;
    let profile = profile.ok_or_else(|| io_error(path, io::ErrorKind::NotFound))?;
    match serde_json::from_value::<oci_spec::runtime::LinuxSeccomp>(profile.clone()) {
        Ok(_) => Ok(profile),
        Err(e) => {
            Err(Error::Invalid(format!("cannot load seccomp profile \"{}\": {e}", path.display())))
        }
    }
}

/// The profile of containerd and Docker.
fn default(capabilities: &[String]) -> Value {
    let arch = std::env::consts::ARCH;
    let may = |who: &str| who == "all" || who == arch || capabilities.iter().any(|c| c == who);
    let lines = CALLS.lines().filter(|line| !line.starts_with('#'));
    let mine = lines.filter_map(|line| line.split_once(' ')).filter(|(who, _)| may(who));
    let names: Vec<&str> = mine.flat_map(|(_, names)| names.split(' ')).collect();
    let mut calls = vec![json!({ "names": names, "action": "SCMP_ACT_ALLOW" })];
    calls.push(when("socket", "SCMP_CMP_LT", 12));
    calls.extend(FAMILIES.map(|family| when("socket", "SCMP_CMP_EQ", family)));
    calls.extend(PERSONALITIES.map(|one| when("personality", "SCMP_CMP_EQ", one)));
    if !may("CAP_SYS_ADMIN") {
        calls.push(when("clone", "SCMP_CMP_MASKED_EQ", NEW_NAMESPACES));
        // Its flags lie in memory, where no filter sees them: callers fall back to `clone` when it isn't there.
        calls.push(json!({ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS }));
    }
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": EPERM,
        "architectures": architectures(arch),
        "syscalls": calls,
    })
}

/// Allows a call when its first argument compares so; a masked one must be 0.
fn when(name: &str, op: &str, value: u64) -> Value {
    let argument = json!({ "index": 0, "value": value, "valueTwo": 0, "op": op });
    json!({ "names": [name], "action": "SCMP_ACT_ALLOW", "args": [argument] })
}

fn architectures(arch: &str) -> &'static [&'static str] {
    match arch {
        "x86_64" => &["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "aarch64" => &["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
        _ => &["SCMP_ARCH_NATIVE"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(capabilities: &[&str]) -> Vec<String> {
        let capabilities: Vec<_> = capabilities.iter().map(ToString::to_string).collect();
        let names = default(&capabilities)["syscalls"][0]["names"].take();
        serde_json::from_value(names).expect("names")
    }

    #[test]
    fn capabilities_allow_what_they_are_for() {
        let has = |capabilities: &[&str], name: &str| {
            allowed(capabilities).iter().any(|allowed| allowed == name)
        };
        assert!(has(&[], "read") && !has(&[], "mount") && !has(&[], "chroot"));
        assert!(has(&["CAP_SYS_ADMIN"], "mount") && has(&["CAP_SYS_CHROOT"], "chroot"));
        assert!(!has(&[], "keyctl") && !has(&["CAP_SYS_ADMIN"], "keyctl"), "not even then");
    }

    #[test]
    fn the_default_is_a_profile_of_oci() {
        let profile = default(&[]);
        serde_json::from_value::<oci_spec::runtime::LinuxSeccomp>(profile).expect("it is one");
    }

    #[test]
    fn a_privileged_container_has_no_filter() {
        let security = |privileged| Security {
            privileged,
            seccomp: Seccomp::RuntimeDefault,
            ..Security::default()
        };
        assert!(of(&security(true), &[]).expect("fine").is_none());
        assert!(of(&security(false), &[]).expect("fine").is_some());
    }

    #[test]
    fn a_profile_that_is_missing_or_none_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("p.json");
        let of = || {
            let seccomp = Seccomp::Localhost(file.clone());
            of(&Security { seccomp, ..Security::default() }, &[])
        };
        assert!(of().is_err());
        std::fs::write(&file, r#"{"defaultAction": "SCMP_ACT_NONSENSE"}"#).expect("written");
        assert!(matches!(of(), Err(Error::Invalid(_))));
        std::fs::write(&file, r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#).expect("written");
        assert!(of().expect("a profile").is_some());
    }
}
