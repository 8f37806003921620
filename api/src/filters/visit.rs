//! A request on its way in: its turn, and how its answer shows where it stood.

use super::is_long;
use crate::audit::{Origin, Record};
use crate::authentication::User;
use crate::authorization::Attributes;
use crate::endpoints::Body;
use crate::flowcontrol::{Permit, SchemaRef, Work};
use crate::handler::{Seen, too_busy};
use crate::server::ApiServer;
use http::request::Parts;
use http::{HeaderName, Response};
use std::time::Duration;
use tokio::sync::SemaphorePermit;
use windlass_core::client::ListOptions;
use windlass_core::request::{RequestInfo, Target, Verb};

const SCHEMA: HeaderName = HeaderName::from_static("x-kubernetes-pf-flowschema-uid");
const LEVEL: HeaderName = HeaderName::from_static("x-kubernetes-pf-prioritylevel-uid");

/// What is known of a request from its first line.
pub(crate) struct Visit<'a> {
    info: &'a RequestInfo,
    list: Option<ListOptions>,
    seen: Option<Seen<'a>>,
}

/// A request that was let in.
pub(crate) struct Admitted<'s> {
    entered: Option<(Permit, SchemaRef)>,
    /// Among the requests that the server has at once.
    _place: Option<SemaphorePermit<'s>>,
}

// === impl Visit ===

impl<'a> Visit<'a> {
    pub(crate) fn new(info: &'a RequestInfo) -> Self {
        let many = matches!(info.verb, Verb::List | Verb::Watch | Verb::DeleteCollection);
        // One that can't be read is refused where it is used.
        let list = many.then(|| ListOptions::from_query(&info.query).unwrap_or_default());
        let seen = match &info.target {
            Target::Resource(target) => Some(Seen::of(target, list.as_ref())),
            Target::Path => None,
        };
        Self { info, list, seen }
    }

    /// What it is about, as authorizers see it.
    pub(crate) fn seen(&self) -> Option<&Seen<'a>> {
        self.seen.as_ref()
    }

    fn attributes<'b>(&'b self, user: &'b User) -> Attributes<'b> {
        let (info, path) = (self.info, self.info.path.as_str());
        match &self.seen {
            Some(seen) => Attributes { path, ..seen.attributes_of(user, info.verb.as_str()) },
            None => Attributes::of_path(user, super::path_word(info.verb), path),
        }
    }

    /// Begins its record, if the server keeps one.
    pub(crate) fn record(
        &self,
        server: &ApiServer,
        user: &User,
        impersonator: Option<User>,
        (id, parts): (&str, &Parts),
    ) -> Option<Record> {
        let audit = server.audit.as_ref()?;
        let origin = Origin::http(parts, impersonator);
        Record::begin(audit, &self.attributes(user), &origin, id, server.env())
    }

    /// Lets it in when its turn comes; else how it is refused.
    pub(crate) async fn admit<'s>(
        &self,
        server: &'s ApiServer,
        user: &User,
    ) -> Result<Admitted<'s>, Response<Body>> {
        let info = self.info;
        if is_long(info) && info.verb != Verb::Watch {
            return Ok(Admitted { entered: None, _place: None });
        }
        let attributes = self.attributes(user);
        let mut place = None;
        let enter = || {
            place = server.in_flight.try_acquire().ok().filter(|_| !is_long(info));
            is_long(info) || place.is_some()
        };
        let handler = &server.handler;
        let admitted = handler.admit(&attributes, info.verb, self.list.as_ref(), enter).await;
        match admitted {
            Ok(entered) => Ok(Admitted { entered: Some(entered), _place: place }),
            Err(refused) => {
                let schema = refused.schema.clone();
                let mut response = super::plain(&too_busy());
                if let Some(schema) = schema {
                    name(&mut response, &schema);
                }
                Err(response)
            }
        }
    }
}

// === impl Admitted ===

impl Admitted<'_> {
    /// Charges it for work that showed when it was read.
    pub(crate) fn charge(&mut self, server: &ApiServer, work: &Work) {
        if let Some((permit, schema)) = &mut self.entered {
            server.flow_control().charge(permit, schema, work);
        }
    }

    /// Says in an answer which level it was let in by. A list keeps its seats while it is sent.
    pub(crate) fn mark(self, mut response: Response<Body>, time: Duration) -> Response<Body> {
        let Some((permit, schema)) = self.entered else { return response };
        name(&mut response, &schema);
        if schema.level.exempt {
            return response;
        }
        response.map(|body| body.holding(permit, time))
    }
}

fn name(response: &mut Response<Body>, schema: &SchemaRef) {
    let headers = response.headers_mut();
    headers.insert(SCHEMA, schema.uid.clone());
    headers.insert(LEVEL, schema.level.uid.clone());
}
