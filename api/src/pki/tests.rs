use super::*;
use std::os::unix::fs::PermissionsExt;

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
    let client = authority.client("ann", &["g1"], now).expect("signed");
    parsed(&client.certificate, |certificate| {
        assert_eq!(certificate.subject().to_string(), "O=g1, CN=ann");
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

#[test]
fn a_client_is_of_all_its_groups() {
    let now = Timestamp::from_second(1_800_000_000).expect("in range");
    let authority = Authority::ephemeral("ca", now).expect("made");
    let groups = ["system:masters", "devs", "ops, and more"];
    let hour = now + SignedDuration::from_hours(1);
    let client = authority.client_until("ann", &groups, (now, hour)).expect("signed");
    parsed(&client.certificate, |certificate| {
        let subject = certificate.subject();
        let named: Vec<_> =
            subject.iter_organization().map(|o| o.as_str().expect("text")).collect();
        assert_eq!(named, groups);
        let validity = certificate.validity();
        assert_eq!(validity.not_after.timestamp(), hour.as_second());
        assert_eq!(validity.not_before.timestamp(), now.as_second() - 300);
    });
    let (from, until) = (now.as_second() - 300, hour.as_second());
    let renewed = renew_at(&client.certificate).expect("a certificate").as_second();
    assert_eq!(renewed, from + (until - from) / 5 * 4);
    let beyond = now + SignedDuration::from_hours(24 * 10_000);
    let long = authority.client_until("ann", &[], (now, beyond)).expect("signed");
    parsed(&long.certificate, |certificate| {
        let ca = one_certificate(authority.certificate()).expect("PEM");
        let (_, ca) = X509Certificate::from_der(&ca).expect("a certificate");
        assert_eq!(certificate.validity().not_after, ca.validity().not_after, "no longer than it");
        assert!(certificate.verify_signature(Some(ca.public_key())).is_ok());
    });
}

#[test]
fn requests_are_signed_as_they_are() {
    let now = Timestamp::from_second(1_800_000_000).expect("in range");
    let authority = Authority::ephemeral("ca", now).expect("made");
    let names = ["worker".to_owned()];
    let wanted = RequestFor {
        user: "system:node:worker",
        group: "system:nodes",
        names: &names,
        addresses: &["10.0.0.7".parse().expect("an address")],
    };
    let (key, request) = certificate_request(wanted).expect("a request");
    let usages: Vec<_> = ["digital signature", "key encipherment", "server auth"]
        .map(Usage::named)
        .into_iter()
        .flatten()
        .collect();
    let until = now + SignedDuration::from_hours(24);
    let signed = authority.sign_request(&request, &usages, (now, until)).expect("signed");
    parsed(&signed, |certificate| {
        assert_eq!(certificate.subject().to_string(), "O=system:nodes, CN=system:node:worker");
        let names = certificate.subject_alternative_name().expect("valid").expect("there");
        assert_eq!(names.value.general_names.len(), 2);
        let usage = certificate.key_usage().expect("valid").expect("there").value;
        assert!(usage.digital_signature() && usage.key_encipherment() && !usage.key_agreement());
        let extended = certificate.extended_key_usage().expect("valid").expect("there").value;
        assert!(extended.server_auth && !extended.client_auth);
        assert!(!certificate.is_ca());
    });
    let own = KeyedCertificate { certificate: signed, key };
    let shown = CertificateResolver::new(&own).expect("the key is the certificate's");
    let other = authority.client("ann", &[], now).expect("signed");
    let mixed = KeyedCertificate { key: other.key.clone(), ..own };
    assert!(shown.replace(&mixed).is_err(), "another's key");
    assert!(shown.replace(&other).is_ok());
    // Tampered with: another name, the old signature.
    let der = one_certificate(&request).expect("PEM");
    let at = der.windows(6).position(|part| part == b"worker").expect("it is named");
    let mut changed = der;
    changed[at] = b'W';
    let changed = pem("CERTIFICATE REQUEST", &changed);
    let refusal = authority.sign_request(&changed, &usages, (now, until)).expect_err("tampered");
    assert!(refusal.to_string().contains("unable to verify"), "{refusal}");
    for bad in ["", "x", authority.certificate()] {
        assert!(authority.sign_request(bad, &usages, (now, until)).is_err(), "{bad}");
    }
}

#[test]
fn a_link_is_not_followed() {
    let dir = tempfile::tempdir().expect("a folder");
    let (own, other) = (dir.path().join("own.key"), dir.path().join("other"));
    std::fs::write(&other, "theirs").expect("written");
    std::os::unix::fs::symlink(&other, dir.path().join("own.key.part")).expect("linked");
    write_private(&own, b"secret").expect("written");
    assert_eq!(std::fs::read(&other).expect("there"), b"theirs");
    let is = std::fs::symlink_metadata(&own).expect("there");
    assert!(is.is_file() && is.permissions().mode() & 0o777 == 0o600);
}
