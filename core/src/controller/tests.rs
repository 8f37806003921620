use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Default)]
struct Flaky {
    calls: AtomicU32,
    fail_first: u32,
}

#[async_trait]
impl Reconciler for Arc<Flaky> {
    type Request = ObjectKey;
    type Error = String;

    async fn reconcile(&self, _: &ObjectKey) -> Result<Action, String> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if call < self.fail_first {
            Err("not yet".into())
        } else {
            Ok(Action::RequeueAfter(Duration::from_secs(60)))
        }
    }
}

async fn run_for(flaky: &Arc<Flaky>, time: Duration) -> u32 {
    let controller = Controller::new("test", flaky.clone()).workers(2);
    let shutdown = Shutdown::new();
    controller.queue().add(ObjectKey::new("a", "b"));
    let running = tokio::spawn(Box::new(controller).run(Ready::default(), shutdown.clone()));
    tokio::time::sleep(time).await;
    shutdown.cancel();
    running.await.expect("no panic").expect("stops cleanly");
    flaky.calls.load(Ordering::SeqCst)
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_until_they_succeed() {
    let flaky = Arc::new(Flaky { fail_first: 3, ..Flaky::default() });
    assert_eq!(run_for(&flaky, Duration::from_secs(1)).await, 4);
}

#[tokio::test(start_paused = true)]
async fn requests_come_back_when_asked() {
    let flaky = Arc::new(Flaky::default());
    assert_eq!(run_for(&flaky, Duration::from_secs(130)).await, 3);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_before_caches_are_complete() {
    let flaky = Arc::new(Flaky::default());
    let cache = Ready::default();
    let controller = Controller::new("test", flaky.clone()).after(cache.clone());
    controller.queue().add(ObjectKey::new("a", "b"));
    let (ready, shutdown) = (Ready::default(), Shutdown::new());
    let running = tokio::spawn(Box::new(controller).run(ready.clone(), shutdown.clone()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!ready.is_set() && flaky.calls.load(Ordering::SeqCst) == 0);
    cache.set();
    ready.wait().await;
    shutdown.cancel();
    running.await.expect("no panic").expect("stops cleanly");
}

mod sources;
