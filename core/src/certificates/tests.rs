use super::*;

const GOOD: &str = include_str!("tests/good.csr");

#[test]
fn what_is_asked_for_is_read() {
    let asked = CertificateRequest::parse(GOOD).unwrap();
    assert_eq!(asked.common_name, "system:node:w");
    assert_eq!(asked.organizations, ["system:nodes"]);
    assert_eq!(asked.dns_names, ["w"]);
    assert_eq!(asked.addresses, ["10.0.0.7".parse::<IpAddr>().unwrap()]);
    assert_eq!(asked.verify_signature(), Ok(()));
    assert!(asked.alternative_names.is_some());
    let mut changed = asked;
    let last = changed.der.len() - 1;
    changed.der[last] ^= 1;
    assert!(matches!(changed.verify_signature(), Err(RequestError::Signature(_))));
}

#[test]
fn what_may_mean_two_things_is_refused() {
    for (pem, why) in [
        (include_str!("tests/twonames.csr"), "more than one common name"),
        (include_str!("tests/twosans.csr"), "more than one subjectAltName"),
        (include_str!("tests/twoattributes.csr"), "more than one subjectAltName"),
        (include_str!("tests/othername.csr"), "a subjectAltName of another kind"),
    ] {
        assert_eq!(CertificateRequest::parse(pem), Err(RequestError::Ambiguous(why)));
    }
    let label = GOOD.replace("CERTIFICATE REQUEST", "CERTIFICATE");
    for bad in ["", "rubbish", &label] {
        assert_eq!(CertificateRequest::parse(bad), Err(RequestError::Label));
    }
}
