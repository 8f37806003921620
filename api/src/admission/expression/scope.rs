//! The names that expressions may use, and their types.

use crate::cel::types::{Declared, DeclaredKind};
use crate::cel::{AUTHORIZER, Elements, Environment, Scalar, Shape, Type, Variable};
use serde_json::Value as Json;
use std::sync::{Arc, LazyLock};
use windlass_core::Object;
use windlass_core::meta::Status;

/// The fields of a request; `{` begins those of an object.
static REQUEST: LazyLock<Arc<Declared>> = LazyLock::new(|| {
    let gvk = object([("group", text()), ("version", text()), ("kind", text())]);
    let gvr = object([("group", text()), ("version", text()), ("resource", text())]);
    let texts = of(Type::List(Arc::new(Type::String)));
    let extra = Type::Map(Arc::new(Type::String), Arc::new(Type::List(Arc::new(Type::String))));
    let user =
        object([("username", text()), ("uid", text()), ("groups", texts), ("extra", of(extra))]);
    object([
        ("kind", gvk.clone()),
        ("resource", gvr.clone()),
        ("subResource", text()),
        ("requestKind", gvk),
        ("requestResource", gvr),
        ("requestSubResource", text()),
        ("name", text()),
        ("namespace", text()),
        ("operation", text()),
        ("userInfo", user),
        ("dryRun", of(Type::Bool)),
        ("options", of(Type::Dyn)),
    ])
});

/// The fields of a namespace: managed fields and owners are not shown.
static NAMESPACE: LazyLock<Arc<Declared>> = LazyLock::new(|| {
    let texts = || of(Type::List(Arc::new(Type::String)));
    let map = || of(Type::Map(Arc::new(Type::String), Arc::new(Type::String)));
    let condition = object([
        ("status", text()),
        ("type", text()),
        ("lastTransitionTime", of(Type::Timestamp)),
        ("message", text()),
        ("reason", text()),
    ]);
    let metadata = object([
        ("name", text()),
        ("generateName", text()),
        ("namespace", text()),
        ("labels", map()),
        ("annotations", map()),
        ("UID", text()),
        ("creationTimestamp", of(Type::Timestamp)),
        ("deletionGracePeriodSeconds", of(Type::Int)),
        ("deletionTimestamp", of(Type::Timestamp)),
        ("generation", of(Type::Int)),
        ("resourceVersion", text()),
        ("finalizers", texts()),
    ]);
    let conditions = of(Type::List(Arc::new(condition.ty())));
    object([
        ("metadata", metadata),
        ("spec", object([("finalizers", texts())])),
        ("status", object([("conditions", conditions), ("phase", text())])),
    ])
});

/// What of a namespace is a time.
#[derive(Debug)]
enum NamespaceShape {
    Any,
    Time,
}

/// What expressions may name: objects of this type, `params` when there may be some, `authorizer` where it may be asked, and variables.
#[must_use]
pub(super) fn environment(
    object: &Type,
    params: Option<&Type>,
    authorizer: bool,
    variables: Option<&Arc<Declared>>,
) -> Environment {
    let variable = |name, ty| Variable { name, ty, declared: None };
    let mut all = vec![
        variable("object", object.clone()),
        variable("oldObject", object.clone()),
        variable("request", REQUEST.ty()),
        variable("namespaceObject", NAMESPACE.ty()),
    ];
    all.extend(params.map(|ty| variable("params", ty.clone())));
    if authorizer {
        all.push(variable("authorizer", Type::Opaque(AUTHORIZER)));
    }
    all.extend(variables.map(|declared| variable("variables", declared.ty())));
    Environment::new(all)
}

/// The type of `variables` with these names and types.
#[must_use]
pub(super) fn variables_type(variables: &[(String, Type)]) -> Arc<Declared> {
    object(variables.iter().map(|(name, ty)| (name.as_str(), of(ty.clone()))))
}

/// A namespace as expressions see it.
pub(super) fn namespace(object: &Object) -> Result<Json, Status> {
    let mut value: Json = object.view().map_err(Status::internal)?;
    if let Some(metadata) = value.get_mut("metadata").and_then(Json::as_object_mut) {
        for hidden in ["managedFields", "ownerReferences", "selfLink"] {
            metadata.shift_remove(hidden);
        }
        if let Some(uid) = metadata.shift_remove("uid") {
            metadata.insert("UID".into(), uid);
        }
    }
    Ok(value)
}

/// How the JSON of a namespace is read.
pub(super) fn namespace_shape() -> &'static dyn Shape {
    &NamespaceShape::Any
}

fn text() -> Arc<Declared> {
    of(Type::String)
}

fn of(ty: Type) -> Arc<Declared> {
    let kind = match ty {
        Type::Dyn => DeclaredKind::Dyn,
        ty => DeclaredKind::Scalar(ty),
    };
    Arc::new(Declared { kind, ..Declared::default() })
}

fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Arc<Declared>)>) -> Arc<Declared> {
    let fields = fields.into_iter();
    let mut fields: Vec<(Box<str>, _)> = fields.map(|(name, ty)| (name.into(), ty)).collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    Arc::new(Declared { kind: DeclaredKind::Object(fields.into()), ..Declared::default() })
}

// === impl NamespaceShape ===

impl Shape for NamespaceShape {
    fn scalar(&self) -> Scalar {
        match self {
            Self::Any => Scalar::Any,
            Self::Time => Scalar::Timestamp,
        }
    }

    fn item(&self) -> Option<&dyn Shape> {
        Some(&Self::Any)
    }

    fn field(&self, name: &str) -> Option<&dyn Shape> {
        let is_time =
            matches!(name, "creationTimestamp" | "deletionTimestamp" | "lastTransitionTime");
        Some(if is_time { &Self::Time } else { &Self::Any })
    }

    fn is_struct(&self) -> bool {
        false
    }

    fn elements(&self) -> Elements<'_> {
        Elements::Atomic
    }
}
