use super::*;
use crate::pki::Authority;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

struct Set(Mutex<Timestamp>);

impl Clock for Set {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

#[tokio::test]
async fn a_certificate_without_a_name_is_nobodys() {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let authority = Authority::ephemeral("ca", now).unwrap();
    let authenticator = ClientCertificate::new(Arc::new(Set(Mutex::new(now))));
    let own = authority.client("", &["system:masters"], now).unwrap();
    let own = CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap();
    let (mut request, ()) = http::Request::new(()).into_parts();
    request.extensions.insert(PeerCertificates::new(Arc::from([own])));
    assert_eq!(authenticator.authenticate(&request).await, Ok(None));
}

#[tokio::test]
async fn a_connection_outlives_no_certificate() {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let hour = SignedDuration::from_hours(1);
    let authority = Authority::ephemeral("ca", now).unwrap();
    let own = authority.client_until("ann", &["devs"], (now, now + hour)).unwrap();
    let own = CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap();
    let clock = Arc::new(Set(Mutex::new(now)));
    let authenticator = ClientCertificate::new(clock.clone());
    // One connection: what it showed is read once.
    let (mut request, ()) = http::Request::new(()).into_parts();
    request.extensions.insert(PeerCertificates::new(Arc::from([own])));
    for (at, good) in [
        (now, true),
        (now + hour, true),
        (now + hour + SignedDuration::from_secs(1), false),
        (now - hour, false),
        (now, true),
    ] {
        *clock.0.lock() = at;
        let user = authenticator.authenticate(&request).await;
        let name = user.map(|user| user.unwrap().name);
        assert_eq!(name, if good { Ok("ann".to_owned()) } else { Err(unauthorized()) }, "{at}");
    }
}
