//! Probes and hooks.

use super::super::format::port_number;
use super::super::rules::{not_negative, one_of, only_one, port};
use super::super::{Errors, Path};
use crate::strategy::Map;
use crate::strategy::json::{int_of, is_empty, map_of};

const NUMBERS: [&str; 5] = [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
];
const HANDLERS: [&str; 5] = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];

pub(super) fn validate(probe: &Map, name: &str, path: &Path<'_>, errors: &mut Errors) {
    handler(probe, path, errors);
    not_negative(probe, &NUMBERS, path, errors);
    let successes = int_of(probe, "successThreshold").unwrap_or(1);
    if name != "readinessProbe" && successes != 1 {
        errors.invalid(path.child("successThreshold"), successes, "must be 1");
    }
    if let Some(grace) = int_of(probe, "terminationGracePeriodSeconds") {
        let path = path.child("terminationGracePeriodSeconds");
        if name == "readinessProbe" {
            errors.invalid(path, grace, "must not be set for readinessProbes");
        } else if grace <= 0 {
            errors.invalid(path, grace, "must be greater than 0");
        }
    }
}

/// What a probe or a hook does: one thing.
pub(super) fn handler(handler: &Map, path: &Path<'_>, errors: &mut Errors) {
    let detail = "may not specify more than 1 handler type";
    let Some(key) = only_one(handler, &HANDLERS, path, detail, errors) else {
        return errors.required(path, "must specify a handler type");
    };
    let Some(action) = map_of(handler, key) else { return };
    let path = path.child(key);
    match key {
        "exec" if is_empty(action, "command") => errors.required(path.child("command"), ""),
        "httpGet" => {
            if is_empty(action, "path") {
                errors.required(path.child("path"), "");
            }
            port(action.get("port"), &path.child("port"), errors);
            one_of(action, "scheme", &["HTTP", "HTTPS"], &path, errors);
        }
        "tcpSocket" => port(action.get("port"), &path.child("port"), errors),
        "grpc" => {
            let number = int_of(action, "port").unwrap_or(0);
            for message in port_number(number) {
                errors.invalid(path.child("port"), number, &message);
            }
        }
        _ => {}
    }
}
