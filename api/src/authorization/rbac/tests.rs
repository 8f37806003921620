use super::*;
use crate::authentication::User;
use serde_json::{Value, json};
use windlass_core::Object;
use windlass_core::request::{Target, parse};

fn place(uid: &str, namespace: &str) -> Place {
    Place { uid: uid.into(), namespace: namespace.into(), name: format!("b{uid}") }
}

fn rbac() -> Rbac {
    let rbac = Rbac::default();
    let key = |namespace: &str, name: &str| {
        let json = json!({"kind": "Role", "metadata": {"name": name, "namespace": namespace}});
        RoleKey::of(&Object::from_wire(json.to_string().into()).expect("an object"))
    };
    let rules = |value: Value| serde_json::from_value::<Vec<Rule>>(value).expect("rules");
    let bind = |uid: &str, namespace: &str, kind: &str, role: &str, subject: Value| {
        let binding = json!({"roleRef": {"kind": kind, "name": role}, "subjects": [subject]});
        let binding: Binding = serde_json::from_value(binding).expect("a binding");
        rbac.index.write().set_binding(&place(uid, namespace), &binding);
    };
    let set = |namespace: &str, name: &str, value: Value| {
        rbac.index.write().set_role(key(namespace, name), rules(value));
    };
    set(
        "",
        "reader",
        json!([{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "pods/log", "namespaces"]}]),
    );
    set("", "probe", json!([{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/metrics/*"]}]));
    set(
        "a",
        "one",
        json!([{"verbs": ["*"], "apiGroups": ["apps"], "resources": ["*/scale"], "resourceNames": ["web"]}]),
    );
    bind("1", "", "ClusterRole", "reader", json!({"kind": "Group", "name": "readers"}));
    bind(
        "2",
        "a",
        "ClusterRole",
        "reader",
        json!({"kind": "ServiceAccount", "namespace": "a", "name": "sa"}),
    );
    bind("3", "a", "Role", "one", json!({"kind": "User", "name": "ann"}));
    bind("4", "", "ClusterRole", "probe", json!({"kind": "User", "name": "ann"}));
    rbac
}

async fn allowed(rbac: &Rbac, user: &User, method: &str, path: &str) -> bool {
    let info = parse(&method.parse().expect("a method"), path, None);
    let resource = match &info.target {
        Target::Resource(target) => Some(target),
        Target::Path => None,
    };
    let attributes =
        Attributes { user, verb: info.verb.as_str(), resource, path: &info.path, selectors: None };
    rbac.authorize(&attributes).await.is_allowed()
}

#[tokio::test]
async fn rules_hold_where_they_are_bound() {
    let rbac = rbac();
    let (reader, ann) = (User::new("bob", ["readers"]), User::new("ann", []));
    let account = User::new("system:serviceaccount:a:sa", []);
    for (user, method, path, expected) in [
        (&reader, "GET", "/api/v1/namespaces/b/pods/x", true),
        (&reader, "GET", "/api/v1/pods", true),
        (&reader, "GET", "/api/v1/namespaces/b/pods/x/log", true),
        (&reader, "GET", "/api/v1/namespaces/b/pods/x/exec", false),
        (&reader, "DELETE", "/api/v1/namespaces/b/pods/x", false),
        (&reader, "GET", "/apis/apps/v1/namespaces/b/deployments", false),
        (&account, "GET", "/api/v1/namespaces/a/pods", true),
        (&account, "GET", "/api/v1/namespaces/b/pods", false),
        (&account, "GET", "/api/v1/pods", false),
        (&account, "GET", "/api/v1/namespaces/a", true),
        (&account, "GET", "/api/v1/namespaces/b", false),
        (&account, "GET", "/api/v1/namespaces", false),
        (&ann, "PATCH", "/apis/apps/v1/namespaces/a/deployments/web/scale", true),
        (&ann, "PATCH", "/apis/apps/v1/namespaces/a/deployments/db/scale", false),
        (&ann, "PATCH", "/apis/apps/v1/namespaces/a/deployments/web", false),
        (&ann, "GET", "/healthz", true),
        (&ann, "GET", "/metrics/x", true),
        (&ann, "GET", "/version", false),
    ] {
        assert_eq!(
            allowed(&rbac, user, method, path).await,
            expected,
            "{} {method} {path}",
            user.name
        );
    }
}

#[tokio::test]
async fn a_binding_that_goes_takes_its_rules_along() {
    let (rbac, reader) = (rbac(), User::new("bob", ["readers"]));
    rbac.index.write().remove_binding("1");
    assert!(!allowed(&rbac, &reader, "GET", "/api/v1/pods").await);
    assert!(rbac.rules_for(&User::new("ann", []), "a").len() == 2);
}

#[tokio::test]
async fn verbs_that_no_request_has_are_words_of_their_own() {
    use windlass_core::request::ResourceTarget;
    let (rbac, user) = (Rbac::default(), User::new("ann", []));
    let rules = json!([{"verbs": ["use"], "apiGroups": ["*"], "resources": ["*"]}]);
    let role = json!({"kind": "ClusterRole", "metadata": {"name": "r"}});
    let role = Object::from_wire(role.to_string().into()).expect("an object");
    let rules = serde_json::from_value(rules).expect("rules");
    let binding = json!({"roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": [{"kind": "User", "name": "ann"}]});
    let binding: Binding = serde_json::from_value(binding).expect("a binding");
    rbac.index.write().set_role(RoleKey::of(&role), rules);
    rbac.index.write().set_binding(&place("1", ""), &binding);
    let target = ResourceTarget {
        resource: scheme::CLUSTERROLES,
        namespace: None,
        name: Some("r".into()),
        subresource: None,
        rest: String::new(),
    };
    for (verb, expected) in [("use", true), ("bind", false), ("escalate", false), ("get", false)] {
        let attributes = Attributes::of(&user, verb, &target);
        let decision = rbac.authorize(&attributes).await;
        assert_eq!(decision.is_allowed(), expected, "{verb}");
        let text = attributes.forbidden("").message;
        assert!(text.contains(&format!("cannot {verb} resource \"clusterroles\"")), "{text}");
    }
}

#[tokio::test]
async fn decisions_say_why() {
    let rbac = rbac();
    let ask = async |user: &User, namespace: &str| {
        let info = parse(&http::Method::GET, &format!("/api/v1/namespaces/{namespace}/pods"), None);
        let Target::Resource(target) = &info.target else { panic!("it names pods") };
        rbac.authorize(&Attributes::of(user, "list", target)).await
    };
    let allowed = |why: &str| Decision::Allow(format!("RBAC: allowed by {why}").into());
    assert_eq!(
        ask(&User::new("bob", ["readers"]), "b").await,
        allowed("ClusterRoleBinding \"b1\" of ClusterRole \"reader\" to Group \"readers\"")
    );
    let account = User::new("system:serviceaccount:a:sa", []);
    assert_eq!(
        ask(&account, "a").await,
        allowed("RoleBinding \"b2/a\" of ClusterRole \"reader\" to ServiceAccount \"sa/a\"")
    );
    let key = RoleKey::of(
        &Object::from_wire(
            json!({"kind": "ClusterRole", "metadata": {"name": "reader"}}).to_string().into(),
        )
        .expect("an object"),
    );
    rbac.index.write().remove_role(&key);
    let why = "RBAC: clusterrole.rbac.authorization.k8s.io \"reader\" not found";
    assert_eq!(ask(&account, "a").await, Decision::NoOpinion(why.into()));
    assert_eq!(ask(&account, "b").await, Decision::NoOpinion(String::new()));
}

/// Who asks: a name, or `of GROUP`.
const MATRIX: &str = include_str!("tests/matrix.txt");

/// The roles of every cluster, and a few of people.
fn everyday() -> Rbac {
    let rbac = Rbac::default();
    let set = |role: &Value| {
        let key = RoleKey::of(&Object::from_wire(role.to_string().into()).expect("an object"));
        let rules = serde_json::from_value(role["rules"].clone()).expect("rules");
        rbac.index.write().set_role(key, rules);
    };
    let mut count = 0;
    let mut bind = |namespace: &str, binding: &Value| {
        count += 1;
        let binding: Binding = serde_json::from_value(binding.clone()).expect("a binding");
        rbac.index.write().set_binding(&place(&format!("every{count}"), namespace), &binding);
    };
    crate::bootstrap::default_roles().iter().for_each(&set);
    crate::bootstrap::default_bindings().iter().for_each(|binding| bind("", binding));
    let rule = |verbs: Value, groups: Value, resources: Value| json!({"verbs": verbs, "apiGroups": groups, "resources": resources});
    let only = json!({"verbs": ["get", "update"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["only"]});
    for (namespace, name, rules) in [
        (
            "a",
            "own",
            json!([
                only,
                rule(json!(["get"]), json!([""]), json!(["pods/log"])),
                rule(json!(["patch"]), json!(["apps"]), json!(["*/scale"])),
                rule(json!(["get", "list"]), json!(["batch"]), json!(["*"]))
            ]),
        ),
        ("a", "services", json!([rule(json!(["list"]), json!([""]), json!(["services"]))])),
        ("", "paths", json!([{"verbs": ["get"], "nonResourceURLs": ["/logs*", "/debug/*"]}])),
        (
            "",
            "words",
            json!([
                rule(json!(["use"]), json!(["policy"]), json!(["*"])),
                rule(json!(["list"]), json!(["*"]), json!(["widgets"]))
            ]),
        ),
    ] {
        set(&json!({"metadata": {"name": name, "namespace": namespace}, "rules": rules}));
    }
    let user = |name: &str| json!({"kind": "User", "name": name});
    let account = json!({"kind": "ServiceAccount", "name": "bot"});
    for (namespace, kind, role, subject) in [
        ("", "ClusterRole", "cluster-admin", user("root")),
        ("", "ClusterRole", "view", user("overseer")),
        ("a", "ClusterRole", "view", user("viewer")),
        ("a", "ClusterRole", "edit", user("editor")),
        ("a", "ClusterRole", "admin", user("admin")),
        ("a", "Role", "own", account),
        ("a", "Role", "services", json!({"kind": "Group", "name": "system:serviceaccounts:a"})),
        ("", "ClusterRole", "paths", user("reader")),
        ("a", "ClusterRole", "paths", user("local-reader")),
        ("", "ClusterRole", "words", user("worder")),
        ("a", "Role", "absent", user("hopeful")),
        ("a", "ClusterRole", "view", json!({"kind": "Robot", "name": "oddball"})),
        // A role of a namespace is none of another's.
        ("b", "Role", "own", json!({"kind": "ServiceAccount", "name": "bot", "namespace": "b"})),
    ] {
        bind(namespace, &json!({"roleRef": {"kind": kind, "name": role}, "subjects": [subject]}));
    }
    rbac
}

fn person(name: &str) -> User {
    let account = |namespace: &str| {
        let own = format!("system:serviceaccounts:{namespace}");
        User::new(
            format!("system:serviceaccount:{namespace}:bot"),
            ["system:serviceaccounts", own.as_str()],
        )
    };
    match (name, name.strip_prefix("of ")) {
        ("anonymous", _) => User::anonymous(),
        ("bot", _) => account("a"),
        ("namesake", _) => account("b"),
        (_, Some(group)) => User::new("somebody", [group]),
        (name, None) => User::new(name, []),
    }
}

#[tokio::test]
async fn decisions_are_those_of_the_matrix() {
    let (rbac, mut rows) = (everyday(), 0);
    for line in MATRIX.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let mut fields = line.split(" | ");
        let mut next = || fields.next().expect("four fields");
        let (user, verb, path, expected) = (person(next()), next(), next(), next());
        let info = parse(&http::Method::GET, path, None);
        let resource = match &info.target {
            Target::Resource(target) => Some(target),
            Target::Path => None,
        };
        let attributes =
            Attributes { user: &user, verb, resource, path: &info.path, selectors: None };
        let decision = rbac.authorize(&attributes).await;
        assert_eq!(decision.is_allowed(), expected == "yes", "{line}: {decision:?}");
        rows += 1;
    }
    assert!(rows >= 200, "{rows} rows");
}

#[tokio::test]
async fn nothing_is_kept_of_what_is_gone() {
    let rbac = Rbac::default();
    let (ann, key) = (User::new("ann", ["devs"]), |name: &str| {
        let role = json!({"metadata": {"name": name, "uid": "u"}});
        RoleKey::of(&Object::from_wire(role.to_string().into()).expect("an object"))
    });
    let binding = |role: &str| -> Binding {
        serde_json::from_value(json!({"roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "name": "ann"}, {"kind": "User", "name": "ann"},
                {"kind": "Group", "name": "devs"}]}))
        .expect("a binding")
    };
    for uid in ["1", "2"] {
        rbac.index.write().set_binding(&place(uid, "a"), &binding("r"));
    }
    let pods = "/api/v1/namespaces/a/pods";
    assert!(!allowed(&rbac, &ann, "GET", pods).await, "there is no such role yet");
    let rules = || {
        vec![Rule {
            verbs: vec!["*".into()],
            api_groups: vec!["".into()],
            resources: vec!["pods".into()],
            ..Rule::default()
        }]
    };
    rbac.index.write().set_role(key("r"), rules());
    rbac.index.write().set_role(key("r"), rules());
    assert!(allowed(&rbac, &ann, "GET", pods).await);
    assert_eq!(rbac.rules_for(&ann, "a").len(), 1, "many bindings, one role");
    rbac.index.write().set_binding(&place("2", "a"), &binding("other"));
    rbac.index.write().remove_binding("1");
    assert!(!allowed(&rbac, &ann, "GET", pods).await);
    rbac.index.write().remove_role(&key("r"));
    rbac.index.write().remove_role(&key("r"));
    rbac.index.write().remove_binding("2");
    assert!(rbac.index.read().is_empty());
}
