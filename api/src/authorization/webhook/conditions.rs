//! Whether a webhook is asked at all: expressions over the `request`, a SubjectAccessReview's spec.

use crate::authorization::Attributes;
use crate::cel::{
    Environment, MATCH_CONDITIONS_BUDGET, Program, Type, Value as CelValue, Variable,
};
use serde_json::{Value, json};

/// Conditions that must all hold.
#[derive(Debug, Default)]
pub struct Conditions(Vec<(String, Program)>);

// === impl Conditions ===

impl Conditions {
    /// Adds one.
    ///
    /// # Errors
    /// When it does not compile, or is no condition.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let request = Variable { name: "request", ty: Type::Dyn, declared: None };
        let program = Environment::new([request]).compile(text);
        let program = program.map_err(|error| format!("compilation failed: {error}"))?;
        match program.ty() {
            Type::Bool | Type::Dyn => self.0.push((text.to_owned(), program)),
            other => return Err(format!("must evaluate to bool but got {other}")),
        }
        Ok(())
    }

    /// Whether all hold: one that is false decides, whatever is wrong with others.
    pub(super) fn hold(&self, attributes: &Attributes<'_>, spec: &Value) -> Result<bool, String> {
        if self.0.is_empty() {
            return Ok(true);
        }
        let (request, mut budget) = (shown(attributes, spec), MATCH_CONDITIONS_BUDGET);
        let mut failed = None;
        for (text, program) in &self.0 {
            let input = CelValue::from_json(&request, None);
            match program.eval(vec![("request", input)], &mut budget) {
                Ok(CelValue::Bool(true)) => {}
                Ok(CelValue::Bool(false)) => return Ok(false),
                Ok(other) => failed = Some(format!("{text:?} gave {}", other.type_name())),
                Err(error) => failed = Some(format!("{text:?}: {error}")),
            }
        }
        failed.map_or(Ok(true), Err)
    }
}

/// The spec with all fields of the part that it has: a condition need not ask whether a text is there.
fn shown(attributes: &Attributes<'_>, spec: &Value) -> Value {
    let user = attributes.user;
    let mut shown =
        json!({"user": user.name, "groups": user.groups, "uid": user.uid, "extra": user.extra});
    for part in ["resourceAttributes", "nonResourceAttributes"] {
        let Some(given) = spec.get(part).and_then(Value::as_object) else { continue };
        let fields: &[&str] = match part {
            "resourceAttributes" => {
                &["namespace", "verb", "group", "version", "resource", "subresource", "name"]
            }
            _ => &["path", "verb"],
        };
        let mut whole = given.clone();
        for field in fields {
            whole.entry(*field).or_insert_with(|| "".into());
        }
        shown[part] = whole.into();
    }
    shown
}
