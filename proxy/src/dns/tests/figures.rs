//! How many questions the server answers, and how fast:
//! `cargo test --release -p windlass-proxy --lib dns::tests::figures -- --ignored --nocapture`

use std::net::UdpSocket as Blocking;
use std::time::{Duration, Instant};

use super::served::{question, serve};
use super::*;

const CLIENTS: usize = 4;
/// Questions that each client has on their way.
const WINDOW: u16 = 16;
const ROUNDS: usize = 4_000;

/// The time the calling thread has spent on a processor.
fn busy() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// Asks in windows; how long each answer took.
fn ask_many(
    server: SocketAddr,
    name: &str,
    rounds: usize,
    pace: Option<Duration>,
) -> Vec<Duration> {
    let socket = Blocking::bind("127.0.0.1:0").unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut bytes = question(name, RecordType::A).to_vec().unwrap();
    let mut took = Vec::with_capacity(rounds * usize::from(WINDOW));
    let (mut sent, mut buffer) = ([Instant::now(); WINDOW as usize], [0; 512]);
    let began = Instant::now();
    for round in 0..rounds {
        if let Some(pace) = pace {
            std::thread::sleep((pace * round as u32).saturating_sub(began.elapsed()));
        }
        for id in 0..WINDOW {
            bytes[..2].copy_from_slice(&id.to_be_bytes());
            sent[usize::from(id)] = Instant::now();
            socket.send(&bytes).unwrap();
        }
        for _ in 0..WINDOW {
            let length = socket.recv(&mut buffer).expect("an answer");
            assert!(length > 40 && buffer[3] & 15 == 0, "an answer without error");
            took.push(sent[usize::from(u16::from_be_bytes([buffer[0], buffer[1]]))].elapsed());
        }
    }
    took
}

/// All clients at once; prints what came of it.
async fn load(server: SocketAddr, what: &str, pace: Option<Duration>) {
    let (began, busy_before) = (Instant::now(), busy());
    let ask = |_| {
        tokio::task::spawn_blocking(move || {
            ask_many(server, "web.shop.svc.cluster.local.", ROUNDS, pace)
        })
    };
    let all = futures::future::join_all((0..CLIENTS).map(ask)).await;
    let (wall, server_busy) = (began.elapsed(), busy() - busy_before);
    let mut took: Vec<Duration> = all.into_iter().flat_map(Result::unwrap).collect();
    took.sort_unstable();
    let count = took.len();
    println!(
        "{what}: {:.0} questions/s, median {:.0?}, p99 {:.0?}; the server's thread spent {:.1} µs on each",
        count as f64 / wall.as_secs_f64(),
        took[count / 2],
        took[count * 99 / 100],
        server_busy.as_secs_f64() * 1e6 / count as f64,
    );
}

#[tokio::test]
#[ignore = "prints figures"]
async fn figures() {
    let served = serve(catalog(), Vec::new()).await;
    load(served.address, "as fast as it goes", None).await;
    // Half of 100,000/s.
    let pace = Duration::from_secs_f64((CLIENTS * usize::from(WINDOW)) as f64 / 50_000.0);
    load(served.address, "at 50,000/s", Some(pace)).await;
}
