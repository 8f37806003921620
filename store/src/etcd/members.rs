//! The members of the cluster, and which of them is asked.

use super::failure::Failure;
use super::options::{EtcdOptions, EtcdTls};
use crate::{Error, Result};
use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use parking_lot::Mutex;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout_at};

/// One that failed is left out for so long, if another is there.
const REST: Duration = Duration::from_secs(2);
/// Pause when all were tried in vain; each is twice the last.
const BACK_OFF: Duration = Duration::from_millis(20);
const MOST_BACK_OFF: Duration = Duration::from_millis(500);
/// A call that can be repeated gives a member this part of its deadline.
const TRIES: u32 = 3;

/// The members, asked in turns.
pub(super) struct Members {
    members: Vec<Member>,
    next: AtomicUsize,
    deadline: Duration,
}

struct Member {
    endpoint: String,
    options: ConnectOptions,
    client: OnceCell<Client>,
    rests_until: Mutex<Option<Instant>>,
}

/// Whether a call does the same when it is made twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    Harmless,
    Forbidden,
}

// === impl Members ===

impl Members {
    /// Connects to nobody yet.
    pub(super) fn new(options: &EtcdOptions) -> Result<Self> {
        if options.endpoints.is_empty() {
            return Err(Error::Invalid("no etcd endpoint is given".into()));
        }
        let connect = connect_options(options);
        let members = options.endpoints.iter().map(|endpoint| {
            let tls = tls_for(endpoint, options.tls.as_ref())?;
            let options = match tls {
                Some(tls) => connect.clone().with_tls(tls),
                None => connect.clone(),
            };
            Ok(Member::new(endpoint.clone(), options))
        });
        let members = members.collect::<Result<_>>()?;
        Ok(Self { members, next: AtomicUsize::new(0), deadline: options.deadline })
    }

    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Makes a call, on one member after the other until the deadline: as often as it fails when it may be
    /// repeated, else only as long as it was certainly not tried.
    pub(super) async fn call<T, F, R>(&self, repeat: Repeat, mut call: F) -> Result<T, Failure>
    where
        F: FnMut(Client) -> R,
        R: Future<Output = Result<T, etcd_client::Error>>,
    {
        let end = Instant::now() + self.deadline;
        let (mut failures, mut back_off) = (0usize, BACK_OFF);
        loop {
            let member = self.pick();
            let failure = match member.call(self.until(repeat, end), &mut call).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let again = match &failure {
                Failure::Unsent(_) => true,
                Failure::Unknown(_) => repeat == Repeat::Harmless,
                _ => false,
            };
            failures += 1;
            let pause = if failures % self.members.len() == 0 { back_off } else { Duration::ZERO };
            if !again || Instant::now() + pause >= end {
                return Err(failure);
            }
            tracing::debug!(endpoint = member.endpoint, ?failure, "etcd call is retried");
            if !pause.is_zero() {
                sleep(pause).await;
                back_off = (back_off * 2).min(MOST_BACK_OFF);
            }
        }
    }

    fn until(&self, repeat: Repeat, end: Instant) -> Instant {
        match repeat {
            Repeat::Harmless => end.min(Instant::now() + self.deadline / TRIES),
            Repeat::Forbidden => end,
        }
    }

    /// The next that does not rest, or the next.
    fn pick(&self) -> &Member {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let nth = |i: usize| &self.members[first.wrapping_add(i) % self.members.len()];
        let now = Instant::now();
        (0..self.members.len()).map(nth).find(|member| !member.rests(now)).unwrap_or(nth(0))
    }
}

fn connect_options(options: &EtcdOptions) -> ConnectOptions {
    let connect = ConnectOptions::new()
        .with_connect_timeout(options.deadline / TRIES)
        .with_keep_alive(options.keep_alive, options.keep_alive_timeout)
        // etcd hangs up on those who ask while nothing is open.
        .with_keep_alive_while_idle(false)
        .with_tcp_keepalive(options.keep_alive)
        .with_require_leader(true);
    match &options.user {
        Some((name, password)) => connect.with_user(name, password).with_auto_token_refresh(true),
        None => connect,
    }
}

fn tls_for(endpoint: &str, tls: Option<&EtcdTls>) -> Result<Option<TlsOptions>> {
    match (endpoint.split_once("://"), tls) {
        (Some(("http", _)), _) => Ok(None),
        (Some(("https", _)), Some(tls)) => Ok(Some(tls_options(tls))),
        (Some(("https", _)), None) => {
            Err(Error::Invalid(format!("etcd endpoint {endpoint} needs the CA's certificate")))
        }
        _ => {
            let why = format!("etcd endpoint {endpoint:?} must begin with http:// or https://");
            Err(Error::Invalid(why))
        }
    }
}

fn tls_options(tls: &EtcdTls) -> TlsOptions {
    let options = TlsOptions::new().ca_certificate(Certificate::from_pem(&tls.ca));
    match &tls.identity {
        Some((certificate, key)) => options.identity(Identity::from_pem(certificate, key)),
        None => options,
    }
}

// === impl Member ===

impl Member {
    fn new(endpoint: String, options: ConnectOptions) -> Self {
        Self { endpoint, options, client: OnceCell::new(), rests_until: Mutex::new(None) }
    }

    fn rests(&self, now: Instant) -> bool {
        self.rests_until.lock().is_some_and(|until| until > now)
    }

    async fn call<T, F, R>(&self, until: Instant, call: &mut F) -> Result<T, Failure>
    where
        F: FnMut(Client) -> R,
        R: Future<Output = Result<T, etcd_client::Error>>,
    {
        let result = self.try_call(until, call).await;
        *self.rests_until.lock() = match &result {
            Err(failure) if failure.is_of_the_member() => Some(Instant::now() + REST),
            _ => None,
        };
        result
    }

    async fn try_call<T, F, R>(&self, until: Instant, call: &mut F) -> Result<T, Failure>
    where
        F: FnMut(Client) -> R,
        R: Future<Output = Result<T, etcd_client::Error>>,
    {
        let late = || format!("{} gave no answer in time", self.endpoint);
        let client = match timeout_at(until, self.client()).await {
            Err(_) => return Err(Failure::Unsent(late())),
            Ok(Err(error)) => return Err(unsent(error.into())),
            Ok(Ok(client)) => client,
        };
        match timeout_at(until, call(client)).await {
            Err(_) => Err(Failure::Unknown(late())),
            Ok(result) => result.map_err(Failure::from),
        }
    }

    async fn client(&self) -> Result<Client, etcd_client::Error> {
        let connect = || Client::connect([&self.endpoint], Some(self.options.clone()));
        self.client.get_or_try_init(connect).await.cloned()
    }
}

/// What failed while logging in was not tried.
fn unsent(failure: Failure) -> Failure {
    match failure {
        Failure::Unknown(why) => Failure::Unsent(why),
        other => other,
    }
}
