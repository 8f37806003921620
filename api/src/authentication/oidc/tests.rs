use super::*;
use crate::authentication::{OpenId, TokenKeys};
use crate::pki::{Authority, server_tls, token_key};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::json;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use windlass_core::clock::Env;

/// A provider on this machine.
struct Provider {
    issuer: String,
    address: String,
    authority: Authority,
    /// What it serves: None when it is broken.
    documents: Mutex<Option<OpenId>>,
    asked: AtomicUsize,
}

impl Provider {
    async fn start() -> Arc<Self> {
        let authority = Authority::ephemeral("provider", Timestamp::now()).expect("an authority");
        let own = authority.server("provider", &["127.0.0.1".to_owned()], Timestamp::now());
        let tls = server_tls(&own.expect("signed"), authority.certificate(), false).expect("TLS");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let issuer = format!("https://{address}");
        let (documents, asked) = (Mutex::default(), AtomicUsize::default());
        let provider = Arc::new(Self { issuer, address, authority, documents, asked });
        let (serving, acceptor) = (provider.clone(), TlsAcceptor::from(Arc::new(tls)));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("it goes on");
                let (serving, acceptor) = (serving.clone(), acceptor.clone());
                tokio::spawn(async move {
                    // A client that does not trust the provider ends the handshake.
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = hyper::service::service_fn(move |request| {
                        let answer = serving.answer(&request);
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    let builder = hyper_util::server::conn::auto::Builder::new(
                        hyper_util::rt::TokioExecutor::new(),
                    );
                    // Ends with the client.
                    builder.serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        provider
    }

    fn answer(&self, request: &Request<hyper::body::Incoming>) -> Response<Full<Bytes>> {
        let documents = self.documents.lock();
        let body = match (request.uri().path(), &*documents) {
            ("/.well-known/openid-configuration", Some(it)) => Some(it.configuration.clone()),
            ("/openid/v1/jwks", Some(it)) => {
                self.asked.fetch_add(1, Ordering::SeqCst);
                Some(it.keys.clone())
            }
            _ => None,
        };
        let mut response = Response::new(Full::new(body.clone().unwrap_or_default()));
        if body.is_none() {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        response
    }

    /// Signs with a new key from now on.
    fn new_key(&self) -> TokenKeys {
        let (private, public) = token_key(None).expect("a key");
        let keys = TokenKeys::new(&self.issuer, &private, &public).expect("usable");
        *self.documents.lock() = Some(OpenId::new(&keys, &self.address));
        keys
    }

    fn options(&self) -> OidcOptions {
        OidcOptions {
            authority: Some(self.authority.certificate().to_owned()),
            algorithms: vec!["ES256".into()],
            ..OidcOptions::new(&self.issuer, "windlass")
        }
    }

    fn claims(&self, more: Value) -> Value {
        let now = Timestamp::now().as_second();
        let mut claims = json!({"iss": self.issuer, "aud": "windlass", "sub": "7", "exp": now + 600,
            "iat": now, "email": "ann@example.com", "email_verified": true, "groups": ["devs", "ops"]});
        for (key, value) in more.as_object().expect("a map") {
            claims[key] = value.clone();
        }
        claims
    }
}

async fn name(oidc: &Oidc, token: &str) -> Result<Option<String>, Status> {
    Ok(oidc.authenticate(token, &[]).await?.map(|known| known.user.name))
}

#[tokio::test]
async fn tokens_of_a_provider_name_users() {
    let provider = Provider::start().await;
    let keys = provider.new_key();
    let clock = Env::system().clock;
    let oidc = Oidc::new(provider.options(), clock.clone()).expect("usable");
    let sign = |more: Value| keys.sign(&provider.claims(more)).expect("signed");
    let expected = format!("{}#7", provider.issuer);
    assert_eq!(name(&oidc, &sign(json!({}))).await, Ok(Some(expected.clone())));
    assert_eq!(name(&oidc, &sign(json!({"aud": ["x", "windlass"]}))).await, Ok(Some(expected)));
    let now = Timestamp::now().as_second();
    for bad in [
        json!({"aud": "others"}),
        json!({"aud": null}),
        json!({"aud": 7}),
        json!({"aud": []}),
        json!({"exp": now - 1}),
        json!({"exp": null}),
        json!({"nbf": now + 60}),
        json!({"sub": ""}),
        json!({"sub": 7}),
    ] {
        assert_eq!(name(&oidc, &sign(bad.clone())).await, Err(unauthorized()), "{bad}");
    }
    assert_eq!(name(&oidc, &sign(json!({"iss": "https://others"}))).await, Ok(None));
    assert_eq!(name(&oidc, "rubbish").await, Ok(None));
    let good = sign(json!({}));
    let tampered = format!("{}AAAA", &good[..good.len() - 4]);
    assert_eq!(name(&oidc, &tampered).await, Err(unauthorized()));
    let body = good.split('.').nth(1).expect("claims");
    let none = format!("eyJhbGciOiJub25lIn0.{body}.");
    assert!(!matches!(name(&oidc, &none).await, Ok(Some(_))), "alg none");
}

#[tokio::test]
async fn claims_are_mapped_with_prefixes() {
    let provider = Provider::start().await;
    let keys = provider.new_key();
    let mapping =
        |claim: &str, prefix: &str| Mapping { claim: claim.into(), prefix: prefix.into() };
    let mut options = provider.options();
    options.mappings = ClaimMappings {
        username: mapping("email", "oidc:"),
        groups: Some(mapping("groups", "oidc:")),
        uid: Some("sub".into()),
    };
    options.required = BTreeMap::from([("hd".to_owned(), "example.com".to_owned())]);
    let oidc = Oidc::new(options, Env::system().clock).expect("usable");
    let ask = async |more: Value| {
        let token = keys.sign(&provider.claims(more)).expect("signed");
        oidc.authenticate(&token, &[]).await.map(|known| known.map(|known| known.user))
    };
    let user = ask(json!({"hd": "example.com"})).await.expect("good").expect("known");
    assert_eq!((user.name.as_str(), user.uid.as_str()), ("oidc:ann@example.com", "7"));
    assert_eq!(user.groups, ["oidc:devs", "oidc:ops", "system:authenticated"]);
    let user =
        ask(json!({"hd": "example.com", "groups": "one"})).await.expect("good").expect("known");
    assert_eq!(user.groups, ["oidc:one", "system:authenticated"]);
    for bad in [
        json!({}),
        json!({"hd": "other.com"}),
        json!({"hd": "example.com", "email_verified": false}),
        json!({"hd": "example.com", "groups": [1]}),
    ] {
        assert_eq!(ask(bad.clone()).await, Err(unauthorized()), "{bad}");
    }
}

#[tokio::test]
async fn a_new_key_is_found_and_rubbish_does_not_make_it_ask() {
    let provider = Provider::start().await;
    let old = provider.new_key();
    let oidc = Oidc::new(provider.options(), Env::system().clock).expect("usable");
    let token = |keys: &TokenKeys| keys.sign(&provider.claims(json!({}))).expect("signed");
    assert!(name(&oidc, &token(&old)).await.is_ok());
    let new = provider.new_key();
    assert!(name(&oidc, &token(&new)).await.is_err(), "it has just asked");
    assert!(name(&oidc, &token(&new)).await.is_err());
    assert_eq!(provider.asked.load(Ordering::SeqCst), 1);
    later(Duration::from_secs(11)).await;
    assert!(name(&oidc, &token(&new)).await.is_ok(), "it asks again for a key it does not know");
    assert!(name(&oidc, &token(&old)).await.is_err(), "the old one was withdrawn");
    // The provider is away: what is known holds on.
    *provider.documents.lock() = None;
    later(Duration::from_secs(4000)).await;
    assert!(name(&oidc, &token(&new)).await.is_ok());
}

async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_provider_of_another_authority_is_not_believed() {
    let (provider, other) = (Provider::start().await, Provider::start().await);
    let keys = provider.new_key();
    let mut options = provider.options();
    options.authority = Some(other.authority.certificate().to_owned());
    let oidc = Oidc::new(options, Env::system().clock).expect("usable");
    let token = keys.sign(&provider.claims(json!({}))).expect("signed");
    assert!(oidc.authenticate(&token, &[]).await.is_err());
    for (issuer, algorithm) in [
        ("http://a.b", "RS256"),
        ("a.b", "RS256"),
        ("https://a.b", "HS256"),
        ("https://a.b", "none"),
    ] {
        let options =
            OidcOptions { algorithms: vec![algorithm.into()], ..OidcOptions::new(issuer, "x") };
        assert!(Oidc::new(options, Env::system().clock).is_err(), "{issuer} {algorithm}");
    }
}
