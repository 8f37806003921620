//! Who is waiting to hear how far the watches of a stream have come.

use crate::Revision;

/// Requests for the progress of a whole stream. It is answered when every watch was brought everything up to
/// the revision at which it was asked.
#[derive(Default)]
pub(super) struct Asked {
    first: Option<Revision>,
    /// Asked again in the meantime.
    again: Option<Revision>,
}

// === impl Asked ===

impl Asked {
    pub(super) fn ask(&mut self, at: Revision) {
        match self.first {
            None => self.first = Some(at),
            Some(_) => self.again = Some(at),
        }
    }

    /// The revision to report, given those that each watch has come to.
    pub(super) fn answer(&mut self, all: impl Iterator<Item = Revision>) -> Option<Revision> {
        let first = self.first?;
        let reached = all.min()?;
        if reached < first {
            return None;
        }
        self.first = self.again.take().filter(|again| *again > reached);
        Some(reached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_watch_decides() {
        let mut asked = Asked::default();
        assert_eq!(asked.answer([9].into_iter()), None, "nobody asked");
        asked.ask(5);
        assert_eq!(asked.answer([9, 4].into_iter()), None);
        assert_eq!(asked.answer([9, 6].into_iter()), Some(6));
        assert_eq!(asked.answer([9, 9].into_iter()), None, "answered once");
    }

    #[test]
    fn a_second_request_does_not_put_off_the_first() {
        let mut asked = Asked::default();
        asked.ask(5);
        asked.ask(8);
        assert_eq!(asked.answer([6].into_iter()), Some(6));
        assert_eq!(asked.answer([7].into_iter()), None);
        assert_eq!(asked.answer([8].into_iter()), Some(8));
        asked.ask(9);
        asked.ask(10);
        assert_eq!(asked.answer([12].into_iter()), Some(12), "one answer for both");
        assert_eq!(asked.answer([12].into_iter()), None);
    }
}
