//! Bodies, both ways.

use crate::flowcontrol::Permit;
use bytes::{Buf, Bytes, BytesMut};
use futures::stream::BoxStream;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::AbortHandle;
use windlass_core::meta::{Reason, Status};

/// Why a body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request, of whatever kind it was.
pub type RequestBody = UnsyncBoxBody<Bytes, BodyError>;

/// The longest body of a request.
const LIMIT: usize = 3 << 20;

/// The body of an answer.
pub struct Body(Inner);

enum Inner {
    Whole(Option<Bytes>),
    /// Made piece by piece as it is read. The length is known when it is not compressed.
    Pieces {
        pieces: Box<dyn Iterator<Item = Bytes> + Send>,
        left: Option<u64>,
        held: Option<Held>,
    },
    /// As it comes.
    Stream {
        pieces: BoxStream<'static, Result<Bytes, BodyError>>,
        held: Vec<Box<dyn Send>>,
    },
}

// === impl Body ===

impl Body {
    /// Nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self(Inner::Whole(None))
    }

    /// These bytes.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Inner::Whole(Some(bytes.into()).filter(|bytes| !bytes.is_empty())))
    }

    /// Pieces that are made when the client is ready for them.
    pub(crate) fn pieces(
        pieces: impl Iterator<Item = Bytes> + Send + 'static,
        length: Option<u64>,
    ) -> Self {
        Self(Inner::Pieces { pieces: Box::new(pieces), left: length, held: None })
    }

    /// A body that is still to be made keeps the seats of its request until it was, or for `time`.
    pub(crate) fn holding(mut self, permit: Permit, time: Duration) -> Self {
        if let Inner::Pieces { held, .. } = &mut self.0 {
            *held = Some(Held::new(permit, time));
        }
        self
    }

    /// Whether it comes as it comes.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.0, Inner::Stream { .. })
    }

    /// Keeps something until the end, if it comes as it comes. Gives it back otherwise.
    pub(crate) fn until_end<T: Send + 'static>(&mut self, thing: T) -> Option<T> {
        match &mut self.0 {
            Inner::Stream { held, .. } => {
                held.push(Box::new(thing));
                None
            }
            _ => Some(thing),
        }
    }

    /// Pieces as they come.
    pub fn stream(pieces: BoxStream<'static, Result<Bytes, BodyError>>) -> Self {
        Self(Inner::Stream { pieces, held: Vec::new() })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Inner::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Inner::Pieces { pieces, left, held } => {
                let piece = pieces.next();
                if piece.is_none() {
                    *held = None;
                }
                if let (Some(left), Some(piece)) = (left, &piece) {
                    *left = left.saturating_sub(piece.len() as u64);
                }
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
            }
            Inner::Stream { pieces, .. } => {
                pieces.as_mut().poll_next(cx).map(|piece| piece.map(|p| p.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Inner::Whole(None) | Inner::Pieces { left: Some(0), .. })
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Inner::Pieces { left: Some(left), .. } => SizeHint::with_exact(*left),
            Inner::Pieces { left: None, .. } | Inner::Stream { .. } => SizeHint::default(),
        }
    }
}

/// Seats that are given back when this is dropped, or in time: a client may never take the rest of its answer.
struct Held {
    permit: Arc<Mutex<Option<Permit>>>,
    timer: AbortHandle,
}

impl Held {
    fn new(permit: Permit, time: Duration) -> Self {
        let permit = Arc::new(Mutex::new(Some(permit)));
        let late = permit.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(time).await;
            drop(late.lock().take());
        });
        Self { permit, timer: timer.abort_handle() }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.timer.abort();
        drop(self.permit.lock().take());
    }
}

/// Any body as the one kind that the server works with.
pub(crate) fn boxed<B>(body: B) -> RequestBody
where
    B: http_body::Body + Send + 'static,
    B::Data: Buf + Send,
    B::Error: Into<BodyError>,
{
    body.map_frame(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
        .map_err(Into::into)
        .boxed_unsync()
}

/// All of a request's body, if it is not too long.
pub(super) async fn read(mut body: RequestBody) -> Result<Bytes, Status> {
    if body.size_hint().lower() > LIMIT as u64 {
        return Err(too_large());
    }
    let mut whole = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| Status::bad_request(format!("the body can't be read: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + rest.len() + data.len() > LIMIT {
            return Err(too_large());
        }
        // Mostly there is one frame only: it is not copied.
        if whole.is_empty() {
            whole = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        return Ok(whole);
    }
    Ok([whole, rest.freeze()].concat().into())
}

fn too_large() -> Status {
    let text = format!("Request entity too large: limit is {LIMIT}");
    Status::failure(Reason::RequestEntityTooLarge, text)
}
