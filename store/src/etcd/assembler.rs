//! Making whole batches of what etcd sends in pieces. Without I/O.

use super::convert::{key_value, unsigned};
use crate::{Batch, Error, Event, Result, Revision};
use etcd_client::proto::{PbEvent, PbKeyValue};

/// etcd's type of an event that is not a put.
const DELETE: i32 = 1;

/// Collects the events of a watch over all keys. Every revision has an event, so that a missing one is noticed.
pub(super) struct Assembler {
    /// The last revision that was given out.
    at: Revision,
    /// Events of the one after it, of which more may come.
    held: Vec<Event>,
    held_at: Revision,
}

// === impl Assembler ===

impl Assembler {
    pub(super) fn after(at: Revision) -> Self {
        Self { at, held: Vec::new(), held_at: at }
    }

    /// Takes the events of a response; `more` says that the next one goes on where it ends.
    ///
    /// # Errors
    /// [`Error::Overrun`] when a revision is missing, [`Error::Compacted`] when an event lacks what was before.
    pub(super) fn take(&mut self, events: Vec<PbEvent>, more: bool) -> Result<Vec<Batch>> {
        let mut batches = Vec::new();
        for event in events {
            let at = event.kv.as_ref().map_or(0, |kv| unsigned(kv.mod_revision));
            if at <= self.at {
                continue;
            }
            if at != self.held_at {
                batches.extend(self.release()?);
                self.held_at = at;
            }
            self.held.push(convert(event, at)?);
        }
        if !more {
            batches.extend(self.release()?);
        }
        Ok(batches)
    }

    fn release(&mut self) -> Result<Option<Batch>> {
        if self.held.is_empty() {
            return Ok(None);
        }
        if self.held_at != self.at + 1 {
            return Err(Error::Overrun { at: self.at });
        }
        self.at = self.held_at;
        let events = std::mem::take(&mut self.held).into();
        Ok(Some(Batch { revision: self.at, events }))
    }
}

fn convert(event: PbEvent, at: Revision) -> Result<Event> {
    let PbEvent { r#type, kv, prev_kv } = event;
    // What was before is gone when the revision before was compacted meanwhile.
    let compacted = || Error::Compacted { compacted: at - 1 };
    let previous = prev_kv.map(key_value);
    if r#type == DELETE {
        return Ok(Event::Delete { previous: previous.ok_or_else(compacted)? });
    }
    let now: PbKeyValue = kv.ok_or_else(compacted)?;
    if now.version > 1 && previous.is_none() {
        return Err(compacted());
    }
    Ok(Event::Put { now: key_value(now), previous })
}

#[cfg(test)]
mod tests;
