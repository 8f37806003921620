use super::*;
use serde_json::json;

fn ask(line: &str) -> bool {
    let (rule, asked) = line.split_once(" < ").expect("a rule and what is asked");
    let list = |text: &str| -> Vec<String> { text.split('|').map(str::to_owned).collect() };
    let parts: Vec<&str> = rule.split_whitespace().collect();
    let [operations, groups, versions, resources, scope] = parts[..] else { panic!("{rule}") };
    let group = |text: &str| text.replace("core", "");
    let rule: Rule = serde_json::from_value(json!({
        "operations": list(operations), "apiGroups": list(groups).iter().map(|one| group(one)).collect::<Vec<_>>(),
        "apiVersions": list(versions), "resources": list(resources), "scope": scope,
    }))
    .expect("a rule");
    let parts: Vec<&str> = asked.split_whitespace().collect();
    let [operation, gvr, namespace] = parts[..] else { panic!("{asked}") };
    let operation = match operation {
        "CREATE" => Operation::Create,
        "UPDATE" => Operation::Update,
        "DELETE" => Operation::Delete,
        _ => Operation::Connect,
    };
    let gvr: Vec<&str> = gvr.splitn(4, '/').collect();
    let resource = GroupVersionResource {
        group: group(gvr[0]).into(),
        version: gvr[1].to_owned().into(),
        resource: gvr[2].to_owned().into(),
    };
    let subresource = gvr.get(3).copied().unwrap_or_default();
    let namespace = namespace.trim_matches('-');
    rule.takes(&Ask { operation, resource: &resource, subresource, namespace, name: "a" })
}

#[test]
fn rules_take_what_they_name() {
    for line in [
        "CREATE core v1 pods * < CREATE core/v1/pods ns",
        "* * * * * < DELETE apps/v1/deployments ns",
        "CREATE|UPDATE apps|batch * jobs|deployments * < UPDATE batch/v1/jobs ns",
        "CREATE core v1 pods/* * < CREATE core/v1/pods/eviction ns",
        "CREATE core v1 */status * < CREATE core/v1/pods/status ns",
        "* * * */* * < UPDATE core/v1/pods ns",
        "CONNECT core v1 pods/exec * < CONNECT core/v1/pods/exec ns",
        "* core v1 nodes Cluster < UPDATE core/v1/nodes -",
        "* core v1 namespaces Cluster < UPDATE core/v1/namespaces ns",
        "* core v1 pods Namespaced < UPDATE core/v1/pods ns",
    ] {
        assert!(ask(line), "{line}");
    }
}

#[test]
fn rules_leave_the_rest() {
    for line in [
        "CREATE core v1 pods * < UPDATE core/v1/pods ns",
        "CREATE apps v1 pods * < CREATE core/v1/pods ns",
        "CREATE core v2 pods * < CREATE core/v1/pods ns",
        "CREATE core v1 pods * < CREATE core/v1/pods/eviction ns",
        "* * * * * < CREATE core/v1/pods/eviction ns",
        "CREATE core v1 pods/status * < CREATE core/v1/pods ns",
        "* core v1 nodes Namespaced < UPDATE core/v1/nodes -",
        "* core v1 namespaces Namespaced < UPDATE core/v1/namespaces ns",
        "* core v1 pods Cluster < UPDATE core/v1/pods ns",
        "* core v1 pods Other < UPDATE core/v1/pods ns",
    ] {
        assert!(!ask(line), "{line}");
    }
}

#[test]
fn names_bound_a_rule_further() {
    let rule = |names: &[&str]| -> Rule {
        let all = ["*"];
        serde_json::from_value(json!({"operations": all, "apiGroups": all, "apiVersions": all,
            "resources": all, "resourceNames": names}))
        .expect("a rule")
    };
    let resource = GroupVersionResource::new("", "v1", "pods");
    let takes = |names: &[&str], name| {
        let operation = Operation::Create;
        let ask = Ask { operation, resource: &resource, subresource: "", namespace: "ns", name };
        rule(names).takes(&ask)
    };
    assert!(takes(&[], "a") && takes(&["b", "a"], "a"));
    assert!(!takes(&["b"], "a") && !takes(&["b"], ""));
}

#[tokio::test]
async fn no_rules_take_nothing_but_for_who_narrows() {
    let server = crate::server::ApiServer::builder().build().await.expect("a server");
    let none = MatchResources::default();
    let ask = crate::admission::testing::Ask::create(
        windlass_core::scheme::PODS,
        &json!({"metadata": {"name": "x"}}),
    );
    let taken = async |matcher: Matcher| {
        ask.with(&server, async |request| {
            let view = View::of(request).expect("a pod can be looked at");
            matcher.takes(&view, request).await.expect("readable").is_some()
        })
        .await
    };
    assert!(!taken(Matcher::from(&none)).await);
    assert!(taken(Matcher::narrowing(&none)).await);
}
