use super::*;
use crate::pki::Authority;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use windlass_core::clock::Env;

fn proxies() -> Authority {
    Authority::ephemeral("front-proxy-ca", Timestamp::now()).expect("an authority")
}

async fn ask(
    trusted: &Authority,
    shown: &Authority,
    name: &str,
    headers: &[(&str, &str)],
) -> Result<Option<User>, Status> {
    let own = shown.client(name, &[], Timestamp::now()).expect("signed").certificate;
    let own = CertificateDer::from_pem_slice(own.as_bytes()).expect("a certificate");
    let mut request = http::Request::new(());
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().expect("a name");
        request.headers_mut().append(name, value.parse().expect("a value"));
    }
    request.extensions_mut().insert(PeerCertificates::new([own].into()));
    let allowed = ["front-proxy-client".to_owned()];
    let known = RequestHeader::new(trusted.certificate(), allowed, Env::system().clock);
    known.expect("an authority").authenticate(&request.into_parts().0).await
}

const ANN: [(&str, &str); 5] = [
    ("x-remote-user", "ann"),
    ("x-remote-group", "a"),
    ("x-remote-group", "b"),
    ("x-remote-extra-example.com%2Fscopes", "x"),
    ("x-remote-uid", "7"),
];

#[tokio::test]
async fn a_proxy_says_who_asks() {
    let trusted = proxies();
    let user = ask(&trusted, &trusted, "front-proxy-client", &ANN).await.expect("known");
    let user = user.expect("named");
    assert_eq!((user.name.as_str(), user.uid.as_str()), ("ann", "7"));
    assert_eq!(user.groups, ["a", "b"]);
    assert_eq!(user.extra["example.com/scopes"], ["x"]);
}

#[tokio::test]
async fn nobody_else_does() {
    let trusted = proxies();
    let other = ask(&trusted, &proxies(), "front-proxy-client", &ANN).await.expect("not meant");
    assert_eq!(other, None);
    let unknown = ask(&trusted, &trusted, "mallory", &ANN).await.expect_err("not allowed");
    assert_eq!(unknown.code, 401);
    let silent = ask(&trusted, &trusted, "front-proxy-client", &[]).await.expect_err("no user");
    assert_eq!(silent.code, 401);
}
