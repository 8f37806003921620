//! Certificates of the server and of its clients.

use crate::wire::kv_client::KvClient;
use crate::wire::range;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::sync::Arc;
use tokio::net::TcpListener;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use windlass_store::server::{EtcdServer, Tls};
use windlass_store::{Error, Memory};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn certificate(authority: &Authority) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

async fn get(port: u16, config: ClientTlsConfig) -> Result<(), Box<dyn std::error::Error>> {
    let endpoint = Channel::from_shared(format!("https://localhost:{port}"))?;
    let channel = endpoint.tls_config(config)?.connect().await?;
    KvClient::new(channel).range(range("a", "")).await?;
    Ok(())
}

#[tokio::test]
async fn clients_show_a_certificate_where_one_is_required() {
    let (servers, clients, strangers) = (authority(), authority(), authority());
    let (cert, key) = certificate(&servers);
    let trusts = || ClientTlsConfig::new().ca_certificate(Certificate::from_pem(servers.pem()));
    let shows = |authority| {
        let (cert, key) = certificate(authority);
        trusts().identity(Identity::from_pem(cert, key))
    };
    for (client_ca, required) in
        [(None, false), (Some(clients.pem()), false), (Some(clients.pem()), true)]
    {
        let tls = Tls {
            cert: cert.clone().into(),
            key: key.clone().into(),
            client_ca: client_ca.clone().map(Into::into),
            client_cert_required: required,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = EtcdServer::new(Arc::new(Memory::new()));
        let serving = tokio::spawn(server.serve(listener, Some(tls), std::future::pending()));
        assert_eq!(get(port, trusts()).await.is_ok(), !required);
        assert!(get(port, shows(&clients)).await.is_ok());
        assert_eq!(get(port, shows(&strangers)).await.is_ok(), client_ca.is_none());
        assert!(get(port, ClientTlsConfig::new()).await.is_err(), "the server is not known");
        serving.abort();
    }
}

#[tokio::test]
async fn what_is_no_certificate_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (cert, key) = (b"nothing".to_vec(), b"nothing".to_vec());
    let tls = Tls { cert, key, client_ca: None, client_cert_required: false };
    let server = EtcdServer::new(Arc::new(Memory::new()));
    let served = server.serve(listener, Some(tls), std::future::pending()).await;
    assert!(matches!(served, Err(Error::Invalid(_))), "{served:?}");
}
