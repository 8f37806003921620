//! What the scheduler needs of CEL: which devices a selector picks (KEP-4381). The language is the API server's.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use windlass_api::cel::{Environment, Map, PER_CALL_LIMIT, Program, Text, Type, Value, Variable};
use windlass_core::apis::resource::v1::{Device, DeviceAttribute};
use windlass_scheduler::config::Registry;
use windlass_scheduler::plugins::DeviceSelectors;

/// So many expressions are kept compiled.
const KEPT: usize = 1024;

/// The scheduler's plugins, with CEL for the devices.
pub(crate) fn registry() -> Registry {
    Registry::default().device_selectors(Arc::new(CelSelectors::new()))
}

/// Evaluates selectors over `device`, as its API reference ("CELDeviceSelector") has it.
struct CelSelectors {
    environment: Environment,
    /// Make values of those types of an attribute's text.
    quantity: Program,
    semver: Program,
    compiled: Mutex<HashMap<Box<str>, Arc<Compiled>>>,
}

struct Compiled {
    program: Result<Program, String>,
    /// Texts that stand in it. A domain that a device has nothing of is an empty one.
    texts: Vec<Arc<str>>,
}

impl CelSelectors {
    fn new() -> Self {
        let device = Variable { name: "device", ty: Type::Dyn, declared: None };
        let text = || Variable { name: "text", ty: Type::String, declared: None };
        let make = |source| Environment::new([text()]).compile(source).expect("a constant");
        Self {
            environment: Environment::new([device]),
            quantity: make("quantity(text)"),
            semver: make("semver(text)"),
            compiled: Mutex::default(),
        }
    }

    fn compiled(&self, expression: &str) -> Arc<Compiled> {
        let mut all = self.compiled.lock();
        if let Some(known) = all.get(expression) {
            return known.clone();
        }
        let program = self.environment.compile(expression).map_err(|error| error.to_string());
        let compiled = Arc::new(Compiled { program, texts: texts(expression) });
        if all.len() >= KEPT {
            all.clear();
        }
        all.insert(expression.into(), compiled.clone());
        compiled
    }

    fn device(
        &self,
        driver: &str,
        device: &Device,
        texts: &[Arc<str>],
    ) -> Result<Value<'static>, String> {
        let mut attributes = Domains::new(texts);
        for (name, attribute) in device.attributes.iter().flatten() {
            attributes.add(driver, name, self.attribute(attribute)?);
        }
        let mut capacity = Domains::new(texts);
        for (name, amount) in device.capacity.iter().flatten() {
            capacity.add(driver, name, made(&self.quantity, &amount.value.0)?);
        }
        let several = device.allow_multiple_allocations.unwrap_or_default();
        Ok(map([
            ("driver".into(), text(driver)),
            ("allowMultipleAllocations".into(), Value::Bool(several)),
            ("attributes".into(), attributes.value()),
            ("capacity".into(), capacity.value()),
        ]))
    }

    fn attribute(&self, attribute: &DeviceAttribute) -> Result<Value<'static>, String> {
        Ok(match attribute {
            DeviceAttribute { bool: Some(value), .. } => Value::Bool(*value),
            DeviceAttribute { int: Some(value), .. } => Value::Int(*value),
            DeviceAttribute { string: Some(value), .. } => text(value),
            DeviceAttribute { version: Some(value), .. } => made(&self.semver, value)?,
            _ => return Err("an attribute of a device has no value".into()),
        })
    }
}

impl DeviceSelectors for CelSelectors {
    fn matches(&self, expression: &str, driver: &str, device: &Device) -> Result<bool, String> {
        let compiled = self.compiled(expression);
        let program = compiled.program.as_ref().map_err(Clone::clone)?;
        let value = self.device(driver, device, &compiled.texts)?;
        let mut budget = PER_CALL_LIMIT;
        match program.eval(vec![("device", value)], &mut budget) {
            Ok(Value::Bool(fits)) => Ok(fits),
            Ok(_) => Err(format!("CEL expression {expression:?} does not say yes or no")),
            Err(error) => Err(format!("CEL expression {expression:?}: {error}")),
        }
    }
}

/// Values by domain and name. A name without a domain is in that of the driver.
struct Domains(BTreeMap<Arc<str>, Vec<(Arc<str>, Value<'static>)>>);

impl Domains {
    fn new(texts: &[Arc<str>]) -> Self {
        Self(texts.iter().map(|text| (text.clone(), Vec::new())).collect())
    }

    fn add(&mut self, driver: &str, name: &str, value: Value<'static>) {
        let (domain, name) = name.split_once('/').unwrap_or((driver, name));
        self.0.entry(domain.into()).or_default().push((name.into(), value));
    }

    fn value(self) -> Value<'static> {
        map(self.0.into_iter().map(|(domain, values)| (domain, map(values))))
    }
}

/// What stands between quotes in an expression.
fn texts(expression: &str) -> Vec<Arc<str>> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(at) = rest.find(['"', '\'']) {
        let quote = &rest[at..=at];
        let Some(end) = rest[at + 1..].find(quote) else { break };
        found.push(rest[at + 1..at + 1 + end].into());
        rest = &rest[at + end + 2..];
    }
    found
}

fn made(program: &Program, source: &str) -> Result<Value<'static>, String> {
    let value = program.eval(vec![("text", text(source))], &mut PER_CALL_LIMIT.clone());
    value.map_err(|error| format!("{source:?}: {error}"))
}

fn text(text: &str) -> Value<'static> {
    Value::String(Text::Shared(text.into()))
}

fn map(fields: impl IntoIterator<Item = (Arc<str>, Value<'static>)>) -> Value<'static> {
    let fields = fields.into_iter().map(|(name, value)| (Value::String(Text::Shared(name)), value));
    Value::Map(Map::Values(Rc::from_iter(fields)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(expression: &str) -> Result<bool, String> {
        let device = json!({"name": "gpu-0", "attributes": {
            "model": {"string": "A100"}, "other.io/index": {"int": 3}, "ecc": {"bool": true},
            "driverVersion": {"version": "1.10.0"}}, "capacity": {"memory": {"value": "40Gi"}}});
        let device: Device = serde_json::from_value(device).expect("a device");
        CelSelectors::new().matches(expression, "gpu.example.com", &device)
    }

    #[test]
    fn selectors_see_driver_attributes_and_capacity() {
        for yes in [
            "device.driver == 'gpu.example.com'",
            "device.attributes['gpu.example.com'].model == 'A100'",
            "device.attributes['gpu.example.com'].model.startsWith('A') && device.attributes['other.io'].index > 2",
            "device.attributes['gpu.example.com'].ecc",
            "device.attributes['gpu.example.com'].driverVersion.isGreaterThan(semver('1.9.0'))",
            "device.capacity['gpu.example.com'].memory.compareTo(quantity('39Gi')) > 0",
            "!('model' in device.attributes['nothing.io'])",
            "!device.allowMultipleAllocations",
        ] {
            assert_eq!(said(yes), Ok(true), "{yes}");
        }
        assert_eq!(said("device.attributes['gpu.example.com'].model == 'H100'"), Ok(false));
        for wrong in ["device.attributes['gpu.example.com'].none == 1", "device.driver", "1 +"] {
            assert!(said(wrong).is_err(), "{wrong}");
        }
    }
}
