mod server;

use super::*;
use crate::client::{ClientExt, WriteOptions};
use crate::error::Error;
use serde_json::{Value, json};
use server::Server;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// No test waits longer, in virtual time.
const DEADLINE: Duration = Duration::from_secs(300);

/// A candidate that leads until it is told to stop.
struct Candidate {
    led: Option<oneshot::Receiver<Instant>>,
    running: JoinHandle<Result<Option<()>, Lost>>,
    shutdown: Shutdown,
    client: Arc<dyn Client>,
}

fn candidate(server: &Arc<Server>, identity: &str, seed: u64) -> Candidate {
    let client: Arc<dyn Client> = Arc::new(server.client());
    let elector = LeaderElector::new(client, Env::simulated(seed), "kube-system", "lock", identity);
    let (client, shutdown, (tell, led)) = (elector.fenced(), Shutdown::new(), oneshot::channel());
    let stop = shutdown.clone();
    let lead = async move |shutdown: Shutdown| {
        tell.send(Instant::now()).ok();
        shutdown.cancelled().await;
    };
    let running = tokio::spawn(async move { elector.run(&stop, lead).await });
    Candidate { led: Some(led), running, shutdown, client }
}

impl Candidate {
    async fn leads(&mut self) -> Instant {
        let led = self.led.take().expect("asked once");
        tokio::time::timeout(DEADLINE, led).await.expect("in time").expect("it leads")
    }

    async fn write(&self) -> crate::Result<()> {
        let key = Key::new(LEASES, "kube-system", "other");
        let options = WriteOptions::default();
        self.client
            .create(&key, json!({"metadata": {}}).to_string().into(), &options)
            .await
            .map(drop)
    }

    async fn ended(self) -> Result<Option<()>, Lost> {
        tokio::time::timeout(DEADLINE, self.running).await.expect("in time").expect("no panic")
    }
}

async fn spec(server: &Arc<Server>) -> Value {
    let key = Key::new(LEASES, "kube-system", "lock");
    server.client().get_as::<Value>(&key).await.expect("a lease")["spec"].clone()
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_hands_over_when_it_stops() {
    let server = Server::new();
    let mut first = candidate(&server, "a", 1);
    first.leads().await;
    let mut second = candidate(&server, "b", 2);
    sleep(Duration::from_secs(120)).await;
    assert!(second.led.as_mut().expect("not asked").try_recv().is_err(), "one leads already");
    assert!(matches!(second.write().await, Err(Error::NotLeader)));
    first.write().await.expect("the leader writes");
    let before = Instant::now();
    first.shutdown.cancel();
    assert_eq!(first.ended().await, Ok(Some(())));
    assert!(second.leads().await - before < Duration::from_secs(1), "it was told at once");
    let spec = spec(&server).await;
    assert_eq!((&spec["holderIdentity"], &spec["leaseTransitions"]), (&json!("b"), &json!(1)));
    second.write().await.expect("the leader writes");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_stops_before_another_starts() {
    let server = Server::new();
    let mut first = candidate(&server, "a", 1);
    first.leads().await;
    let mut second = candidate(&server, "b", 2);
    sleep(Duration::from_secs(30)).await;
    server.cut_off("a");
    let (cut, old) = (Instant::now(), first.client.clone());
    assert_eq!(first.ended().await, Err(Lost::Late("kube-system/lock".into())));
    let stopped = Instant::now();
    let started = second.leads().await;
    assert!(stopped - cut <= Duration::from_secs(13), "{:?}", stopped - cut);
    assert!(started > stopped && started - cut <= Duration::from_secs(20), "{:?}", started - cut);
    server.heal();
    let key = Key::new(LEASES, "kube-system", "other");
    let late = old.delete(&key, &crate::client::DeleteOptions::default()).await;
    assert!(matches!(late, Err(Error::NotLeader)), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stood_still_writes_nothing() {
    let server = Server::new();
    let mut first = candidate(&server, "a", 1);
    first.leads().await;
    // The machine's time goes on while nothing of the process runs: no timer, no renewal.
    tokio::time::advance(Duration::from_secs(11)).await;
    assert!(matches!(first.write().await, Err(Error::NotLeader)));
    assert_eq!(first.ended().await, Err(Lost::Late("kube-system/lock".into())));
}

#[tokio::test(start_paused = true)]
async fn a_write_under_way_is_given_up_with_the_lease() {
    let server = Server::new();
    let mut first = candidate(&server, "a", 1);
    first.leads().await;
    server.cut_off("a");
    let (client, key) = (first.client.clone(), Key::new(LEASES, "kube-system", "other"));
    server.hang(true);
    let write =
        tokio::spawn(
            async move { client.create(&key, "{}".into(), &WriteOptions::default()).await },
        );
    assert!(matches!(first.ended().await, Err(Lost::Late(_))));
    server.hang(false);
    assert!(matches!(write.await.expect("no panic"), Err(Error::NotLeader)));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_others_touch_is_kept_and_one_that_is_taken_is_lost() {
    let server = Server::new();
    let mut first = candidate(&server, "a", 1);
    first.leads().await;
    server.edit(|lease| lease["metadata"]["labels"] = json!({"seen": "yes"}));
    sleep(Duration::from_secs(30)).await;
    first.write().await.expect("it still leads");
    server.edit(|lease| lease["spec"]["holderIdentity"] = json!("thief"));
    let taken = Lost::Taken { lease: "kube-system/lock".into(), holder: "thief".into() };
    assert_eq!(first.ended().await, Err(taken));
}

#[tokio::test(start_paused = true)]
async fn of_many_candidates_one_leads() {
    let server = Server::new();
    let candidates: Vec<_> =
        (0..10).map(|number| candidate(&server, &format!("c{number}"), number)).collect();
    sleep(Duration::from_secs(60)).await;
    let mut leaders = 0;
    for candidate in &candidates {
        leaders += usize::from(candidate.write().await.is_ok());
    }
    assert_eq!(leaders, 1);
}

#[test]
fn times_must_fit_together() {
    let seconds = |[lease, renew, retry]: [u64; 3]| Timing {
        lease_duration: Duration::from_secs(lease),
        renew_deadline: Duration::from_secs(renew),
        retry_period: Duration::from_secs(retry),
    };
    assert!(seconds([15, 10, 2]).check().is_ok());
    for bad in [[10, 10, 2], [15, 2, 2], [15, 10, 0], [0, 0, 0]] {
        assert!(seconds(bad).check().is_err(), "{bad:?}");
    }
}
