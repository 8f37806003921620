//! The options in a query.

use super::RequestBody;
use super::body::read;
use super::negotiate::{body_format, patch_type};
use crate::handler::Action;
use crate::registry::{Body as ObjectBody, BodyFormat, OPTIONS_KIND};
use crate::schema::{Schema, protobuf};
use crate::validation::Errors;
use bytes::Bytes;
use http::{HeaderMap, header};
use serde_json::Value;
use std::time::Duration;
use windlass_core::client::{DeleteOptions, ListOptions, Patch, Propagation, WriteOptions};
use windlass_core::clock::Env;
use windlass_core::meta::Status;
use windlass_core::request::{RequestInfo, Verb};

const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";

/// What a request asks to be done. A watch for which it sets no end lasts at least so long, and up to twice of it.
pub(super) async fn action(
    info: &RequestInfo,
    headers: &HeaderMap,
    body: RequestBody,
    (env, least): (&Env, Duration),
) -> Result<Action, Status> {
    let list = || ListOptions::from_query(&info.query).map_err(Status::bad_request);
    Ok(match info.verb {
        Verb::Get => Action::Get,
        Verb::List => Action::List(list()?),
        Verb::Watch => {
            let mut options = list()?;
            let least = least.as_secs().max(1);
            let spread = env.random.next() % least;
            // None at all is as good as no end set.
            let set = options.timeout_seconds.filter(|seconds| *seconds > 0);
            options.timeout_seconds = set.or(Some(least + spread));
            Action::Watch(options)
        }
        Verb::Create => Action::Create(object(headers, body).await?, write_options(info, headers)?),
        Verb::Update => Action::Update(object(headers, body).await?, write_options(info, headers)?),
        Verb::Patch => {
            let kind = patch_type(headers)?;
            let patch = Patch { kind, body: read(body).await? };
            Action::Patch(patch, write_options(info, headers)?)
        }
        Verb::Delete => Action::Delete(delete_options(info, headers, body).await?),
        Verb::DeleteCollection => {
            Action::DeleteCollection(list()?, delete_options(info, headers, body).await?)
        }
        Verb::Impersonate | Verb::Other => return Err(crate::handler::not_allowed()),
    })
}

async fn object(headers: &HeaderMap, body: RequestBody) -> Result<ObjectBody, Status> {
    let format = body_format(headers)?;
    Ok(ObjectBody { bytes: read(body).await?, format })
}

fn write_options(info: &RequestInfo, headers: &HeaderMap) -> Result<WriteOptions, Status> {
    let mut options = WriteOptions::from_query(&info.query).map_err(Status::bad_request)?;
    let applies = matches!(patch_type(headers), Ok(windlass_core::client::PatchType::Apply));
    if options.field_manager.is_empty() && !applies {
        options.field_manager = program(headers);
    }
    Ok(options)
}

/// The first word of the user agent: `kubectl` of `kubectl/v1.33 (linux/amd64)`.
fn program(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let name = agent.unwrap_or_default().split('/').next().unwrap_or_default();
    name.chars().take(128).collect()
}

async fn delete_options(
    info: &RequestInfo,
    headers: &HeaderMap,
    body: RequestBody,
) -> Result<DeleteOptions, Status> {
    let bytes = read(body).await?;
    let mut options = if bytes.is_empty() {
        DeleteOptions::default()
    } else {
        read_options(&bytes, body_format(headers)?)?
    };
    for (name, value) in &info.query {
        read_option(&mut options, name, value)?;
    }
    Ok(options)
}

fn read_option(options: &mut DeleteOptions, name: &str, value: &str) -> Result<(), Status> {
    let bad = || Status::bad_request(format!("{name}: invalid value {value:?}"));
    match name {
        "gracePeriodSeconds" => {
            options.grace_period_seconds = Some(value.parse().map_err(|_| bad())?);
        }
        "orphanDependents" => options.orphan_dependents = Some(value.parse().map_err(|_| bad())?),
        "dryRun" if !value.is_empty() => options.dry_run = Some(vec![value.to_owned()]),
        "propagationPolicy" => options.propagation_policy = Some(propagation(value)?),
        _ => {}
    }
    Ok(())
}

fn read_options(bytes: &Bytes, format: BodyFormat) -> Result<DeleteOptions, Status> {
    let options: Value = match format {
        BodyFormat::Protobuf => from_protobuf(bytes)?,
        BodyFormat::Json => serde_json::from_slice(bytes).map_err(bad_options)?,
        BodyFormat::Yaml => yaml_serde::from_slice(bytes).map_err(bad_options)?,
    };
    if let Some(policy) = options.get("propagationPolicy").and_then(Value::as_str) {
        propagation(policy)?;
    }
    serde_json::from_value(options).map_err(bad_options)
}

fn propagation(policy: &str) -> Result<Propagation, Status> {
    serde_json::from_value(policy.into()).map_err(|_| {
        let mut errors = Errors::default();
        let known = ["Foreground", "Background", "Orphan", "nil"];
        errors.unsupported("propagationPolicy", &policy.into(), &known);
        errors.into_status(&OPTIONS_KIND, "")
    })
}

fn from_protobuf(bytes: &Bytes) -> Result<Value, Status> {
    let unknown = protobuf::open(bytes).map_err(bad_options)?;
    let message = Schema::builtin().message(DELETE_OPTIONS);
    let message = message.ok_or_else(|| Status::internal("the schema has no DeleteOptions"))?;
    protobuf::decode_message(message, unknown.raw).map_err(bad_options)
}

fn bad_options(error: impl std::fmt::Display) -> Status {
    Status::bad_request(format!("the delete options can't be read: {error}"))
}
