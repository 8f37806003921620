//! The kernel settings that redirected traffic needs.

use crate::backend::BackendError;

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";
const FORWARDING_V6: &str = "/proc/sys/net/ipv6/conf/all/forwarding";

/// Lets the node pass packets on, in the network namespace of the calling thread.
pub(super) fn enable_forwarding() -> Result<(), BackendError> {
    enable(FORWARDING)
}

/// The same for IPv6.
pub(super) fn enable_forwarding_v6() -> Result<(), BackendError> {
    enable(FORWARDING_V6)
}

fn enable(path: &str) -> Result<(), BackendError> {
    let failed = |source| BackendError::Io { what: path.to_owned(), source };
    if std::fs::read_to_string(path).map_err(failed)?.trim() == "1" {
        return Ok(());
    }
    std::fs::write(path, "1").map_err(failed)
}
