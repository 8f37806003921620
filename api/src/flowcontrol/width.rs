//! How many seats a request takes (API concepts, "Seats Occupied by a Request").

use super::level::Width;
use crate::storage::Stats;
use std::time::Duration;
use windlass_core::client::{ListOptions, VersionMatch};

/// A list holds as many bytes at once for each of its seats.
const BYTES_A_SEAT: u64 = 100_000;
/// A list that comes from the cache is streamed: it never holds more at once.
const STREAMED: u64 = 1_000_000;
/// Watchers that one seat serves after a write, and for how long.
const WATCHERS_A_SEAT: usize = 10;
const EVENT: Duration = Duration::from_millis(5);
/// No write takes more seats, and no list.
const WRITE_SEATS: u32 = 10;
const LIST_SEATS: u32 = 100;

/// What is known of the work a request makes before it is done.
#[derive(Clone, Debug, Default)]
pub(crate) enum Work {
    /// One object is read.
    #[default]
    One,
    /// Many are.
    List(Listing),
    /// One is written, and so many hear of it.
    Write(usize),
    /// So many are written together, and so many hear of them.
    Writes(usize, usize),
}

/// What is read by a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listing {
    /// What there is.
    pub(crate) stats: Stats,
    /// At most so many; 0 for all.
    pub(crate) limit: u64,
    /// One is named.
    pub(crate) named: bool,
    /// It has selectors.
    pub(crate) selects: bool,
    /// It is answered from the cache.
    pub(crate) cached: bool,
}

// === impl Work ===

impl Work {
    /// The width of a request in a level of so many seats.
    pub(crate) fn width(&self, seats: u32) -> Width {
        // No request takes more than 15 percent of a level.
        let most = (seats * 15).div_ceil(100).max(1);
        match self {
            Self::One => Width::ONE,
            Self::List(listing) => {
                Width { seats: listing.seats(most.min(LIST_SEATS)), after: None }
            }
            Self::Write(watchers) => write(*watchers, most.min(WRITE_SEATS)),
            Self::Writes(count, watchers) => {
                let most = most.min(WRITE_SEATS);
                let seats = u32::try_from(*count).unwrap_or(u32::MAX).clamp(1, most);
                Width { seats, ..write(*watchers, most) }
            }
        }
    }
}

fn write(watchers: usize, most: u32) -> Width {
    if watchers < WATCHERS_A_SEAT {
        return Width::ONE;
    }
    let wanted = u32::try_from(watchers.div_ceil(WATCHERS_A_SEAT)).unwrap_or(u32::MAX);
    let seats = wanted.min(most);
    // Fewer seats have to work longer.
    Width { seats: 1, after: Some((seats, EVENT * wanted / seats)) }
}

// === impl Listing ===

impl Listing {
    /// What a list with these options reads.
    pub(crate) fn new(stats: Stats, options: &ListOptions, named: bool, watch: bool) -> Self {
        let exact = options.version_match == Some(VersionMatch::Exact);
        Self {
            stats,
            limit: options.limit,
            named,
            selects: !options.label_selector.is_empty() || !options.field_selector.is_empty(),
            cached: watch || (options.continue_token.is_empty() && !exact),
        }
    }

    fn seats(&self, most: u32) -> u32 {
        let Stats { objects, bytes } = self.stats;
        let limited = if self.limit > 0 { self.limit.min(objects) } else { objects };
        let held = match (self.named, self.cached || !self.selects) {
            (true, _) => 1,
            (false, true) => limited,
            (false, false) => limited.max(objects / 2),
        };
        let held = held.saturating_mul(bytes);
        let held = if self.cached { held.min(STREAMED) } else { held };
        u32::try_from(held.div_ceil(BYTES_A_SEAT)).unwrap_or(u32::MAX).clamp(1, most)
    }
}
