//! The objects that every cluster begins with, from a table (API concepts, "Defaults").

use serde_json::{Value, json};
use windlass_core::scheme::{FLOWSCHEMAS, GroupVersionResource, PRIORITYLEVELCONFIGURATIONS};

/// One of the objects that every cluster begins with.
#[derive(Clone, Debug, PartialEq)]
pub struct Builtin {
    /// FlowSchemas or PriorityLevelConfigurations.
    pub resource: GroupVersionResource,
    /// Its name.
    pub name: &'static str,
    /// Its spec.
    pub spec: Value,
    /// It must be there, with this spec; others are a suggestion.
    pub mandatory: bool,
}

/// Name, shares, percent of them that are lent, queues, size of a hand, length of a queue.
const LEVELS: [(&str, i64, i64, i64, i64, i64); 6] = [
    ("system", 30, 33, 64, 6, 50),
    ("node-high", 40, 25, 64, 6, 50),
    ("leader-election", 10, 0, 16, 4, 50),
    ("workload-high", 40, 50, 128, 6, 50),
    ("workload-low", 100, 90, 128, 6, 50),
    ("global-default", 20, 50, 128, 6, 50),
];

const EVERYONE: [Who; 2] =
    [Who::Group("system:unauthenticated"), Who::Group("system:authenticated")];
const MANAGER: Who = Who::User("system:kube-controller-manager");
const SCHEDULER: Who = Who::User("system:kube-scheduler");
const NODES: Who = Who::Group("system:nodes");
const LEADING: &[&str] = &["get", "create", "update"];

#[derive(Clone, Copy)]
enum Who {
    User(&'static str),
    Group(&'static str),
    Account(&'static str),
}

/// All of them: levels first, since schemas name them.
#[must_use]
pub fn builtin() -> Vec<Builtin> {
    let exempt =
        json!({"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}});
    let catch_all = json!({"type": "Limited", "limited": {
        "nominalConcurrencyShares": 5, "lendablePercent": 0, "limitResponse": {"type": "Reject"}}});
    let mut all = vec![level("exempt", exempt, true), level("catch-all", catch_all, true)];
    all.extend(LEVELS.map(|(name, shares, lendable, queues, hand, length)| {
        let queuing = json!({"queues": queues, "handSize": hand, "queueLengthLimit": length});
        let limited = json!({"nominalConcurrencyShares": shares, "lendablePercent": lendable,
            "limitResponse": {"type": "Queue", "queuing": queuing}});
        level(name, json!({"type": "Limited", "limited": limited}), false)
    }));
    all.extend(schemas());
    all
}

fn schemas() -> Vec<Builtin> {
    let leases = |cluster| rule(&["*"], "coordination.k8s.io", &["leases"], cluster);
    let leading = || rule(LEADING, "coordination.k8s.io", &["leases"], false);
    let node = || rule(&["*"], "", &["nodes", "nodes/status"], true);
    let probes = json!({"subjects": subjects(&EVERYONE), "nonResourceRules": [
        {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}]});
    let own = Who::Account("*");
    vec![
        mandatory("exempt", 1, "", everything(&[Who::Group("system:masters")])),
        mandatory("catch-all", 10_000, "ByUser", everything(&EVERYONE)),
        schema("probes", "exempt", 2, "", probes),
        schema("system-leader-election", "leader-election", 100, "ByUser", {
            let may = [rule(LEADING, "", &["endpoints", "configmaps"], false), leading()];
            some(&[MANAGER, SCHEDULER, own], &may)
        }),
        schema("endpoint-controller", "workload-high", 150, "ByUser", {
            let accounts = [
                MANAGER,
                Who::Account("endpoint-controller"),
                Who::Account("endpointslicemirroring-controller"),
            ];
            some(&accounts, &[rule(LEADING, "", &["endpoints"], false)])
        }),
        schema("workload-leader-election", "leader-election", 200, "ByUser", {
            let may = [rule(LEADING, "", &["endpoints", "configmaps"], false), leading()];
            some(&[own], &may)
        }),
        schema(
            "system-node-high",
            "node-high",
            400,
            "ByUser",
            some(&[NODES], &[node(), leases(false)]),
        ),
        schema("system-nodes", "system", 500, "ByUser", everything(&[NODES])),
        schema(
            "kube-controller-manager",
            "workload-high",
            800,
            "ByNamespace",
            everything(&[MANAGER]),
        ),
        schema("kube-scheduler", "workload-high", 800, "ByNamespace", everything(&[SCHEDULER])),
        schema(
            "kube-system-service-accounts",
            "workload-high",
            900,
            "ByNamespace",
            everything(&[own]),
        ),
        schema("service-accounts", "workload-low", 9000, "ByUser", {
            everything(&[Who::Group("system:serviceaccounts")])
        }),
        schema("global-default", "global-default", 9900, "ByUser", everything(&EVERYONE)),
    ]
}

fn level(name: &'static str, spec: Value, mandatory: bool) -> Builtin {
    Builtin { resource: PRIORITYLEVELCONFIGURATIONS, name, spec, mandatory }
}

/// A schema of the level of the same name that must be there.
fn mandatory(name: &'static str, precedence: i64, by: &str, rules: Value) -> Builtin {
    Builtin { mandatory: true, ..schema(name, name, precedence, by, rules) }
}

fn schema(name: &'static str, level: &str, precedence: i64, by: &str, rules: Value) -> Builtin {
    let mut spec = json!({
        "priorityLevelConfiguration": {"name": level},
        "matchingPrecedence": precedence,
        "rules": [rules],
    });
    if !by.is_empty() {
        spec["distinguisherMethod"] = json!({"type": by});
    }
    Builtin { resource: FLOWSCHEMAS, name, spec, mandatory: false }
}

fn everything(who: &[Who]) -> Value {
    json!({"subjects": subjects(who), "resourceRules": [rule(&["*"], "*", &["*"], true)],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]})
}

fn some(who: &[Who], rules: &[Value]) -> Value {
    json!({"subjects": subjects(who), "resourceRules": rules})
}

/// In all namespaces.
fn rule(verbs: &[&str], group: &str, resources: &[&str], cluster: bool) -> Value {
    let mut rule =
        json!({"verbs": verbs, "apiGroups": [group], "resources": resources, "namespaces": ["*"]});
    if cluster {
        rule["clusterScope"] = true.into();
    }
    rule
}

fn subjects(who: &[Who]) -> Vec<Value> {
    let subject = |who: &Who| match who {
        Who::User(name) => json!({"kind": "User", "user": {"name": name}}),
        Who::Group(name) => json!({"kind": "Group", "group": {"name": name}}),
        Who::Account(name) => {
            json!({"kind": "ServiceAccount", "serviceAccount": {"name": name, "namespace": "kube-system"}})
        }
    };
    who.iter().map(subject).collect()
}
