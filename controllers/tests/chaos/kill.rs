//! The end of a process, at an await point.

use crate::client::Unreliable;
use crate::trouble::Trouble;
use futures::future::{BoxFuture, FutureExt, join_all};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use tokio::time::{Sleep, sleep};
use windlass_controllers::{Context, Settings, registry};
use windlass_core::client::Client;
use windlass_core::clock::Env;
use windlass_core::component::{Ready, Shutdown};

/// A future that is dropped instead of polled after so many polls, or so much time, unless there is peace by then.
struct Mortal {
    inner: BoxFuture<'static, ()>,
    left: u64,
    end: Pin<Box<Sleep>>,
    trouble: Arc<Trouble>,
}

impl Future for Mortal {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<()> {
        let dies =
            self.left == 0 || self.end.is_elapsed() || self.end.poll_unpin(context).is_ready();
        if dies && !self.trouble.is_over() {
            return Poll::Ready(());
        }
        self.left = self.left.saturating_sub(1);
        self.inner.poll_unpin(context)
    }
}

/// Runs controllers, again and again: each life has caches and memories of its own, and ends without a word.
pub(crate) async fn live_and_die(
    client: Arc<dyn Client>,
    trouble: Arc<Trouble>,
    controllers: &'static [&'static str],
    env: Env,
) {
    loop {
        let end = Shutdown::new();
        let unreliable = Unreliable { inner: client.clone(), trouble: trouble.clone() };
        let context = Context::new(Arc::new(unreliable), env.clone(), end.clone());
        let context = context.with_settings(Settings::default());
        let started = registry::start(&context, |name| controllers.contains(&name));
        assert_eq!(started.len(), controllers.len(), "a name is not known: {controllers:?}");
        let runs = started.into_iter().map(|one| one.run(Ready::default(), Shutdown::new()));
        let inner = join_all(runs).map(drop).boxed();
        let (left, time) = trouble.life();
        Mortal { inner, left, end: Box::pin(sleep(time)), trouble: trouble.clone() }.await;
        trouble.killed();
        // With the process its watches go, and the events it has not written.
        drop(context);
        end.cancel();
    }
}
