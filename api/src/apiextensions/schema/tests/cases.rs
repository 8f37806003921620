//! Schemas, objects, and what comes of them, from files beside this one.

use super::super::StructuralSchema;
use crate::strategy::Map;
use crate::validation::{Errors, Path};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    schema: Value,
    /// What compiling says; empty if the schema is good.
    #[serde(default)]
    refused: Vec<String>,
    #[serde(default)]
    objects: Vec<Object>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    #[serde(default)]
    old: Option<Map>,
    new: Map,
    /// What pruning says.
    #[serde(default)]
    unknown: Vec<String>,
    /// What is left after pruning and defaulting.
    #[serde(default)]
    becomes: Option<Map>,
    /// What validation says.
    #[serde(default)]
    errors: Vec<String>,
}

fn run(data: &str) {
    let cases: Vec<Case> = yaml_serde::from_str(data).expect("cases");
    let mut wrong = Vec::new();
    for case in &cases {
        for (what, found, wanted) in outcome(case) {
            if found != wanted {
                wrong.push(format!(
                    "{}: {what}\n found: {found:#?}\n wanted: {wanted:#?}",
                    case.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

type Line = (String, Vec<String>, Vec<String>);

fn outcome(case: &Case) -> Vec<Line> {
    let at = Path::new("s");
    let compiled = StructuralSchema::compile(&case.schema, &at);
    let refused = compiled.as_ref().err().map(texts).unwrap_or_default();
    let mut lines = vec![("compile".to_owned(), refused, case.refused.clone())];
    let Ok(schema) = compiled else { return lines };
    for (at, object) in case.objects.iter().enumerate() {
        let mut new = object.new.clone();
        lines.push((format!("{at} unknown"), schema.prune(&mut new), object.unknown.clone()));
        schema.default(&mut new);
        if let Some(becomes) = &object.becomes {
            let text = |map: &Map| vec![Value::Object(map.clone()).to_string()];
            let equal = new == *becomes;
            let found = if equal { text(becomes) } else { text(&new) };
            lines.push((format!("{at} becomes"), found, text(becomes)));
        }
        let mut errors = Errors::default();
        schema.validate(&new, object.old.as_ref(), &mut errors);
        lines.push((format!("{at} errors"), texts(&errors), object.errors.clone()));
    }
    lines
}

fn texts(errors: &Errors) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn structure() {
    run(include_str!("structure.yaml"));
}

#[test]
fn values() {
    run(include_str!("values.yaml"));
}

#[test]
fn rules() {
    run(include_str!("rules.yaml"));
}
