//! The end of a store, wanted or not.

use crate::common::{open, put, within};
use futures::StreamExt;
use futures::future::join_all;
use windlass_store::{
    Embedded, EmbeddedOptions, Error, KeyRange, Log, Read, Record, Result, Revision, Watch,
};

/// A log with a mistake in it.
struct Panicking;

impl Log for Panicking {
    fn append(&mut self, _: &[Record]) -> Result<()> {
        panic!("a mistake, made on purpose")
    }

    fn replay(&mut self, _: Revision, _: &mut dyn FnMut(Record) -> Result<()>) -> Result<()> {
        Ok(())
    }

    fn truncate(&mut self, _: Revision) -> Result<()> {
        Ok(())
    }
}

/// Many who close at once all wait for the end, and then the directory is free.
#[tokio::test]
async fn many_may_close_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut watch = store.watch(KeyRange::all(), 1).await.unwrap();
    let writes = join_all((0..50).map(|i| put(&store, if i % 2 == 0 { "a" } else { "b" }, "")));
    let closes = join_all((0..5).map(|_| async {
        store.close().await.unwrap();
        drop(open(dir.path()));
    }));
    let (written, _) = within(futures::future::join(writes, closes)).await;
    assert!(written.into_iter().all(|result| result.is_ok()), "they came before the end");
    assert_eq!(within(watch.by_ref().count()).await, 50);
    within(store.close()).await.unwrap();
    assert_eq!(open(dir.path()).current_revision().await.unwrap(), 51);
}

/// When the thread that writes panics, nobody waits for ever: streams end, everything answers.
#[tokio::test]
async fn a_panic_of_the_writer_closes_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions::new(dir.path());
    let store = Embedded::open_with(options, Box::new(Panicking)).unwrap();
    let mut watch = store.watch(KeyRange::all(), 1).await.unwrap();
    let writes = join_all((0..50).map(|_| put(&store, "a", "")));
    for result in within(writes).await {
        assert!(matches!(result, Err(Error::Closed)), "{result:?}");
    }
    assert!(within(watch.next()).await.is_none());
    assert!(matches!(store.current_revision().await, Err(Error::Closed)));
    assert!(matches!(store.get(b"a", None).await, Err(Error::Closed)));
    assert!(matches!(store.watch(KeyRange::all(), 1).await.err(), Some(Error::Closed)));
    assert!(matches!(within(store.close()).await, Err(Error::Closed)));
    drop(open(dir.path()));
}
