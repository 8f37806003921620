//! Why a pod goes, in the kubelet's words.

use super::plan::Crossed;
use super::rank::PodUsage;
use super::threshold::Signal;
use std::fmt::Write;

/// For want of something on the node.
pub(super) fn low(crossed: &Crossed, pod: &PodUsage) -> String {
    let signal = crossed.threshold.signal;
    let (resource, level) = (signal.resource(), crossed.level);
    let (wanted, there) = (crossed.threshold.amount.of(level.capacity), level.available);
    let mut text = format!(
        "The node was low on resource: {resource}. Threshold quantity: {}, available: {}. ",
        in_words(signal, wanted),
        in_words(signal, there)
    );
    let of_memory = pod.containers.iter().filter(|_| signal == Signal::MemoryAvailable);
    for (name, usage) in of_memory.filter(|(_, usage)| usage.over() > 0) {
        let (used, requested) = (bytes(usage.used), bytes(usage.requested));
        // Writing to a text does not fail.
        _ = write!(
            text,
            "Container {name} was using {used}, request is {requested}, has larger consumption of {resource}. "
        );
    }
    text
}

fn in_words(signal: Signal, amount: i64) -> String {
    match signal {
        Signal::MemoryAvailable | Signal::NodefsAvailable | Signal::ImagefsAvailable => {
            bytes(amount)
        }
        _ => amount.to_string(),
    }
}

/// Bytes in the largest unit of which it is a whole number: `64Mi`.
pub(super) fn bytes(amount: i64) -> String {
    let units = ["", "Ki", "Mi", "Gi", "Ti"];
    let whole = |power: &usize| amount != 0 && amount % (1_i64 << (10 * power)) == 0;
    let power = (0..units.len()).rev().find(whole).unwrap_or(0);
    format!("{}{}", amount >> (10 * power), units[power])
}

#[cfg(test)]
mod tests {
    use super::super::plan::Level;
    use super::super::rank::Use;
    use super::super::threshold::{Amount, Threshold};
    use super::*;

    #[test]
    fn the_message_tells_who_used_too_much() {
        let crossed = Crossed {
            threshold: Threshold {
                signal: Signal::MemoryAvailable,
                amount: Amount::Absolute(100 << 20),
                grace: None,
            },
            level: Level { available: 64 << 20, capacity: 4 << 30 },
        };
        let of = |used, requested| Use { used, requested };
        let containers = [("fine".into(), of(1, 2)), ("hungry".into(), of(300 << 10, 0))];
        let pod = PodUsage { containers: containers.into(), ..PodUsage::default() };
        assert_eq!(
            low(&crossed, &pod),
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 64Mi. \
            Container hungry was using 300Ki, request is 0, has larger consumption of memory. "
        );
    }

    #[test]
    fn bytes_are_written_as_quantities_are() {
        let words = [0, 1, 1024, 1536, 1 << 30].map(bytes);
        assert_eq!(words, ["0", "1", "1Ki", "1536", "1Gi"]);
    }
}
