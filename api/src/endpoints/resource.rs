//! Requests about objects.

use super::negotiate::{Accepted, Format, Shape};
use super::{
    Body, RequestBody, connect as connection, encode, list, negotiate, query, respond, watch,
};
use crate::audit::Record;
use crate::authentication::User;
use crate::authorization::Attributes;
use crate::filters::{self, Admitted};
use crate::handler::{CONVERSATIONS, Content, Request, Seen};
use crate::server::{ApiServer, ConnectCall};
use http::{Response, StatusCode};
use std::borrow::Cow;
use std::sync::Arc;
use windlass_core::meta::Status;
use windlass_core::request::{RequestInfo, ResourceTarget, Verb};
use windlass_core::scheme;

/// Whether admission has a say.
pub(super) fn is_admitted(info: &RequestInfo, target: &ResourceTarget) -> bool {
    let subresource = target.subresource.as_deref().unwrap_or_default();
    !matches!(info.verb, Verb::Get | Verb::List | Verb::Watch)
        || CONVERSATIONS.contains(&subresource)
}

/// Answers. What authorizers see of the target may be more than the path names: `seen`.
pub(super) async fn serve(
    server: &Arc<ApiServer>,
    info: &RequestInfo,
    (target, seen): (&ResourceTarget, &Seen<'_>),
    user: User,
    request: http::Request<RequestBody>,
    (admitted, record): (&mut Admitted<'_>, Option<&Record>),
) -> Result<Response<Body>, Status> {
    // Only one who may do it is listened to any further: a body is not read before.
    let seen = seen.attributes_of(&user, info.verb.as_str());
    let attributes = Attributes { path: &info.path, ..seen };
    filters::authorize(server, &attributes, record).await?;
    let subresource = Cow::Owned(target.subresource.clone().unwrap_or_default());
    if let Some(connect) = server.connects.get(&(target.resource.clone(), subresource)) {
        if runs_something(target) {
            // A WebSocket begins with a GET, but who may only look into pods may not work in them.
            let create = Attributes { verb: Verb::Create.as_str(), ..attributes };
            filters::authorize(server, &create, record).await?;
        }
        server.handler.find(target)?;
        let warnings = connection::admit(server, info, target, &user).await?;
        let objects = server.objects();
        let call = ConnectCall { user: &user, target, info, objects };
        let mut response = connect.connect(call, request).await?;
        respond::warn(&mut response, &warnings);
        return Ok(response);
    }
    if !is_served(server, target) {
        return Ok(respond::not_found());
    }
    let (parts, body) = request.into_parts();
    let accepted = Accepted::of(&parts.headers)?;
    let lacks_protobuf = server.handler.find(target)?.custom.is_some();
    let whole = accepted.shape == Shape::Whole;
    if lacks_protobuf && whole && accepted.format == Format::Protobuf && !accepted.json {
        return Err(negotiate::not_acceptable(&[negotiate::JSON, negotiate::YAML]));
    }
    let watches = (server.env(), server.limits.min_request_timeout);
    let action = query::action(info, &parts.headers, body, watches).await?;
    let include = list::include_object(info)?;
    let request = Request { user, target: target.clone(), action };
    let operations = server.handler.operations(&request);
    if let (Some(record), Ok(entry)) = (record, server.handler.find(target)) {
        record.sent(&entry, &request.action);
        record.within(&operations)?;
    }
    if !operations.is_empty() {
        admitted.charge(server, &server.handler.together(&operations));
    }
    let answer = server.handler.perform(&request).await?;
    if let Some(record) = record {
        record.answered(&answer.entry, &answer.content);
    }
    let code = if answer.created { StatusCode::CREATED } else { StatusCode::OK };
    let now = server.env().clock.now();
    let view = encode::View { entry: answer.entry, accepted, include, now };
    let mut response = match answer.content {
        Content::Object(object) => view.object(&object, code)?,
        Content::List(list) => list::respond(&view, list).await?,
        Content::Watch(events) => {
            let sent = server.metrics.watch_events(&view.entry.served);
            watch::respond(view, events, (server.env().clock.clone(), sent))
        }
        Content::Status(status) => respond::status(&accepted, &status),
    };
    respond::warn(&mut response, &answer.warnings);
    Ok(response)
}

/// Whether the conversation is one that works in a pod.
fn runs_something(target: &ResourceTarget) -> bool {
    let subresource = target.subresource.as_deref();
    target.resource == scheme::PODS
        && matches!(subresource, Some("exec" | "attach" | "portforward"))
}

/// Whether there is anything under this path.
fn is_served(server: &ApiServer, target: &ResourceTarget) -> bool {
    match server.handler.find(target) {
        Err(_) => false,
        Ok(entry) => {
            let subresource = target.subresource.as_deref();
            subresource.is_none_or(|name| entry.info.subresource(name).is_some())
        }
    }
}
