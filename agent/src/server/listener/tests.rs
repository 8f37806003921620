use super::ServerTls;
use std::sync::Arc;

#[test]
fn a_client_has_its_name_and_its_organization() {
    let resolver = rustls::server::ResolvesServerCertUsingSni::new();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_cert_resolver(Arc::new(resolver));
    let clients = vec!["kube-apiserver-kubelet-client".to_owned()];
    let tls =
        ServerTls { config: Arc::new(config), clients, organization: "system:masters".into() };
    assert!(tls.lets_in(include_bytes!("tests/masters.der")));
    for (certificate, what) in [
        (&include_bytes!("tests/name.der")[..], "the name alone"),
        (include_bytes!("tests/admin.der"), "the organization alone"),
        (b"rubbish", "none"),
    ] {
        assert!(!tls.lets_in(certificate), "{what}");
    }
}
