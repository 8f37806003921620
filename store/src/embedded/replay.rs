//! From the log back to the state.

use super::EmbeddedOptions;
use super::log::{Log, Record};
use crate::mvcc::{LeaseChange, Pending, State};
use crate::{Error, Op, Result, Revision, Txn};
use tokio::time::Instant;

/// Brings the state up to the end of the log. How many bytes that took.
pub(super) fn replay(
    log: &mut dyn Log,
    state: &mut State,
    options: &EmbeddedOptions,
) -> Result<u64> {
    let mut bytes = 0;
    log.replay(state.revision() + 1, &mut |record| {
        bytes += record.weight() as u64;
        let before = state.revision();
        apply(record, state).map_err(|reason| {
            let (file, offset) = (options.dir.display().to_string(), 0);
            let reason = format!("the log after revision {before}: {reason}");
            Error::Corrupt { file, offset, reason }
        })
    })?;
    // Nobody could keep them alive meanwhile.
    state.leases_mut().start_again(Instant::now());
    Ok(bytes)
}

fn apply(record: Record, state: &mut State) -> std::result::Result<(), String> {
    match record {
        Record::Commit { revision, ops } => commit(revision, ops, state),
        // One that was noted before what is left of the log began.
        Record::Compact { up_to } if up_to > state.revision() => Ok(()),
        Record::Compact { up_to } => {
            state.compact(up_to).map_err(|error| error.to_string())?;
            state.forget(usize::MAX);
            Ok(())
        }
        Record::Grant { after, id, ttl } => {
            lease(LeaseChange::granted(after, id, ttl, Instant::now()), state)
        }
        Record::Revoke { after, id } => lease(LeaseChange { after, id, grant: None }, state),
    }
}

fn commit(revision: Revision, ops: Vec<Op>, state: &mut State) -> std::result::Result<(), String> {
    let mut group = Pending::after(state.revision());
    let staged = group.stage(state, Txn { preconditions: Vec::new(), ops });
    let committed = staged.map_err(|error| error.to_string())?;
    if committed.revision != revision || group.batches().is_empty() {
        return Err(format!("it gives revision {revision}"));
    }
    state.apply_group(&group);
    Ok(())
}

/// A snapshot may hold what leases did just after its last commit: doing that again changes nothing.
fn lease(change: LeaseChange, state: &mut State) -> std::result::Result<(), String> {
    if change.after < state.revision() {
        return Ok(());
    }
    if change.after > state.revision() {
        return Err(format!("lease {:x} changes after revision {}", change.id, change.after));
    }
    if change.grant.is_none() && state.leases().keys(change.id, None).next().is_some() {
        return Err(format!("lease {:x} ends and leaves keys", change.id));
    }
    state.apply_lease(&change);
    Ok(())
}
