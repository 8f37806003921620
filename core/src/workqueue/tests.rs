use super::*;
use futures::FutureExt;
use std::sync::Arc;

fn ready<K: Hash + Eq + Clone>(queue: &WorkQueue<K>) -> Option<K> {
    queue.next().now_or_never().flatten()
}

#[tokio::test(start_paused = true)]
async fn a_key_waits_once() {
    let queue = WorkQueue::default();
    queue.add("a");
    queue.add("a");
    queue.add("b");
    assert_eq!((ready(&queue), ready(&queue), ready(&queue)), (Some("a"), Some("b"), None));
}

#[tokio::test(start_paused = true)]
async fn a_key_in_work_comes_again_after_it_is_done() {
    let queue = WorkQueue::default();
    queue.add("a");
    assert_eq!(ready(&queue), Some("a"));
    queue.add("a");
    assert_eq!(ready(&queue), None);
    queue.done(&"a");
    assert_eq!(ready(&queue), Some("a"));
    queue.done(&"a");
    assert_eq!(ready(&queue), None);
}

#[tokio::test(start_paused = true)]
async fn failures_wait_longer_each_time() {
    let queue =
        WorkQueue::new(Backoff { first: Duration::from_secs(1), max: Duration::from_secs(5) });
    let start = Instant::now();
    for expected in [1, 3, 7, 12] {
        queue.add_rate_limited("a");
        assert_eq!(queue.next().await, Some("a"));
        assert_eq!(start.elapsed(), Duration::from_secs(expected));
        queue.done(&"a");
    }
    queue.forget(&"a");
    queue.add_rate_limited("a");
    queue.next().await;
    assert_eq!(start.elapsed(), Duration::from_secs(13));
}

#[tokio::test(start_paused = true)]
async fn the_earlier_of_two_delays_counts_and_an_add_beats_both() {
    let queue = WorkQueue::default();
    let start = Instant::now();
    queue.add_after("a", Duration::from_secs(9));
    queue.add_after("a", Duration::from_secs(4));
    queue.add_after("a", Duration::from_secs(6));
    assert_eq!(queue.next().await, Some("a"));
    assert_eq!(start.elapsed(), Duration::from_secs(4));
    queue.done(&"a");
    queue.add_after("a", Duration::from_secs(4));
    queue.add("a");
    assert_eq!(ready(&queue), Some("a"));
    queue.done(&"a");
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), queue.next()).await.ok(), None);
}

#[tokio::test(start_paused = true)]
async fn closing_wakes_every_worker() {
    let queue = Arc::new(WorkQueue::<u8>::default());
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.next().await })
        })
        .collect();
    tokio::task::yield_now().await;
    queue.close();
    for worker in workers {
        assert_eq!(worker.await.expect("no panic"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_delayed_key_does_not_wait_for_the_worker_that_watched_the_clock() {
    let queue = Arc::new(WorkQueue::<&str>::default());
    let start = Instant::now();
    let (sender, mut worked) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..2 {
        let (queue, sender) = (queue.clone(), sender.clone());
        tokio::spawn(async move {
            while let Some(key) = queue.next().await {
                sender.send((key, start.elapsed())).expect("the test listens");
                tokio::time::sleep(Duration::from_secs(100)).await;
                queue.done(&key);
            }
        });
        tokio::task::yield_now().await;
    }
    queue.add_after("late", Duration::from_secs(10));
    tokio::task::yield_now().await;
    queue.add("now");
    queue.add("now");
    assert_eq!(worked.recv().await, Some(("now", Duration::ZERO)));
    assert_eq!(worked.recv().await, Some(("late", Duration::from_secs(10))));
    queue.close();
}

#[tokio::test(start_paused = true)]
async fn a_burst_gives_its_memory_back() {
    let queue = WorkQueue::default();
    (0..100 * ROOM).for_each(|key| queue.add(key));
    for _ in 0..100 * ROOM {
        let key = queue.next().await.expect("they wait");
        queue.done(&key);
    }
    let state = queue.state.lock();
    assert!(state.dirty.capacity() < 4 * ROOM && state.ready.capacity() < 4 * ROOM);
}

#[tokio::test(start_paused = true)]
async fn one_noisy_key_starves_no_other() {
    let queue = WorkQueue::default();
    queue.add(0);
    let (mut turns, mut late) = (vec![], 1..=4);
    while turns.len() < 10 {
        let key = ready(&queue).expect("the noisy one waits at least");
        // It is added again and again, also while it is worked on; others come one by one.
        (0..100).for_each(|_| queue.add(0));
        late.next().into_iter().for_each(|other| queue.add(other));
        late.next().into_iter().for_each(|other| queue.add(other));
        queue.done(&key);
        turns.push(key);
    }
    assert_eq!(turns, [0, 1, 2, 0, 3, 4, 0, 0, 0, 0], "everyone in his turn");
}
