//! The estimate of what rules cost, against that of Kubernetes.

use super::super::{build, declare, props::Props};
use crate::cel::{Environment, Variable};
use serde_json::Value;

#[test]
fn rules_cost_what_kubernetes_reckons() {
    let cases: Vec<(Value, String, u64)> =
        yaml_serde::from_str(include_str!("costs.yaml")).expect("cases");
    let mut wrong = Vec::new();
    for (schema, rule, cost) in cases {
        let node = build::node(Props::new(schema.as_object().expect("an object")));
        let declared = declare::declared(&node, false).expect("can be seen");
        let ty = declared.ty();
        let this = Variable { name: "self", ty, declared: Some(declared) };
        let program = Environment::new([this]).compile(&rule).expect("compiles");
        if program.max_cost() != cost {
            wrong.push(format!("{schema} {rule}: {} instead of {cost}", program.max_cost()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
