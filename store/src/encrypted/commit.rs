//! Transactions over sealed values.

use super::Encrypted;
use crate::{Commit, Committed, Error, KeyValue, Precondition, Read, Result, Txn};

/// How often a value that others write all the time is compared again.
const TRIES: usize = 16;

/// What became of the preconditions.
enum Pinned {
    /// The same ones, with values turned into revisions at which the key has them.
    All(Vec<Precondition>),
    /// Those before the first value that does not hold.
    Until(Vec<Precondition>),
}

// === impl Encrypted ===

impl<B: Read + Commit> Encrypted<B> {
    /// Two sealed values can't be compared: whoever asks for a value gets it compared here, and then pinned by
    /// its revision.
    pub(super) async fn commit_sealed(&self, txn: Txn) -> Result<Committed> {
        let ops = txn.ops.into_iter().map(|op| self.sealer().seal_op(op));
        let ops = ops.collect::<Result<Vec<_>>>()?;
        let mut tries = 0;
        let committed = loop {
            let refused = match self.pin(&txn.preconditions).await? {
                Pinned::All(preconditions) => {
                    let pinned = Txn { preconditions, ops: ops.clone() };
                    self.inner.commit(pinned).await
                }
                Pinned::Until(preconditions) => {
                    // One before it may be the first that does not hold.
                    let index = preconditions.len();
                    let earlier = self.inner.commit(Txn { preconditions, ops: Vec::new() }).await;
                    earlier.and(Err(Error::Precondition { index }))
                }
            };
            tries += 1;
            match refused {
                Err(Error::Precondition { index })
                    if tries < TRIES
                        && self.may_have_changed(&txn.preconditions, index).await? => {}
                result => break result?,
            }
        };
        self.open_previous(committed)
    }

    async fn pin(&self, preconditions: &[Precondition]) -> Result<Pinned> {
        let mut pinned = Vec::with_capacity(preconditions.len());
        for precondition in preconditions {
            let Precondition::Value(key, value) = precondition else {
                pinned.push(precondition.clone());
                continue;
            };
            match self.value(key).await? {
                Some(found) if found.value == *value => {
                    pinned.push(Precondition::ModRevision(key.clone(), found.mod_revision));
                }
                _ => return Ok(Pinned::Until(pinned)),
            }
        }
        Ok(Pinned::All(pinned))
    }

    /// Whether the precondition that was refused is about a value, which holds all the same: it was
    /// written again.
    async fn may_have_changed(&self, preconditions: &[Precondition], index: usize) -> Result<bool> {
        let Some(Precondition::Value(key, value)) = preconditions.get(index) else {
            return Ok(false);
        };
        Ok(self.value(key).await?.is_some_and(|found| found.value == *value))
    }

    async fn value(&self, key: &[u8]) -> Result<Option<KeyValue>> {
        // An empty key is refused with the rest of what makes no sense.
        if key.is_empty() { Ok(None) } else { self.get(key, None).await }
    }

    /// What stood there before may not open, though the commit happened.
    fn open_previous(&self, committed: Committed) -> Result<Committed> {
        let open = |kv: Option<KeyValue>| kv.map(|kv| self.sealer().open(kv)).transpose();
        let previous = committed.previous.into_iter().map(open).collect::<Result<_>>();
        let previous = previous.map_err(|error| {
            Error::Unavailable(format!("the commit happened, but of what was before: {error}"))
        })?;
        Ok(Committed { previous, ..committed })
    }
}
