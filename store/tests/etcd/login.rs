//! Who one is: certificates, and etcd's own users.

use crate::cluster::{Cluster, next_keys, put};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use std::path::Path;
use std::time::Duration;
use windlass_store::{Error, Etcd, EtcdOptions, EtcdTls, KeyRange, Read, Watch};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for 127.0.0.1, and its key.
    fn sign(&self) -> (String, String) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn client(&self) -> EtcdTls {
        let (certificate, key) = self.sign();
        EtcdTls { ca: self.pem.clone().into(), identity: Some((certificate.into(), key.into())) }
    }
}

fn write(dir: &Path, name: &str, content: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Files that both sides use, and a cluster that asks for certificates.
fn start(authority: &Authority, dir: &Path) -> Cluster {
    let (certificate, key) = authority.sign();
    let ca = write(dir, "ca.crt", &authority.pem);
    let (certificate, key) = (write(dir, "etcd.crt", &certificate), write(dir, "etcd.key", &key));
    let tls = ["--client-cert-auth", "--trusted-ca-file", &ca, "--cert-file", &certificate];
    Cluster::spawn(1, "https", &[&tls[..], &["--key-file", &key]].concat(), |_| {})
}

#[tokio::test]
async fn certificates_are_shown_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let cluster = start(&authority, dir.path());
    let with = |tls| EtcdOptions { tls: Some(tls), ..cluster.options() };
    let store = Etcd::connect(with(authority.client())).await.unwrap();
    let mut stream = store.watch(KeyRange::all(), 1).await.unwrap();
    put(&store, "a", "1").await.unwrap();
    assert_eq!(next_keys(&mut stream).await.0, 2);

    let (ca, certificate, key) =
        (dir.path().join("ca.crt"), dir.path().join("etcd.crt"), dir.path().join("etcd.key"));
    let tls = EtcdTls::from_files(&ca, Some((&certificate, &key))).unwrap();
    let shown = format!("{:?}", with(tls.clone()));
    assert!(!shown.contains("PRIVATE") && !shown.contains("45, 45"), "{shown}");
    let same = Etcd::connect(with(tls)).await.unwrap();
    assert_eq!(same.get(b"a", None).await.unwrap().unwrap().value, "1");
    let error = EtcdTls::from_files(&dir.path().join("none"), None).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");

    let impatient = Duration::from_secs(1);
    let nobody = EtcdTls { identity: None, ..authority.client() };
    let stranger = EtcdTls { ca: authority.pem.clone().into(), ..Authority::new().client() };
    let distrusting = EtcdTls { ca: Authority::new().pem.into(), ..authority.client() };
    for tls in [nobody, stranger, distrusting] {
        let options = EtcdOptions { deadline: impatient, ..with(tls) };
        let error = Etcd::connect(options).await.err().expect("it is refused");
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
    }
    for endpoints in [cluster.endpoints(), vec!["127.0.0.1:2".into()], vec![]] {
        let error = Etcd::connect(EtcdOptions::new(endpoints)).await.err().expect("it is refused");
        assert!(matches!(error, Error::Invalid(_)), "{error}");
    }
}

#[tokio::test]
async fn users_log_in_with_a_password() {
    let cluster = Cluster::start(1).await;
    let mut admin = etcd_client::Client::connect(cluster.endpoints(), None).await.unwrap();
    admin.user_add("root", "secret", None).await.unwrap();
    admin.role_add("root").await.unwrap();
    admin.user_grant_role("root", "root").await.unwrap();
    admin.auth_enable().await.unwrap();
    let with = |user: Option<(&str, &str)>| EtcdOptions {
        user: user.map(|(name, password)| (name.into(), password.into())),
        ..cluster.options()
    };
    let options = with(Some(("root", "secret")));
    assert!(!format!("{options:?}").contains("secret"));
    let store = Etcd::connect(options).await.unwrap();
    let mut stream = store.watch(KeyRange::all(), 1).await.unwrap();
    put(&store, "a", "1").await.unwrap();
    assert_eq!(next_keys(&mut stream).await.0, 2);
    for user in [None, Some(("root", "wrong"))] {
        let error = Etcd::connect(with(user)).await.err().expect("it is refused");
        assert!(matches!(error, Error::Invalid(_)), "{error}");
    }
}
