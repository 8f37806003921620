//! What admission has to say about a request beside yes and no: annotations for the audit log, and warnings that
//! reach the client even with a refusal. Kept with the task that works on the request, as Kubernetes keeps them in
//! its context: between the plugins and the answer lie transactions, collections and retries.

use std::cell::RefCell;
use std::collections::BTreeMap;

tokio::task_local! {
    static NOTES: RefCell<Notes>;
}

/// What was noted.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// For the audit log, by key.
    pub(crate) annotations: BTreeMap<String, String>,
    /// For the client, beside a refusal.
    pub(crate) warnings: Vec<String>,
}

/// Does some work, and tells what was noted meanwhile.
pub(crate) async fn collect<T>(work: impl Future<Output = T>) -> (T, Notes) {
    let noting = async {
        let output = work.await;
        (output, NOTES.with(RefCell::take))
    };
    NOTES.scope(RefCell::default(), noting).await
}

/// Adds to the notes. Where nobody collects them nobody wants them: they are dropped.
pub(super) fn add(
    annotations: impl IntoIterator<Item = (String, String)>,
    warnings: impl IntoIterator<Item = String>,
) {
    let noted = NOTES.try_with(|notes| {
        let mut notes = notes.borrow_mut();
        notes.annotations.extend(annotations);
        notes.warnings.extend(warnings);
    });
    if noted.is_err() {
        tracing::trace!("admission has notes of a request that nobody records");
    }
}
