//! Shuffle sharding: each flow is dealt a hand of queues, so that few flows share all of theirs with another.

use smallvec::SmallVec;

/// The queues of one flow.
pub(super) type Hand = SmallVec<[u16; 8]>;

/// Deals `size` different queues out of `queues`, always the same for the same hash.
pub(super) fn deal(mut hash: u64, queues: u16, size: u16) -> Hand {
    let mut hand = Hand::new();
    let mut sorted = Hand::new();
    for dealt in 0..size.min(queues) {
        let left = u64::from(queues - dealt);
        // Less than `queues`, so it fits.
        let mut card = (hash % left) as u16;
        hash /= left;
        // The card stands for the one at its place among those that are still there.
        let mut at = 0;
        while at < sorted.len() && sorted[at] <= card {
            card += 1;
            at += 1;
        }
        sorted.insert(at, card);
        hand.push(card);
    }
    hand
}
