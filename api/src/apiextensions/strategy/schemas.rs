//! The schemas: structural, and with rules that can be run.

use super::versions::each;
use crate::apiextensions::schema::StructuralSchema;
use crate::strategy::Map;
use crate::validation::Errors;

pub(super) fn validate(spec: &Map, errors: &mut Errors) {
    each(spec, &["schema", "openAPIV3Schema"], "validation", |schema, _, path| {
        if let Err(found) = StructuralSchema::compile(schema, path) {
            errors.extend(found);
        }
    });
}
