//! One stream of watch requests and responses, with all its watches.
//!
//! It is drawn by the connection: while the client does not read, nothing is taken from the store's streams, whose
//! queues are bounded. A watch whose queue is full is cancelled.

use super::events::{self, View};
use super::progress::Asked;
use crate::server::proto::rpc::watch_request::RequestUnion;
use crate::server::proto::rpc::{WatchCreateRequest, WatchRequest, WatchResponse};
use crate::server::shared::{Shared, Stopped};
use crate::server::{convert, status};
use crate::{Batch, Error, Result as StoreResult, Revision, WatchStream};
use futures::future::pending;
use futures::stream::{self, AbortHandle, BoxStream, SelectAll, StreamExt, abortable};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::time::{Instant, Interval, interval_at};
use tonic::{Status, Streaming};

/// The name of a watch that is none.
const NO_WATCH: i64 = -1;

pub(super) struct Session {
    shared: Arc<Shared>,
    stopped: Stopped,
    requests: Option<Streaming<WatchRequest>>,
    watches: HashMap<i64, Watching>,
    batches: SelectAll<BoxStream<'static, (i64, Option<StoreResult<Batch>>)>>,
    /// The responses to what came last: a few at most.
    ready: VecDeque<WatchResponse>,
    next_id: i64,
    asked: Asked,
    ticks: Option<Interval>,
}

/// What comes next.
enum Turn {
    /// `None`: the client asks for nothing more.
    Request(Option<WatchRequest>),
    /// `None`: the watch has ended.
    Batch(i64, Option<StoreResult<Batch>>),
    Tick,
}

struct Watching {
    view: View,
    stream: AbortHandle,
    /// All up to here was brought.
    reached: Revision,
    progress_notify: bool,
    /// No event since the last tick.
    quiet: bool,
    /// To be told how far it is, once it is there.
    due: Option<Revision>,
}

// === impl Session ===

impl Session {
    pub(super) fn new(shared: Arc<Shared>, requests: Streaming<WatchRequest>) -> Self {
        Self {
            stopped: shared.stopped(),
            shared,
            requests: Some(requests),
            watches: HashMap::new(),
            batches: SelectAll::new(),
            ready: VecDeque::new(),
            next_id: 0,
            asked: Asked::default(),
            ticks: None,
        }
    }

    /// The responses, up to the first error.
    pub(super) fn responses(self) -> BoxStream<'static, Result<WatchResponse, Status>> {
        let next = |session: Option<Self>| async move {
            let mut session = session?;
            match session.next().await {
                Ok(response) => Some((Ok(response), Some(session))),
                Err(status) => Some((Err(status), None)),
            }
        };
        stream::unfold(Some(self), next).boxed()
    }

    async fn next(&mut self) -> Result<WatchResponse, Status> {
        loop {
            if let Some(response) = self.ready.pop_front() {
                return Ok(response);
            }
            match self.turn().await? {
                Turn::Request(Some(request)) => self.handle(request).await?,
                // What is watched goes on.
                Turn::Request(None) => self.requests = None,
                Turn::Batch(id, batch) => self.deliver(id, batch),
                Turn::Tick => self.tick().await?,
            }
        }
    }

    async fn turn(&mut self) -> Result<Turn, Status> {
        let Self { stopped, requests, batches, ticks, .. } = self;
        tokio::select! {
            () = stopped.wait() => Err(status::STOPPED.into()),
            request = next_request(requests) => Ok(Turn::Request(request?)),
            Some((id, batch)) = batches.next(), if !batches.is_empty() => Ok(Turn::Batch(id, batch)),
            () = tick(ticks) => Ok(Turn::Tick),
        }
    }

    async fn handle(&mut self, request: WatchRequest) -> Result<(), Status> {
        match request.request_union {
            Some(RequestUnion::CreateRequest(request)) => self.create(request).await,
            Some(RequestUnion::CancelRequest(request)) => self.cancel(request.watch_id).await,
            Some(RequestUnion::ProgressRequest(_)) => self.ask().await,
            None => Ok(()),
        }
    }

    async fn create(&mut self, mut request: WatchCreateRequest) -> Result<(), Status> {
        if request.key.is_empty() {
            request.key = bytes::Bytes::from_static(&[0]);
        }
        let current = self.revision().await?;
        let id = match self.admit(&request) {
            Ok(id) => id,
            Err(reason) => {
                self.refuse(current, reason);
                return Ok(());
            }
        };
        let from = convert::revision(request.start_revision).unwrap_or(current + 1);
        // A revision of the future is waited for. The first commit has revision 2.
        let after = (from - 1).clamp(1, current);
        let range = convert::key_range(&request.key, &request.range_end);
        match self.shared.store.watch(range, after).await {
            Ok(stream) => {
                self.ready.push_back(WatchResponse { created: true, ..self.response(id, current) });
                self.begin(id, &request, View::new(&request, from), after, stream);
            }
            Err(Error::Compacted { compacted }) => {
                self.ready.push_back(WatchResponse { created: true, ..self.response(id, current) });
                self.ready.push_back(self.compacted(id, current, compacted));
            }
            Err(error) => return Err(status::from(error)),
        }
        Ok(())
    }

    /// The name for a new watch, or why there can't be one.
    fn admit(&mut self, request: &WatchCreateRequest) -> Result<i64, String> {
        let (key, end) = (&request.key, &request.range_end);
        if request.start_revision < 0 {
            return Err(status::COMPACTED.text().into());
        }
        if !end.is_empty() && end[..] != [0] && key >= end {
            return Err("mvcc: watcher range is empty".into());
        }
        if self.watches.len() >= self.shared.options.max_watches {
            return Err("etcdserver: too many watches on one stream".into());
        }
        if request.watch_id != 0 {
            let taken = self.watches.contains_key(&request.watch_id);
            let reason = "mvcc: duplicate watch ID provided on the WatchStream";
            return if taken { Err(reason.into()) } else { Ok(request.watch_id) };
        }
        while self.watches.contains_key(&self.next_id) {
            self.next_id += 1;
        }
        self.next_id += 1;
        Ok(self.next_id - 1)
    }

    fn begin(
        &mut self,
        id: i64,
        request: &WatchCreateRequest,
        view: View,
        reached: Revision,
        stream: WatchStream,
    ) {
        let ends = stream::once(async move { (id, None) });
        let (stream, handle) = abortable(stream.map(move |batch| (id, Some(batch))).chain(ends));
        self.batches.push(stream.boxed());
        let progress_notify = request.progress_notify;
        if progress_notify && self.ticks.is_none() {
            let period = self.shared.options.progress_interval;
            self.ticks = Some(interval_at(Instant::now() + period, period));
        }
        let stream = handle;
        let watching = Watching { view, stream, reached, progress_notify, quiet: true, due: None };
        self.watches.insert(id, watching);
    }

    fn refuse(&mut self, current: Revision, cancel_reason: String) {
        let response = self.response(NO_WATCH, current);
        let refused = WatchResponse { created: true, canceled: true, cancel_reason, ..response };
        self.ready.push_back(refused);
    }

    async fn cancel(&mut self, id: i64) -> Result<(), Status> {
        if let Some(watching) = self.watches.remove(&id) {
            watching.stream.abort();
            let revision = self.revision().await?;
            let response = self.response(id, revision);
            self.ready.push_back(WatchResponse { canceled: true, ..response });
            self.answer();
        }
        Ok(())
    }

    /// Asked for the progress of all its watches. One that has not begun yet has none.
    async fn ask(&mut self) -> Result<(), Status> {
        let current = self.revision().await?;
        let begun = self.watches.values().all(|watching| watching.view.from <= current + 1);
        if begun && !self.watches.is_empty() {
            self.asked.ask(current);
            self.shared.store.request_progress().await.map_err(status::from)?;
        }
        Ok(())
    }

    /// Watches that want it and had nothing to tell for a while tell how far they are.
    async fn tick(&mut self) -> Result<(), Status> {
        let current = self.revision().await?;
        let mut any = false;
        for watching in self.watches.values_mut().filter(|watching| watching.progress_notify) {
            if std::mem::replace(&mut watching.quiet, true) && watching.view.from <= current + 1 {
                watching.due = Some(current);
                any = true;
            }
        }
        if any {
            self.shared.store.request_progress().await.map_err(status::from)?;
        }
        Ok(())
    }

    fn deliver(&mut self, id: i64, batch: Option<StoreResult<Batch>>) {
        match batch {
            Some(Ok(batch)) => self.show(id, &batch),
            Some(Err(error)) => self.end(id, &error),
            None => self.end(id, &Error::Closed),
        }
        self.answer();
    }

    fn show(&mut self, id: i64, batch: &Batch) {
        let Some(watching) = self.watches.get_mut(&id) else { return };
        watching.reached = batch.revision;
        let events = watching.view.of(batch);
        watching.quiet &= events.is_empty();
        let due = watching.due.take_if(|due| *due <= batch.revision).is_some();
        let fragment = watching.view.fragment;
        if events.is_empty() && !due {
            return;
        }
        let response = WatchResponse { events, ..self.response(id, batch.revision) };
        let most = if fragment { self.shared.options.max_request_bytes } else { usize::MAX };
        self.ready.extend(events::fragments(response, most));
    }

    fn end(&mut self, id: i64, error: &Error) {
        let Some(watching) = self.watches.remove(&id) else { return };
        let response = match error {
            Error::Compacted { compacted } => self.compacted(id, watching.reached, *compacted),
            Error::Closed => WatchResponse {
                canceled: true,
                cancel_reason: status::STOPPED.text().into(),
                ..self.response(id, watching.reached)
            },
            error => WatchResponse {
                canceled: true,
                cancel_reason: format!("etcdserver: {error}"),
                ..self.response(id, watching.reached)
            },
        };
        self.ready.push_back(response);
    }

    /// Answers a request for progress when all have come far enough.
    fn answer(&mut self) {
        let reached = self.watches.values().map(|watching| watching.reached);
        if let Some(revision) = self.asked.answer(reached) {
            self.ready.push_back(self.response(NO_WATCH, revision));
        }
    }

    fn compacted(&self, id: i64, revision: Revision, compacted: Revision) -> WatchResponse {
        WatchResponse {
            canceled: true,
            // The first revision that can be watched from.
            compact_revision: convert::number(compacted + 1),
            cancel_reason: status::COMPACTED.text().into(),
            ..self.response(id, revision)
        }
    }

    fn response(&self, watch_id: i64, revision: Revision) -> WatchResponse {
        WatchResponse { header: self.shared.header(revision), watch_id, ..Default::default() }
    }

    async fn revision(&mut self) -> Result<Revision, Status> {
        self.shared.store.current_revision().await.map_err(status::from)
    }
}

async fn next_request(
    requests: &mut Option<Streaming<WatchRequest>>,
) -> Result<Option<WatchRequest>, Status> {
    match requests {
        Some(requests) => requests.message().await,
        None => pending().await,
    }
}

async fn tick(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => drop(ticks.tick().await),
        None => pending().await,
    }
}
