//! Reading.

use super::Etcd;
use super::convert::{FIRST, Span, key_value, revision, signed, unsigned};
use super::failure::Failure;
use super::members::Repeat;
use super::source;
use crate::{Error, KeyRange, KeyValue, RangeResult, Read, Result, Revision};
use async_trait::async_trait;
use bytes::Bytes;
use etcd_client::proto::PbRangeResponse;
use etcd_client::{Client, GetOptions};

/// How many keys the first piece of a long range has; each piece has twice as many as the last.
const PAGE: usize = 500;
const LARGEST_PAGE: usize = 10_000;

#[async_trait]
impl Read for Etcd {
    async fn current_revision(&self) -> Result<Revision> {
        let found = self.ask(FIRST, GetOptions::new().with_count_only()).await?;
        Ok(self.saw(revision(found.header.as_ref())))
    }

    async fn get(&self, key: &[u8], at: Option<Revision>) -> Result<Option<KeyValue>> {
        // etcd refuses the empty key; it is never there.
        let key = if key.is_empty() { FIRST } else { key };
        let found = self.read(key, GetOptions::new(), at).await?;
        Ok(found.kvs.into_iter().next().map(key_value).filter(|kv| kv.key == key))
    }

    async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<RangeResult> {
        loop {
            match self.range_once(range, limit, at).await {
                // "Now" was compacted while being read: there is a newer now.
                Err(Error::Compacted { .. }) if at.is_none() => {}
                result => return result,
            }
        }
    }
}

impl Etcd {
    async fn range_once(
        &self,
        range: &KeyRange,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<RangeResult> {
        let Some(mut span) = Span::of(range) else {
            let found = self.read(FIRST, GetOptions::new().with_count_only(), at).await?;
            let revision = at.unwrap_or(revision(found.header.as_ref()));
            return Ok(RangeResult { items: Vec::new(), remaining: 0, revision });
        };
        let mut result = RangeResult { items: Vec::new(), remaining: 0, revision: at.unwrap_or(0) };
        let mut page = PAGE;
        loop {
            let want: usize = match limit {
                0 => page,
                limit => page.min(limit - result.items.len()),
            };
            let options = span.options().with_limit(signed(want as u64));
            let found = self.read(&span.key, options, at.or(result.read_at())).await?;
            result.add(found);
            if result.remaining == 0 || result.items.len() == limit {
                return Ok(result);
            }
            let last = result.items.last().expect("what is left over comes after something");
            span.key = [&last.key[..], FIRST].concat();
            page = (page * 2).min(LARGEST_PAGE);
        }
    }

    /// The keys of a range at a revision that etcd can read, if they are not more than `most`.
    pub(super) async fn keys(
        &self,
        range: &KeyRange,
        at: Revision,
        most: usize,
    ) -> Result<Option<Vec<Bytes>>> {
        let Some(span) = Span::of(range) else { return Ok(Some(Vec::new())) };
        let options = span.options().with_keys_only().with_limit(signed(most as u64));
        let found = self.read_past(&span.key, options, at).await?;
        let whole = !found.more;
        Ok(whole.then(|| found.kvs.into_iter().map(|kv| Bytes::from(kv.key)).collect()))
    }

    /// Reads at a revision, or now.
    async fn read(
        &self,
        key: &[u8],
        options: GetOptions,
        at: Option<Revision>,
    ) -> Result<PbRangeResponse> {
        let Some(asked) = at else { return Ok(self.ask(key, options).await?) };
        if asked <= self.compacted() {
            return Err(Error::Compacted { compacted: self.compacted() });
        }
        self.read_past(key, options, asked).await
    }

    async fn read_past(
        &self,
        key: &[u8],
        options: GetOptions,
        asked: Revision,
    ) -> Result<PbRangeResponse> {
        loop {
            match self.ask(key, options.clone().with_revision(signed(asked))).await {
                Err(Failure::Compacted) => return Err(self.compacted_error().await?),
                Err(Failure::Future) => {
                    let current = self.current_revision().await?;
                    if asked > current {
                        return Err(Error::Future { asked, current });
                    }
                }
                result => return Ok(result?),
            }
        }
    }

    async fn ask(&self, key: &[u8], options: GetOptions) -> Result<PbRangeResponse, Failure> {
        let get = |client: Client| {
            let options = options.clone();
            let mut kv = client.kv_client().max_decoding_message_size(usize::MAX);
            async move { kv.get(key, Some(options)).await }
        };
        Ok(self.members.call(Repeat::Harmless, get).await?.0)
    }

    /// etcd says that a revision is compacted, but not up to where.
    async fn compacted_error(&self) -> Result<Error> {
        let compacted = source::compacted(&self.members).await?.max(self.compacted());
        Ok(Error::Compacted { compacted })
    }
}

// === impl RangeResult ===

impl RangeResult {
    /// The revision of the pieces so far; `None` when there is none.
    fn read_at(&self) -> Option<Revision> {
        Some(self.revision).filter(|revision| *revision > 0)
    }

    /// Adds a piece: all that is left from where it begins is counted in it.
    fn add(&mut self, found: PbRangeResponse) {
        if self.revision == 0 {
            self.revision = revision(found.header.as_ref());
        }
        self.remaining = unsigned(found.count) - found.kvs.len() as u64;
        self.items.extend(found.kvs.into_iter().map(key_value));
    }
}
