use super::*;
use std::os::unix::fs::PermissionsExt;
use x509_parser::prelude::{FromDer, X509Certificate};

fn parsed(pem: &str, check: impl FnOnce(&X509Certificate<'_>)) {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).expect("PEM");
    check(&X509Certificate::from_der(&pem.contents).expect("a certificate").1);
}

#[test]
fn an_authority_is_kept_with_a_private_key_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let now = Timestamp::UNIX_EPOCH;
    let first = Authority::open(dir.path(), "ca", now).expect("made");
    let again = Authority::open(dir.path(), "ca", now).expect("read");
    assert_eq!(first.certificate(), again.certificate());
    let mode = dir.path().join("ca.key").metadata().expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn certificates_name_users_a_group_and_hosts() {
    let dir = tempfile::tempdir().expect("a folder");
    let authority = Authority::open(dir.path(), "ca", Timestamp::UNIX_EPOCH).expect("made");
    let now = Timestamp::UNIX_EPOCH;
    let client = authority.client("ann", "g1", now).expect("signed");
    parsed(&client.certificate, |certificate| {
        assert_eq!(certificate.subject().to_string(), "CN=ann, O=g1");
    });
    let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let server = authority.server("api", &hosts, now).expect("signed");
    parsed(&server.certificate, |certificate| {
        let names = certificate.subject_alternative_name().expect("valid").expect("there");
        assert_eq!(names.value.general_names.len(), 2);
    });
    assert!(server_tls(&server, authority.certificate(), true).is_ok());
    assert!(!format!("{server:?}").contains("PRIVATE KEY"));
    let config = kubeconfig("https://x:6443", authority.certificate(), "ann", &client);
    assert!(config.contains("current-context: windlass"), "{config}");
}

#[test]
fn what_is_no_certificate_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("ca.crt"), "x").expect("written");
    assert!(Authority::open(dir.path(), "ca", Timestamp::UNIX_EPOCH).is_err());
}

#[test]
fn the_token_key_is_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let (first, again) =
        (token_key(Some(dir.path())).expect("made"), token_key(Some(dir.path())).expect("read"));
    assert_eq!(first, again);
    assert_ne!(first, token_key(None).expect("made"));
}
