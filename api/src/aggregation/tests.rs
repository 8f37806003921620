use super::local::{Found, Kept, Step, plan, wanted};
use super::location::locate;
use super::routes::Routes;
use super::service::{ApiService, ServiceReference, Spec};
use crate::nodes::proxy::service::{EndpointSlice, Service};
use serde_json::json;
use std::collections::BTreeMap;
use windlass_core::Object;
use windlass_core::scheme::{GroupVersion, GroupVersionKind, read_resources};

fn versions() -> Vec<(GroupVersion, bool)> {
    vec![
        (GroupVersion::new("", "v1"), false),
        (GroupVersion::new("autoscaling", "v2"), false),
        (GroupVersion::new("apiregistration.k8s.io", "v1"), false),
        (GroupVersion::new("example.com", "v1"), true),
    ]
}

#[test]
fn each_group_version_has_one_with_its_priority() {
    let all = wanted(versions());
    let read = |name: &str| {
        let one = &all[name];
        (one.spec.group_priority_minimum, one.spec.version_priority, one.kept)
    };
    assert_eq!(all.len(), 3);
    assert_eq!(read("v1."), (18_000, 1, Kept::OnStart));
    assert_eq!(read("v2.autoscaling"), (17_500, 30, Kept::OnStart));
    assert_eq!(read("v1.example.com"), (1000, 100, Kept::Always));
    let object = all["v1.example.com"].object("v1.example.com");
    assert_eq!(object["metadata"]["labels"]["kube-aggregator.kubernetes.io/automanaged"], "true");
}

#[test]
fn what_users_make_stays_theirs() {
    let all = wanted(versions());
    let of_user = Found { spec: Spec::default(), kept: None };
    let stale = Found { spec: Spec::default(), kept: Some(Kept::Always) };
    let gone = Found { spec: Spec::default(), kept: Some(Kept::OnStart) };
    let found = BTreeMap::from([
        ("v1.".to_owned(), of_user),
        ("v1.example.com".to_owned(), stale.clone()),
        ("v1.gone.example.com".to_owned(), stale),
        ("v1.old".to_owned(), gone),
    ]);
    let update = Step::Update("v1.example.com".into());
    let delete = |name: &str| Step::Delete(name.into());
    let at_start = [
        update.clone(),
        Step::Create("v2.autoscaling".into()),
        delete("v1.gone.example.com"),
        delete("v1.old"),
    ];
    assert_eq!(plan(&all, &found, true), at_start);
    assert_eq!(plan(&all, &found, false), [update, delete("v1.gone.example.com")]);
}

#[test]
fn what_is_served_beside_kubernetes_own_may_be_given_away() {
    let metrics = GroupVersion::new("metrics.k8s.io", "v1beta1");
    let all = wanted([(metrics, false), (GroupVersion::new("apps", "v1"), false)]);
    let given = Spec { service: Some(ServiceReference::default()), ..Spec::default() };
    let given = Found { spec: given, kept: Some(Kept::OnStart) };
    let found = ["v1beta1.metrics.k8s.io", "v1.apps"].map(|name| (name.to_owned(), given.clone()));
    assert_eq!(plan(&all, &found.into(), true), [Step::Update("v1.apps".into())]);
}

fn reason(service: Option<&Service>, slices: &[EndpointSlice]) -> String {
    let (namespace, name) = ("a".to_owned(), "b".to_owned());
    let reference = ServiceReference { namespace, name, port: Some(443) };
    match locate(&reference, service, slices, 1) {
        Ok(backend) => backend.authority(),
        Err(fault) => format!("{}: {}", fault.reason, fault.message),
    }
}

#[test]
fn a_service_leads_to_ready_endpoints_or_to_a_reason() {
    let service = |port: u16| -> Service {
        serde_json::from_value(json!({"spec": {"ports": [{"name": "https", "port": port}]}}))
            .expect("a service")
    };
    let slice = |ready: bool| -> EndpointSlice {
        serde_json::from_value(json!({
            "ports": [{"name": "https", "port": 8443}],
            "endpoints": [
                {"addresses": ["10.0.0.1"], "conditions": {"ready": ready}},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": ready}},
            ],
        }))
        .expect("a slice")
    };
    assert_eq!(reason(None, &[]), r#"ServiceNotFound: service/b in "a" is not present"#);
    let port = r#"ServicePortError: service/b in "a" is not listening on port 443"#;
    assert_eq!(reason(Some(&service(80)), &[]), port);
    let none = r#"EndpointsNotFound: cannot find endpoints for service/b in "a""#;
    assert_eq!(reason(Some(&service(443)), &[]), none);
    let missing = r#"MissingEndpoints: endpoints for service/b in "a" have no addresses with port name "https""#;
    assert_eq!(reason(Some(&service(443)), &[slice(false)]), missing);
    assert_eq!(reason(Some(&service(443)), &[slice(true)]), "10.0.0.2:8443");
    let external = json!({"spec": {"type": "ExternalName", "externalName": "api.example.com"}});
    let external = serde_json::from_value(external).expect("a service");
    assert_eq!(reason(Some(&external), &[]), "api.example.com:443");
}

#[test]
fn what_others_serve_is_read() {
    let version = GroupVersion::new("example.com", "v1");
    let list = json!({"resources": [
        {"name": "ships/scale", "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": ["get"]},
        {"name": "ships", "singularName": "ship", "namespaced": true, "kind": "Ship", "verbs": ["get", "list"], "shortNames": ["sh"]},
        {"name": "ships/status", "kind": "Ship", "verbs": ["get"]},
    ]});
    let read = read_resources(&version, list.to_string().as_bytes()).expect("a list");
    assert_eq!((read.len(), &*read[0].kind, &*read[0].short_names[0]), (1, "Ship", "sh"));
    let parts: Vec<_> = read[0].subresources.iter().map(|part| (&*part.name, &part.gvk)).collect();
    let scale = GroupVersionKind::new("autoscaling", "v1", "Scale");
    assert_eq!(parts, [("scale", &scale), ("status", &version.with_kind("Ship"))]);
    assert!(read_resources(&version, b"no").is_err());
}

#[test]
fn a_server_is_silent_until_it_says_what_it_serves() {
    let (routes, version) = (Routes::default(), GroupVersion::new("example.com", "v1"));
    assert!(!routes.is_silent(&version), "nobody is asked for it");
    let object = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": "v1.example.com", "uid": "u"},
        "spec": {"group": "example.com", "version": "v1", "service": {"namespace": "ns", "name": "s"}}});
    let object = Object::from_wire(object.to_string().into()).unwrap();
    let service: ApiService = object.view().unwrap();
    assert!(routes.apply(&object, &service));
    assert!(routes.is_silent(&version));
    assert!(routes.named("v1.example.com").unwrap().set_resources(vec![]), "that is an answer");
    assert!(!routes.is_silent(&version));
}
