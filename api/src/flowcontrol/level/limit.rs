//! What a level may do at once.

/// What a level may do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Seats; without meaning for an exempt level.
    pub(crate) seats: u32,
    /// What happens to those who find none.
    pub(crate) full: WhenFull,
}

/// What happens to requests for which there is no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// There always is one.
    Exempt,
    /// They are refused.
    Reject,
    /// They wait.
    Queue(Queuing),
}

/// How they wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queuing {
    /// How many queues there are.
    pub(crate) queues: u16,
    /// How many of them a flow may use.
    pub(crate) hand: u16,
    /// How many requests wait in one at most.
    pub(crate) length: usize,
}
