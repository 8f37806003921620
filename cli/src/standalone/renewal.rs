//! Certificates that the process made are replaced before they end, while it runs.

use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use windlass_api::pki::{CertificateResolver, KeyedCertificate, Result, renew_at};
use windlass_core::clock::Clock;
use windlass_core::component::{BoxError, Component, Ready, Shutdown};

/// A machine that slept has timers that are behind its clock: it is looked at once a day.
const LONGEST: Duration = Duration::from_secs(86_400);
/// When a certificate could not be replaced, it is tried again after so long.
const AGAIN: Duration = Duration::from_secs(600);

type Issue = Box<dyn Fn(Timestamp) -> Result<KeyedCertificate> + Send + Sync>;

/// What is replaced in time.
#[derive(Default)]
pub(super) struct Renewal {
    all: Vec<Renewed>,
}

struct Renewed {
    name: &'static str,
    resolver: Option<CertificateResolver>,
    issue: Issue,
    due: Timestamp,
}

// === impl Renewal ===

impl Renewal {
    /// Makes a certificate, and another when its time comes.
    pub(super) fn shown(
        &mut self,
        name: &'static str,
        now: Timestamp,
        issue: impl Fn(Timestamp) -> Result<KeyedCertificate> + Send + Sync + 'static,
    ) -> Result<CertificateResolver> {
        let first = issue(now)?;
        let (resolver, due) = (CertificateResolver::new(&first)?, renew_at(&first.certificate)?);
        let issue: Issue = Box::new(issue);
        self.all.push(Renewed { name, resolver: Some(resolver.clone()), issue, due });
        Ok(resolver)
    }

    /// The same for one that is written somewhere by `issue` itself.
    pub(super) fn written(
        &mut self,
        name: &'static str,
        now: Timestamp,
        issue: impl Fn(Timestamp) -> Result<KeyedCertificate> + Send + Sync + 'static,
    ) -> Result<()> {
        let due = renew_at(&issue(now)?.certificate)?;
        self.all.push(Renewed { name, resolver: None, issue: Box::new(issue), due });
        Ok(())
    }

    /// Replaces what is due; how long until the next is.
    fn renew(&mut self, now: Timestamp) -> Duration {
        for one in self.all.iter_mut().filter(|one| one.due <= now) {
            match one.renew(now) {
                Ok(()) => tracing::info!(name = one.name, "a certificate was renewed"),
                Err(error) => {
                    tracing::error!(name = one.name, %error, "a certificate can't be renewed");
                    one.due = now + AGAIN;
                }
            }
        }
        let next = self.all.iter().map(|one| one.due).min();
        let wait = next.and_then(|due| Duration::try_from(due.duration_since(now)).ok());
        wait.unwrap_or(LONGEST).min(LONGEST)
    }
}

// === impl Renewed ===

impl Renewed {
    fn renew(&mut self, now: Timestamp) -> Result<()> {
        let new = (self.issue)(now)?;
        if let Some(resolver) = &self.resolver {
            resolver.replace(&new)?;
        }
        self.due = renew_at(&new.certificate)?;
        Ok(())
    }
}

/// Renews until the end.
pub(super) struct Renewing {
    pub(super) renewal: Renewal,
    pub(super) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Component for Renewing {
    fn name(&self) -> &str {
        "certificates"
    }

    async fn run(
        mut self: Box<Self>,
        ready: Ready,
        shutdown: Shutdown,
    ) -> std::result::Result<(), BoxError> {
        ready.set();
        let renewing = async {
            loop {
                let wait = self.renewal.renew(self.clock.now());
                tokio::time::sleep(wait).await;
            }
        };
        // Ends by the shutdown only.
        shutdown.run_until_cancelled(renewing).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use parking_lot::Mutex;
    use windlass_api::pki::Authority;

    #[tokio::test(start_paused = true)]
    async fn certificates_are_replaced_before_they_end() {
        let start = Timestamp::from_second(1_800_000_000).expect("in range");
        let authority = Authority::ephemeral("ca", start).expect("an authority");
        let made: Arc<Mutex<Vec<Timestamp>>> = Arc::default();
        let mut renewal = Renewal::default();
        let notes = made.clone();
        let issue = move |now: Timestamp| {
            notes.lock().push(now);
            authority.client_until("ann", &[], (now, now + SignedDuration::from_hours(24 * 10)))
        };
        renewal.shown("ann", start, issue).expect("made");
        let day = SignedDuration::from_hours(24);
        let (mut now, mut wait) = (start, renewal.renew(start));
        while now < start + day * 20 {
            assert!(wait <= LONGEST && !wait.is_zero());
            now += wait;
            wait = renewal.renew(now);
        }
        let made = made.lock();
        let days: Vec<_> = made.iter().map(|at| at.duration_since(start).as_hours() / 24).collect();
        assert_eq!(days, [0, 7, 15], "each before the end of the one before");
    }
}
