//! Watching.

use crate::scene::{Scene, everywhere, options, ours};
use crate::wire::watch_create_request::FilterType;
use crate::wire::watch_request::RequestUnion;
use crate::wire::*;
use windlass_store::server::ServerOptions;

fn watch(key: &'static str, end: &'static str) -> WatchCreateRequest {
    WatchCreateRequest { key: key.into(), range_end: end.into(), ..Default::default() }
}

async fn cancel(watching: &crate::scene::Watching, watch_id: i64) {
    watching.send(RequestUnion::CancelRequest(WatchCancelRequest { watch_id })).await;
}

#[tokio::test]
async fn a_watch_tells_what_happens_from_now_on() {
    everywhere(async |scene| {
        scene.put("a", "0").await; // 2
        let mut watching = scene.watching().await;
        let created = watching.create(watch("a", "c")).await;
        assert_eq!((created.watch_id, revision(&created.header), created.canceled), (0, 2, false));
        scene.put("a", "1").await; // 3
        scene.put("z", "1").await;
        scene.kv.delete_range(delete("a", "")).await.unwrap(); // 5
        let put = watching.next().await;
        assert_eq!((short_events(&put.events), revision(&put.header)), ("+a=1".into(), 3));
        let kv = put.events[0].kv.as_ref().unwrap();
        assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (2, 3, 2));
        let gone = watching.next().await;
        assert_eq!((short_events(&gone.events), revision(&gone.header)), ("-a".into(), 5));
        let kv = gone.events[0].kv.as_ref().unwrap();
        assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (0, 5, 0));
    })
    .await;
}

#[tokio::test]
async fn a_watch_begins_where_it_is_asked_to() {
    everywhere(async |scene| {
        for value in ["1", "2", "3"] {
            scene.put("a", value).await;
        }
        let from = |start_revision| WatchCreateRequest { start_revision, ..watch("a", "") };
        let mut past = scene.watching().await;
        past.create(from(3)).await;
        let mut seen = Vec::new();
        while seen.len() < 2 {
            seen.extend(past.next().await.events);
        }
        assert_eq!(short_events(&seen), "+a=2 +a=3");
        let mut future = scene.watching().await;
        future.create(from(6)).await;
        scene.put("a", "5").await;
        scene.put("a", "6").await;
        assert_eq!(future.events().await, "+a=6");
    })
    .await;
}

#[tokio::test]
async fn the_compacted_past_can_not_be_watched() {
    everywhere(async |scene| {
        for value in ["1", "2", "3"] {
            scene.put("a", value).await;
        }
        scene.compact(4).await.unwrap();
        let mut watching = scene.watching().await;
        let from = |start_revision| WatchCreateRequest { start_revision, ..watch("a", "") };
        let created = watching.create(from(2)).await;
        assert!(!created.canceled);
        let ended = watching.next().await;
        assert_eq!((ended.watch_id, ended.canceled, ended.compact_revision), (0, true, 4));
        watching.create(from(4)).await;
        assert_eq!(watching.events().await, "+a=3", "from the compacted revision itself it can");
    })
    .await;
    // An etcd before 3.4.24 took it for now.
    ours(async |scene| {
        let mut watching = scene.watching().await;
        let before = WatchCreateRequest { start_revision: -1, ..watch("a", "") };
        let negative = watching.create(before).await;
        assert_eq!((negative.watch_id, negative.canceled), (-1, true));
    })
    .await;
}

#[tokio::test]
async fn what_stood_there_before_comes_along_if_asked_for() {
    everywhere(async |scene| {
        let mut watching = scene.watching().await;
        watching.create(WatchCreateRequest { prev_kv: true, ..watch("a", "") }).await;
        scene.put("a", "1").await;
        scene.put("a", "2").await;
        scene.kv.delete_range(delete("a", "")).await.unwrap();
        for expected in ["+a=1", "+a=2[1]", "-a[2]"] {
            assert_eq!(watching.events().await, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn filters_leave_events_out() {
    everywhere(async |scene| {
        let filtered = |filter: FilterType, watch_id| WatchCreateRequest {
            filters: vec![filter.into()],
            watch_id,
            ..watch("a", "z")
        };
        let mut no_puts = scene.watching().await;
        no_puts.create(filtered(FilterType::Noput, 1)).await;
        let mut no_deletes = scene.watching().await;
        no_deletes.create(filtered(FilterType::Nodelete, 1)).await;
        scene.put("a", "1").await;
        scene.txn(txn([], [delete("a", "").into(), put("b", "1").into()], [])).await;
        assert_eq!(no_puts.events().await, "-a");
        assert_eq!(no_deletes.events().await, "+a=1");
        assert_eq!(no_deletes.events().await, "+b=1");
    })
    .await;
}

#[tokio::test]
async fn a_transaction_comes_in_one_piece() {
    everywhere(async |scene| {
        let mut watching = scene.watching().await;
        watching.create(watch("a", "z")).await;
        let puts = [put("a", "1").into(), put("b", "1").into(), put("c", "1").into()];
        scene.txn(txn([], puts, [])).await;
        assert_eq!(watching.events().await, "+a=1 +b=1 +c=1");
    })
    .await;
}

#[tokio::test]
async fn one_stream_holds_many_watches() {
    everywhere(async |scene| {
        let mut watching = scene.watching().await;
        assert_eq!(watching.create(watch("a", "")).await.watch_id, 0);
        let named = || WatchCreateRequest { watch_id: 7, ..watch("b", "") };
        assert_eq!(watching.create(named()).await.watch_id, 7);
        assert_eq!(watching.create(watch("c", "")).await.watch_id, 1);
        let twice = watching.create(named()).await;
        assert_eq!((twice.watch_id, twice.canceled), (-1, true));
        assert_eq!(twice.cancel_reason, "mvcc: duplicate watch ID provided on the WatchStream");
        scene.put("b", "1").await;
        let event = watching.next().await;
        assert_eq!((event.watch_id, short_events(&event.events)), (7, "+b=1".into()));

        cancel(&watching, 7).await;
        let ended = watching.next().await;
        assert_eq!((ended.watch_id, ended.canceled, ended.created), (7, true, false));
        cancel(&watching, 7).await; // Not there any more: no answer.
        scene.put("b", "2").await;
        scene.put("c", "1").await;
        let event = watching.next().await;
        assert_eq!((event.watch_id, short_events(&event.events)), (1, "+c=1".into()));
        assert_eq!(watching.create(named()).await.watch_id, 7, "the name is free again");
    })
    .await;
}

#[tokio::test]
async fn an_empty_range_and_no_key() {
    everywhere(async |scene| {
        let mut watching = scene.watching().await;
        let empty = watching.create(watch("b", "a")).await;
        assert_eq!((empty.watch_id, empty.canceled), (-1, true));
        watching.create(watch("", "\0")).await;
        scene.put("a", "1").await;
        assert_eq!(watching.events().await, "+a=1", "no key and an open end: everything");
    })
    .await;
}

#[tokio::test]
async fn progress_is_told_on_request() {
    ours(async |scene| {
        let mut watching = scene.watching().await;
        let ask = || RequestUnion::ProgressRequest(WatchProgressRequest {});
        watching.send(ask()).await; // No watch: no answer.
        watching.create(watch("a", "")).await;
        watching.create(watch("b", "")).await;
        scene.put("x", "1").await;
        scene.put("a", "1").await;
        watching.send(ask()).await;
        assert_eq!(watching.events().await, "+a=1");
        let progress = watching.next().await;
        assert_eq!((progress.watch_id, progress.events.len()), (-1, 0));
        assert_eq!(revision(&progress.header), 3);

        let future = WatchCreateRequest { start_revision: 9, ..watch("c", "") };
        watching.create(future).await;
        watching.send(ask()).await; // One has not begun: no answer.
        scene.put("b", "1").await;
        assert_eq!(watching.events().await, "+b=1");
    })
    .await;
}

#[tokio::test]
async fn progress_is_told_from_time_to_time() {
    everywhere(async |scene| {
        let mut watching = scene.watching().await;
        watching.create(WatchCreateRequest { progress_notify: true, ..watch("a", "") }).await;
        let at = scene.put("x", "1").await;
        let mut told = 0;
        while told < at {
            let progress = watching.next().await;
            assert_eq!((progress.watch_id, progress.events.len()), (0, 0));
            told = revision(&progress.header);
        }
        assert_eq!(told, at);
    })
    .await;
}

#[tokio::test]
async fn a_long_answer_comes_in_fragments_if_asked_for() {
    let options = ServerOptions { max_request_bytes: 2000, ..options() };
    let mut scene = Scene::start(false, options).await;
    let mut whole = scene.watching().await;
    whole.create(watch("k", "l")).await;
    let mut pieces = scene.watching().await;
    pieces.create(WatchCreateRequest { fragment: true, ..watch("k", "l") }).await;
    let store = scene.store.clone().unwrap();
    let txn = (0..10).fold(windlass_store::Txn::new(), |txn, n| {
        txn.put(format!("k{n}"), vec![b'v'; if n == 9 { 3000 } else { 600 }])
    });
    store.commit(txn).await.unwrap();
    assert_eq!(whole.next().await.events.len(), 10);
    let mut sizes = Vec::new();
    loop {
        let piece = pieces.next().await;
        assert_eq!(revision(&piece.header), 2);
        sizes.push(piece.events.len());
        if !piece.fragment {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 3, 1]);
    scene.put("k", "short").await;
    let piece = pieces.next().await;
    assert_eq!((piece.events.len(), piece.fragment), (1, false));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_and_told() {
    let limits = windlass_store::Limits { watch_batches: 8, ..Default::default() };
    let store = std::sync::Arc::new(windlass_store::Memory::with_limits(limits));
    let mut scene = Scene::over(store.clone()).await;
    let mut watching = scene.watching().await;
    watching.create(watch("a", "")).await;
    // More than a connection takes in without a reader, then more than waits for a watcher.
    for _ in 0..64 {
        let txn = windlass_store::Txn::new().put("a", vec![b'v'; 1 << 20]);
        windlass_store::Commit::commit(&*store, txn).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut seen = 0;
    let ended = loop {
        let response = watching.next().await;
        if response.canceled {
            break response;
        }
        seen += response.events.len();
    };
    assert!(seen < 64, "{seen}");
    assert!(ended.cancel_reason.contains("fell behind"), "{}", ended.cancel_reason);
    watching.create(watch("a", "")).await;
    scene.put("a", "again").await;
    assert_eq!(watching.events().await, "+a=again", "the stream goes on");
}

#[tokio::test]
async fn watches_end_when_the_server_does() {
    let mut scene = Scene::start(true, options()).await;
    let mut watching = scene.watching().await;
    watching.create(watch("a", "")).await;
    scene.begin_to_stop();
    let error = watching.next_result().await.expect_err("it ends");
    assert_eq!(error.code(), tonic::Code::Unavailable);
    scene.stop().await;
}
