//! What goes over a pod's interfaces.

use std::fs;

/// What an interface has carried since it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) received: Traffic,
    pub(crate) sent: Traffic,
}

/// One direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    pub(crate) errors: u64,
    pub(crate) dropped: u64,
}

/// The interfaces that a process sees beside the loopback; none where it sees the node's own. Blocks.
pub(super) fn of_process(pid: u32) -> Vec<Interface> {
    let namespace = |of: &str| fs::read_link(format!("/proc/{of}/ns/net")).ok();
    let (its, own) = (namespace(&pid.to_string()), namespace("self"));
    if its.is_none() || its == own {
        return Vec::new();
    }
    // It may have ended since.
    let text = fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap_or_default();
    text.lines().filter_map(parse).filter(|interface| interface.name != "lo").collect()
}

/// `eth0: bytes packets errs drop fifo frame compressed multicast bytes packets errs drop …`
fn parse(line: &str) -> Option<Interface> {
    let (name, numbers) = line.split_once(':')?;
    let numbers: Vec<u64> = numbers.split_whitespace().map_while(|n| n.parse().ok()).collect();
    let traffic = |numbers: &[u64]| match numbers {
        [bytes, packets, errors, dropped, ..] => {
            Some(Traffic { bytes: *bytes, packets: *packets, errors: *errors, dropped: *dropped })
        }
        _ => None,
    };
    let (received, sent) = (traffic(&numbers)?, traffic(numbers.get(8..)?)?);
    Some(Interface { name: name.trim().to_owned(), received, sent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_read_as_the_kernel_writes_them() {
        let line = "  eth0: 1 2 3 4 5 6 7 8 11 12 13 14 15 16 17 18";
        let received = Traffic { bytes: 1, packets: 2, errors: 3, dropped: 4 };
        let sent = Traffic { bytes: 11, packets: 12, errors: 13, dropped: 14 };
        let wanted = Interface { name: "eth0".into(), received, sent };
        assert_eq!(parse(line), Some(wanted));
        assert_eq!(parse("Inter-|   Receive      |  Transmit"), None);
        assert_eq!(of_process(std::process::id()), [], "the node's own");
    }
}
