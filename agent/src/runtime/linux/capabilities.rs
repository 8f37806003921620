//! Which capabilities a container has.

use crate::runtime::{Error, Result, Security};
use std::collections::BTreeSet;

/// All capabilities, in the order of their bits.
const ALL: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What a container has when its pod says nothing: containerd's set.
const DEFAULT: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// The capabilities of a container, with the prefix `CAP_`. Those in `own` (the agent's) are all that can be given.
pub(in crate::runtime) fn of(security: &Security, own: &BTreeSet<String>) -> Result<Vec<String>> {
    if security.privileged {
        return Ok(own.iter().cloned().collect());
    }
    let mut set: BTreeSet<String> = DEFAULT.iter().map(|c| format!("CAP_{c}")).collect();
    let (add, add_all) = read(&security.add_capabilities)?;
    let (drop, drop_all) = read(&security.drop_capabilities)?;
    if add_all {
        set = own.clone();
    }
    if drop_all {
        set.clear();
    }
    set.extend(add);
    set.retain(|c| !drop.contains(c));
    set.retain(|c| own.contains(c));
    Ok(set.into_iter().collect())
}

/// The capabilities of this process.
pub(in crate::runtime) fn own() -> BTreeSet<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    parse(&status)
}

fn parse(status: &str) -> BTreeSet<String> {
    let line = status.lines().find_map(|l| l.strip_prefix("CapEff:"));
    let bits = line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    let bits = bits.unwrap_or(0);
    let names = ALL.iter().enumerate().filter(|(n, _)| bits & (1 << n) != 0);
    names.map(|(_, c)| format!("CAP_{c}")).collect()
}

fn read(names: &[String]) -> Result<(BTreeSet<String>, bool)> {
    let mut set = BTreeSet::new();
    let mut all = false;
    for name in names {
        let upper = name.to_ascii_uppercase();
        let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
        if bare == "ALL" {
            all = true;
        } else if ALL.contains(&bare) {
            set.insert(format!("CAP_{bare}"));
        } else {
            return Err(Error::Invalid(format!("unknown capability \"CAP_{bare}\"")));
        }
    }
    Ok((set, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> BTreeSet<String> {
        parse("CapEff:\t000001ffffffffff\n")
    }

    fn with(add: &[&str], drop: &[&str]) -> Result<Vec<String>> {
        let security = Security {
            add_capabilities: add.iter().map(ToString::to_string).collect(),
            drop_capabilities: drop.iter().map(ToString::to_string).collect(),
            ..Security::default()
        };
        of(&security, &everything())
    }

    #[test]
    fn nothing_said_is_the_default_set() {
        assert_eq!(with(&[], &[]).unwrap().len(), DEFAULT.len());
    }

    #[test]
    fn drop_all_leaves_what_is_added() {
        assert_eq!(with(&["NET_BIND_SERVICE"], &["ALL"]).unwrap(), ["CAP_NET_BIND_SERVICE"]);
    }

    #[test]
    fn add_all_but_one() {
        let caps = with(&["all"], &["CAP_SYS_ADMIN"]).unwrap();
        assert_eq!(caps.len(), ALL.len() - 1);
    }

    #[test]
    fn an_unknown_name_is_invalid() {
        assert!(matches!(with(&["NONSENSE"], &[]), Err(Error::Invalid(_))));
    }

    #[test]
    fn nobody_gives_what_he_lacks() {
        let own = parse("CapEff:\t000001fffeffffff\n");
        assert!(!own.contains("CAP_SYS_RESOURCE"));
        let security = Security { privileged: true, ..Security::default() };
        assert_eq!(of(&security, &own).unwrap().len(), ALL.len() - 1);
    }
}
