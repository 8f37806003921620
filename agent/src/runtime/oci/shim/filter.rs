//! The filter of system calls of a further program: libcontainer loads one for a container's first program only.

use oci_spec::runtime::LinuxSeccomp;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use serde_json::{Value, json};
use std::io;

/// The right to load a filter for a program that may gain rights.
const RIGHT: &str = "CAP_SYS_ADMIN";

/// A filter, and whether the program was lent the right to load it.
pub(super) struct Filter {
    profile: LinuxSeccomp,
    lent: bool,
}

// === impl Filter ===

impl Filter {
    /// That of the container with the configuration `spec`. `process`, the program's, is lent the right to load it
    /// where it needs and lacks one.
    pub(super) fn prepare(spec: &Value, process: &mut Value) -> io::Result<Option<Self>> {
        let Some(profile) = spec.pointer("/linux/seccomp") else { return Ok(None) };
        let profile = serde_json::from_value(profile.clone())?;
        let mut lent = false;
        if process["noNewPrivileges"] != true {
            let sets = ["effective", "permitted"];
            for set in sets.map(|set| format!("/capabilities/{set}")) {
                let list = process.pointer_mut(&set).and_then(Value::as_array_mut);
                if let Some(list) = list.filter(|list| !list.contains(&json!(RIGHT))) {
                    list.push(json!(RIGHT));
                    lent = true;
                }
            }
        }
        Ok(Some(Self { profile, lent }))
    }

    /// Loads it into this process, and gives back the right.
    pub(super) fn load(&self) -> Result<(), String> {
        load(&self.profile)?;
        if self.lent {
            let mut sets = capabilities(None).map_err(|e| e.to_string())?;
            sets.effective.remove(CapabilitySet::SYS_ADMIN);
            sets.permitted.remove(CapabilitySet::SYS_ADMIN);
            set_capabilities(None, sets).map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}

#[cfg(feature = "seccomp")]
fn load(profile: &LinuxSeccomp) -> Result<(), String> {
    match libcontainer::seccomp::initialize_seccomp(profile) {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err("nobody listens to the calls that its seccomp profile tells".into()),
        Err(e) => Err(e.to_string()),
    }
}

#[cfg(not(feature = "seccomp"))]
fn load(_: &LinuxSeccomp) -> Result<(), String> {
    Err("this agent was built without support for seccomp".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_lent_only_where_it_is_needed_and_lacking() {
        let spec = json!({"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}}});
        let lent = |spec: &Value, process: &Value| {
            let mut process = process.clone();
            let filter = Filter::prepare(spec, &mut process).expect("fine");
            filter.map(|filter| (filter.lent, process["capabilities"]["permitted"].clone()))
        };
        let caps = |list: &[&str]| json!({"capabilities": {"permitted": list, "effective": list}});
        assert_eq!(lent(&json!({"linux": {}}), &caps(&[])), None);
        assert_eq!(lent(&spec, &caps(&[])), Some((true, json!([RIGHT]))));
        assert_eq!(lent(&spec, &caps(&[RIGHT])), Some((false, json!([RIGHT]))));
        let mut strict = caps(&[]);
        strict["noNewPrivileges"] = json!(true);
        assert_eq!(lent(&spec, &strict), Some((false, json!([]))));
    }
}
