//! What webhooks and policies take and refuse.

use super::Histograms;
use crate::admission::Operation;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

/// Upper bounds in seconds, as Kubernetes has them.
const CALL: [f64; 8] = [0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 25.0];
const CHECK: [f64; 6] = [0.000_000_5, 0.001, 0.01, 0.1, 1.0, 10.0];

type Labels = Vec<(&'static str, String)>;

/// The series of webhooks and policies. Names in them are those of configured objects. Clones are the same.
#[derive(Clone)]
pub(crate) struct AdmissionMetrics {
    calls: Histograms<Labels>,
    /// Kubernetes' name for these two has no `_total`, which a counter would be given.
    refusals: Family<Labels, Gauge>,
    passed_by: Family<Labels, Gauge>,
    checks: [Family<Labels, Counter>; 2],
    durations: [Histograms<Labels>; 2],
}

/// A call of a webhook.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) webhook: &'a str,
    pub(crate) mutating: bool,
    pub(crate) operation: Operation,
}

/// Why a webhook's call ended with a no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It said so, with this code.
    Webhook(u16),
    /// It could not be asked.
    Calling,
}

/// A policy that was evaluated.
#[derive(Clone, Copy)]
pub(crate) struct Check<'a> {
    pub(crate) policy: &'a str,
    pub(crate) binding: &'a str,
    pub(crate) mutating: bool,
    /// `allow`, `deny`, `warn`, `audit`.
    pub(crate) action: &'static str,
    /// `no_error`, `compile_error`, `invalid_error`.
    pub(crate) error: &'static str,
}

// === impl AdmissionMetrics ===

impl Default for AdmissionMetrics {
    fn default() -> Self {
        let durations =
            || Histograms::new_with_constructor((|| Histogram::new(CHECK)) as fn() -> Histogram);
        Self {
            calls: Family::new_with_constructor(|| Histogram::new(CALL)),
            refusals: Family::default(),
            passed_by: Family::default(),
            checks: Default::default(),
            durations: [durations(), durations()],
        }
    }
}

impl AdmissionMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let name = "apiserver_admission_webhook_admission_duration_seconds";
        registry.register(name, "Time that webhooks took", self.calls.clone());
        let name = "apiserver_admission_webhook_rejection_count";
        registry.register(name, "Requests that webhooks refused", self.refusals.clone());
        let name = "apiserver_admission_webhook_fail_open_count";
        registry.register(name, "Webhooks that were passed by", self.passed_by.clone());
        for (kind, (checks, durations)) in
            ["validating", "mutating"].into_iter().zip(self.checks.iter().zip(&self.durations))
        {
            let name = format!("apiserver_{kind}_admission_policy_check");
            registry.register(name, "Policies that were evaluated", checks.clone());
            let name = format!("apiserver_{kind}_admission_policy_check_duration_seconds");
            registry.register(name, "Time that policies took", durations.clone());
        }
    }

    /// Notes a call: how long it took, and how it ended.
    pub(crate) fn called(&self, call: Call<'_>, took: Duration, refusal: Option<Refusal>) {
        let rejected = refusal.is_some();
        let labels = [call.labels(), vec![("rejected", rejected.to_string())]].concat();
        self.calls.get_or_create(&labels).observe(took.as_secs_f64());
        if let Some(refusal) = refusal {
            let (error, code) = match refusal {
                Refusal::Webhook(code) => ("no_error", code),
                Refusal::Calling => ("calling_webhook_error", 0),
            };
            let why = vec![("error_type", error.to_owned()), ("rejection_code", code.to_string())];
            self.refusals.get_or_create(&[call.labels(), why].concat()).inc();
        }
    }

    /// Notes that a webhook that could not be called did not matter.
    pub(crate) fn passed_by(&self, call: Call<'_>) {
        let mut labels = call.labels();
        labels.retain(|(label, _)| *label != "operation");
        self.passed_by.get_or_create(&labels).inc();
    }

    /// Notes what became of a policy.
    pub(crate) fn checked(&self, check: Check<'_>, took: Duration) {
        let (at, labels) = (usize::from(check.mutating), check.labels());
        self.checks[at].get_or_create(&labels).inc();
        self.durations[at].get_or_create(&labels).observe(took.as_secs_f64());
    }
}

// === impl Call ===

impl Call<'_> {
    fn labels(self) -> Labels {
        let kind = if self.mutating { "admit" } else { "validating" };
        vec![
            ("name", self.webhook.to_owned()),
            ("operation", self.operation.as_str().to_owned()),
            ("type", kind.to_owned()),
        ]
    }
}

// === impl Check ===

impl Check<'_> {
    fn labels(self) -> Labels {
        let mut labels = vec![
            ("error_type", self.error.to_owned()),
            ("policy", self.policy.to_owned()),
            ("policy_binding", self.binding.to_owned()),
        ];
        if !self.mutating {
            labels.push(("enforcement_action", self.action.to_owned()));
        }
        labels
    }
}
