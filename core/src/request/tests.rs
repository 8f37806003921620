use super::*;
use crate::scheme;
use http::Method;
use proptest::prelude::*;

fn about(method: Method, path: &str) -> (Verb, Option<Key>) {
    let (path, query) =
        path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let info = parse(&method, path, query);
    let key = match &info.target {
        Target::Resource(target) => Some(target.key()),
        Target::Path => None,
    };
    (info.verb, key)
}

#[test]
fn paths_are_read_and_written_alike() {
    let pod = Key::new(scheme::PODS, "a", "b");
    for key in [
        pod.clone(),
        pod.clone().subresource("status"),
        Key::new(scheme::DEPLOYMENTS, "a", "x:y.z"),
        Key::cluster(scheme::NODES, "n"),
        Key::cluster(scheme::NAMESPACES, "n").subresource("status"),
    ] {
        assert_eq!(about(Method::GET, &key_path(&key)), (Verb::Get, Some(key)));
    }
}

#[test]
fn verbs_follow_method_and_path() {
    for (method, path, verb) in [
        (Method::GET, "/api/v1/pods", Verb::List),
        (Method::GET, "/api/v1/pods?watch=1", Verb::Watch),
        (Method::GET, "/api/v1/watch/pods", Verb::Watch),
        (Method::GET, "/api/v1/namespaces", Verb::List),
        (Method::GET, "/api/v1/namespaces/a", Verb::Get),
        (Method::GET, "/api/v1/namespaces/a/pods", Verb::List),
        (Method::GET, "/api/v1/namespaces/a/pods/b?watch=true", Verb::Watch),
        (Method::POST, "/api/v1/namespaces/a/pods/b/exec?command=a&command=b", Verb::Create),
        (Method::PUT, "/apis/apps/v1/namespaces/a/deployments/d", Verb::Update),
        (Method::PATCH, "/apis/apps/v1/namespaces/a/deployments/d", Verb::Patch),
        (Method::DELETE, "/api/v1/namespaces/a/pods", Verb::DeleteCollection),
        (Method::DELETE, "/api/v1/namespaces/a", Verb::Delete),
    ] {
        let (got, key) = about(method, path);
        assert_eq!(got, verb, "{path}");
        assert!(key.is_some(), "{path}");
    }
}

#[test]
fn other_paths_are_no_resources() {
    for path in [
        "/",
        "/healthz",
        "/api",
        "/api/v1",
        "/apis/apps",
        "/apis/apps/v1",
        "/openapi/v3/apis/apps/v1",
    ] {
        assert_eq!(about(Method::GET, path), (Verb::Get, None), "{path}");
    }
}

#[test]
fn names_that_hide_a_path_name_nothing() {
    for path in [
        "/api/v1/namespaces/a/secrets/x%2Fy",
        "/api/v1/namespaces/a%2Fb/secrets",
        "/api/v1/namespaces/a/secrets/..",
        "/api/v1/namespaces/%2e%2e/secrets",
        "/api/v1/namespaces/a/secrets/x%00",
    ] {
        assert_eq!(about(Method::GET, path), (Verb::Get, None), "{path}");
    }
}

#[test]
fn words_are_known_in_any_writing() {
    for path in ["/api/v1/name%73paces/a/secrets", "/%61pi/v1/namespaces/a/%73ecrets"] {
        assert_eq!(about(Method::GET, path), about(Method::GET, "/api/v1/namespaces/a/secrets"));
    }
    let watch = about(Method::GET, "/api/v1/w%61tch/namespaces/a/secrets");
    assert_eq!(watch.0, Verb::Watch);
}

#[test]
fn flags_are_set_unless_they_say_no() {
    for (query, verb) in [
        ("watch", Verb::Watch),
        ("watch=TRUE", Verb::Watch),
        ("watch=0", Verb::List),
        ("watch=False", Verb::List),
        ("watch=0&watch=1", Verb::List),
    ] {
        assert_eq!(about(Method::GET, &format!("/api/v1/pods?{query}")).0, verb, "{query}");
    }
}

#[test]
fn proxy_paths_keep_their_rest() {
    let info =
        parse(&Method::GET, "/api/v1/namespaces/a/services/s:80/proxy/x/y/", Some("q=a%20b+c"));
    let Target::Resource(target) = info.target else { panic!("a resource") };
    assert_eq!((target.rest.as_str(), target.subresource.as_deref()), ("x/y/", Some("proxy")));
    assert_eq!(info.query, [("q".to_owned(), "a b c".to_owned())]);
}

proptest! {
    #[test]
    fn every_name_finds_its_way_back(namespace in "[a-z][-a-z0-9.]{0,8}x", name in "[^/\\x00]{1,12}") {
        prop_assume!(name != "." && name != "..");
        let key = Key::new(scheme::SECRETS, namespace, name);
        prop_assert_eq!(about(Method::GET, &key_path(&key)), (Verb::Get, Some(key)));
    }

    #[test]
    fn any_path_can_be_read(path in "(/(api|apis|v1|namespaces|a|watch|%2F|\\PC{0,3})){0,8}/?", query in "\\PC{0,20}") {
        let info = parse(&Method::GET, &path, Some(&query));
        if let Target::Resource(target) = info.target {
            prop_assert!(!target.name.unwrap_or_default().contains('/'));
            prop_assert!(!target.namespace.unwrap_or_default().contains('/'));
        }
    }
}
