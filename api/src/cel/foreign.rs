//! Kubernetes' libraries, from `kube-cel`: addresses, quantities, URLs, versions, formats, and the functions
//! of texts.

use super::error::EvalError;
use super::value::{List, Map, Text, Value};
use kube_cel::KubeCelExt;
use kube_cel::cel::common::ast::{CallExpr, Expr, IdedExpr};
use kube_cel::cel::objects::{Key, Map as CelMap, Opaque, OptionalValue};
use kube_cel::cel::{Context, ExecutionError, Value as CelValue};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How deep values go that are handed to a library.
const MAX_DEPTH: usize = 32;
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

thread_local! {
    static LIBRARIES: Context<'static> = Context::default().with_all();
}

/// A value that only its library understands.
#[derive(Clone)]
pub struct Foreign(Arc<dyn Opaque>);

// === impl Foreign ===

impl Foreign {
    pub(super) fn type_name(&self) -> &'static str {
        match self.0.runtime_type_name().rsplit('.').next().unwrap_or_default() {
            name if name.ends_with("IP") => "net.IP",
            name if name.ends_with("CIDR") => "net.CIDR",
            name if name.contains("URL") || name.contains("Url") => "kubernetes.URL",
            name if name.contains("uantity") => "kubernetes.Quantity",
            name if name.contains("emver") => "kubernetes.Semver",
            _ => "kubernetes.NamedFormat",
        }
    }

    /// What its text would be long.
    pub(super) fn size(&self) -> u64 {
        16
    }

    /// As text, if its library can write it.
    pub(super) fn text(&self) -> Option<String> {
        match call("string", true, &[Value::Foreign(self.clone())]) {
            Ok(Value::String(text)) => Some(text.to_string()),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_debug().fmt(f)
    }
}

impl PartialEq for Foreign {
    fn eq(&self, other: &Self) -> bool {
        self.0.opaque_eq(&*other.0)
    }
}

/// Calls a function of a library.
pub(super) fn call<'a>(
    function: &str,
    member: bool,
    args: &[Value<'a>],
) -> Result<Value<'a>, EvalError> {
    if args.len() > NAMES.len() {
        return Err(EvalError::no_overload());
    }
    let mut idents = NAMES.iter().take(args.len()).map(|name| ident(name));
    let target = if member { idents.next().map(Box::new) } else { None };
    let call = CallExpr { func_name: function.to_owned(), target, args: idents.collect() };
    let expr = IdedExpr { id: 0, expr: Expr::Call(call) };
    let named = function == "format.named";
    let found = LIBRARIES.with(|libraries| {
        let mut context = libraries.new_inner_scope();
        for (name, value) in NAMES.iter().zip(args) {
            context.add_variable_from_value(*name, to_library(value, MAX_DEPTH)?);
        }
        // A library that trips over a value fails the expression, not the server.
        let run = AssertUnwindSafe(|| CelValue::resolve(&expr, &context));
        match catch_unwind(run) {
            Ok(result) => result.map_err(|error| failed(&error)),
            Err(_) => Err(EvalError::failed(format!("{function} failed"))),
        }
    });
    match found {
        // The library fails where the specification says that there is no such format.
        Err(_) if named => Ok(Value::Optional(None)),
        Ok(found) if named => from_library(found).map(Value::some),
        found => from_library(found?),
    }
}

fn ident(name: &str) -> IdedExpr {
    IdedExpr { id: 0, expr: Expr::Ident(name.to_owned()) }
}

fn failed(error: &ExecutionError) -> EvalError {
    match error {
        ExecutionError::FunctionError { message, .. } => EvalError::failed(message.clone()),
        ExecutionError::NoSuchOverload => EvalError::no_overload(),
        other => EvalError::failed(other.to_string()),
    }
}

fn to_library(value: &Value<'_>, depth: usize) -> Result<CelValue, EvalError> {
    let depth = depth.checked_sub(1).ok_or_else(EvalError::no_overload)?;
    Ok(match value {
        Value::Null => CelValue::Null,
        Value::Bool(value) => CelValue::Bool(*value),
        Value::Int(value) => CelValue::Int(*value),
        Value::Uint(value) => CelValue::UInt(*value),
        Value::Double(value) => CelValue::Float(*value),
        Value::String(text) => CelValue::String(Arc::new(text.to_string())),
        Value::Bytes(bytes) => CelValue::Bytes(Arc::new(bytes.to_vec())),
        Value::Duration(nanos) => CelValue::String(Arc::new(super::duration::seconds(*nanos))),
        Value::Timestamp(at) => CelValue::String(Arc::new(at.to_string())),
        Value::List(list) => {
            let items: Result<Vec<_>, _> =
                list.iter().map(|item| to_library(&item, depth)).collect();
            CelValue::List(Arc::new(items?))
        }
        Value::Map(map) => {
            let mut entries = HashMap::with_capacity(map.len());
            for (key, value) in map.iter() {
                entries.insert(to_key(&key)?, to_library(&value, depth)?);
            }
            CelValue::Map(CelMap { map: Arc::new(entries) })
        }
        Value::Foreign(value) => CelValue::Opaque(Arc::clone(&value.0)),
        Value::Type(name) => CelValue::String(Arc::new((*name).to_owned())),
        Value::Optional(_) | Value::Authz(_) | Value::Variables(_) => {
            return Err(EvalError::no_overload());
        }
    })
}

fn to_key(key: &Value<'_>) -> Result<Key, EvalError> {
    Ok(match key {
        Value::String(text) => Key::String(Arc::new(text.to_string())),
        Value::Int(value) => Key::Int(*value),
        Value::Uint(value) => Key::Uint(*value),
        Value::Bool(value) => Key::Bool(*value),
        _ => return Err(EvalError::no_overload()),
    })
}

fn from_library<'a>(value: CelValue) -> Result<Value<'a>, EvalError> {
    Ok(match value {
        CelValue::Null => Value::Null,
        CelValue::Bool(value) => Value::Bool(value),
        CelValue::Int(value) => Value::Int(value),
        CelValue::UInt(value) => Value::Uint(value),
        CelValue::Float(value) => Value::Double(value),
        CelValue::String(text) => Value::String(Text::Shared(text.as_str().into())),
        CelValue::Bytes(bytes) => Value::Bytes(bytes.as_slice().into()),
        CelValue::List(items) => {
            let items: Result<Vec<_>, _> = items.iter().cloned().map(from_library).collect();
            Value::List(List::Values(items?.into()))
        }
        CelValue::Map(map) => {
            let mut entries = Vec::with_capacity(map.map.len());
            for (key, value) in map.map.iter() {
                let key = match key {
                    Key::String(text) => Value::String(Text::Shared(text.as_str().into())),
                    Key::Int(value) => Value::Int(*value),
                    Key::Uint(value) => Value::Uint(*value),
                    Key::Bool(value) => Value::Bool(*value),
                };
                entries.push((key, from_library(value.clone())?));
            }
            Value::Map(Map::Values(entries.into()))
        }
        CelValue::Opaque(opaque) => match opaque.downcast_ref::<OptionalValue>() {
            Some(optional) => match optional.value() {
                Some(value) => from_library(value.clone())?.some(),
                None => Value::Optional(None),
            },
            None => Value::Foreign(Foreign(opaque)),
        },
        _ => return Err(EvalError::no_overload()),
    })
}
