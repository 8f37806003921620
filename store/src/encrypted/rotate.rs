//! Sealing everything anew.

use super::Encrypted;
use crate::{
    Commit, Compact, Error, KeyRange, KeyValue, Op, Precondition, Read, Result, Revision, Txn,
};
use bytes::Bytes;

/// So many keys are looked at in one go.
const PAGE: usize = 256;
/// A batch has no more bytes than this, but for a single value that is longer.
const BATCH_BYTES: usize = 4 << 20;
/// How often one key that others write all the time is tried.
const TRIES: usize = 64;

/// How far a rotation has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Keys that were looked at.
    pub seen: u64,
    /// Values that were sealed anew.
    pub resealed: u64,
    /// The last key that was looked at.
    pub last: Option<Bytes>,
    /// The last commit of the rotation.
    revision: Revision,
}

// === impl Encrypted ===

impl<B: Read + Commit + Compact> Encrypted<B> {
    /// Seals all values with the first key that are not, in batches, each only if nobody writes in
    /// between; then forgets history, in which the old ones are. When it returns, the other keys can be dropped.
    ///
    /// It may run beside everything else, and be broken off and begun again: what is sealed with the first key is
    /// passed over. Watchers see the values written once more; one that starts before the end of it
    /// gets [`Error::Compacted`]. `progress` is told after each batch.
    ///
    /// # Errors
    /// [`Error::Sealed`] for a value that does not open: mend or delete it, and begin again. Those of reading and
    /// writing.
    pub async fn rotate(&self, mut progress: impl FnMut(&Rotation) + Send) -> Result<Rotation> {
        let mut rotation = Rotation::default();
        let mut last_resealed = None;
        loop {
            let start = rotation.last.as_ref().map_or(Bytes::new(), after);
            let range = KeyRange { start, end: None };
            let page = self.inner.range(&range, PAGE, None).await?.items;
            let Some(last) = page.last() else { break };
            let last = last.key.clone();
            rotation.seen += page.len() as u64;
            let old = page.into_iter().filter(|kv| !self.sealer().is_current(&kv.value));
            for batch in batches(old) {
                last_resealed = batch.last().map(|kv| kv.key.clone());
                self.reseal(batch, &mut rotation).await?;
            }
            rotation.last = Some(last);
            progress(&rotation);
        }
        if let Some(key) = last_resealed {
            self.forget_history(&key, rotation.revision).await?;
        }
        Ok(rotation)
    }

    async fn reseal(&self, batch: Vec<KeyValue>, rotation: &mut Rotation) -> Result<()> {
        let count = batch.len() as u64;
        match self.inner.commit(self.resealing(&batch)?).await {
            Ok(committed) => {
                rotation.resealed += count;
                rotation.revision = committed.revision;
            }
            // Somebody was quicker with one of them.
            Err(Error::Precondition { .. } | Error::LeaseNotFound { .. }) => {
                for kv in batch {
                    self.reseal_one(&kv.key, rotation, |value| !self.sealer().is_current(value))
                        .await?;
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The transaction that seals these anew if none of them has changed.
    fn resealing(&self, batch: &[KeyValue]) -> Result<Txn> {
        let mut txn = Txn::new();
        for kv in batch {
            let opened = self.sealer().open(kv.clone())?;
            let value = self.sealer().seal(&kv.key, &opened.value)?;
            let unchanged = Precondition::ModRevision(kv.key.clone(), kv.mod_revision);
            txn = txn.when(unchanged);
            txn.ops.push(Op::Put { key: kv.key.clone(), value, lease: kv.lease });
        }
        Ok(txn)
    }

    async fn reseal_one(
        &self,
        key: &Bytes,
        rotation: &mut Rotation,
        is_due: impl Fn(&[u8]) -> bool,
    ) -> Result<()> {
        for _ in 0..TRIES {
            let found = self.inner.get(key, None).await?;
            let Some(kv) = found.filter(|kv| is_due(&kv.value)) else { return Ok(()) };
            match self.inner.commit(self.resealing(std::slice::from_ref(&kv))?).await {
                Ok(committed) => {
                    rotation.resealed += 1;
                    rotation.revision = committed.revision;
                    return Ok(());
                }
                Err(Error::Precondition { .. } | Error::LeaseNotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Unavailable(format!("others write {key:?} all the time")))
    }

    /// The last commit tells what was there before it, which an old key sealed, and the current revision can't be
    /// forgotten. So there is one more, of a value that is sealed with the first key already.
    async fn forget_history(&self, key: &Bytes, last: Revision) -> Result<()> {
        self.reseal_one(key, &mut Rotation::default(), |_| true).await?;
        if self.inner.current_revision().await? > last {
            self.inner.compact(last).await?;
        }
        Ok(())
    }
}

/// The first key after `key`.
fn after(key: &Bytes) -> Bytes {
    [&key[..], &[0]].concat().into()
}

fn batches(values: impl Iterator<Item = KeyValue>) -> Vec<Vec<KeyValue>> {
    let mut batches: Vec<Vec<KeyValue>> = Vec::new();
    let mut bytes = usize::MAX;
    for kv in values {
        bytes = bytes.saturating_add(kv.key.len() + kv.value.len());
        match batches.last_mut() {
            Some(batch) if bytes <= BATCH_BYTES => batch.push(kv),
            _ => {
                bytes = kv.key.len() + kv.value.len();
                batches.push(vec![kv]);
            }
        }
    }
    batches
}
