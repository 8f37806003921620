//! What is too much.

use crate::scene::{Scene, everywhere, options, refused};
use crate::wire::*;
use tonic::Code;
use windlass_store::server::ServerOptions;

#[tokio::test]
async fn a_request_that_is_too_large_is_refused() {
    everywhere(async |scene| {
        let sized = |len: usize| PutRequest {
            key: "a".into(),
            value: vec![b'v'; len].into(),
            ..Default::default()
        };
        scene.kv.put(sized(1 << 20)).await.unwrap();
        let message = "etcdserver: request is too large";
        refused(scene.kv.put(sized((3 << 20) / 2)).await, Code::InvalidArgument, message);
        let many = txn(
            [],
            [sized(1 << 20).into(), PutRequest { key: "b".into(), ..sized(1 << 20) }.into()],
            [],
        );
        let Err(status) = scene.kv.txn(many).await else { panic!("it is refused") };
        let codes = [Code::InvalidArgument, Code::ResourceExhausted, Code::OutOfRange];
        assert!(codes.contains(&status.code()), "{status}");
        assert_eq!(scene.range(range("a", "")).await.kvs[0].version, 1);
    })
    .await;
}

#[tokio::test]
async fn a_stream_holds_so_many_watches_only() {
    let scene = Scene::start(false, ServerOptions { max_watches: 2, ..options() }).await;
    let mut watching = scene.watching().await;
    let watch = || WatchCreateRequest { key: "a".into(), ..Default::default() };
    for _ in 0..2 {
        assert!(!watching.create(watch()).await.canceled);
    }
    let third = watching.create(watch()).await;
    assert_eq!((third.watch_id, third.canceled), (-1, true));
}
