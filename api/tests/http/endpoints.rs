//! Every endpoint of Kubernetes' own server, asked for once.

use crate::Http;
use http::{Method, Request, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_api::authentication::{BearerTokens, TokenKeys};
use windlass_api::authorization::{AlwaysAllow, Rbac};
use windlass_api::nodes::{NodeClient, connects};
use windlass_api::pki::{Authority, CertificateResolver, token_key};
use windlass_api::reviews::Reviews;
use windlass_api::server::ApiServer;

/// The endpoints of Kubernetes 1.36: path, method, action, kind.
const ENDPOINTS: &str = include_str!("endpoints.tsv");

/// What is not served, and why not: part of a path, and the reason.
const LEFT_OUT: [(&str, &str); 3] = [
    ("/logs/", "files of the server's machine, which Kubernetes has off by default"),
    ("/apis/internal.apiserver.k8s.io/", "the bookkeeping of servers of mixed versions, alpha"),
    ("/apis/storagemigration.k8s.io/", "a group that has a beta version only"),
];

/// A line of the table.
struct Endpoint {
    path: &'static str,
    method: Method,
    action: &'static str,
}

// === impl Endpoint ===

impl Endpoint {
    fn parse(line: &'static str) -> Self {
        let mut columns = line.split('\t');
        let mut next = || columns.next().expect("four columns");
        let (path, method, action) = (next(), next(), next());
        Self { path, method: method.parse().expect("a method"), action }
    }

    /// Why it is not served.
    fn left_out(&self) -> Option<&'static str> {
        let named = LEFT_OUT.iter().find(|(part, _)| self.path.contains(part));
        let mut words = self.path.split('/');
        let unstable = words.any(|word| word.starts_with('v') && !is_stable(word));
        named
            .map(|(_, why)| *why)
            .or(unstable.then_some("an alpha or beta version, off by default"))
    }

    /// The path of something that is not there, and may be asked for.
    fn uri(&self) -> String {
        let named = self.path.replace("{namespace}", "default").replace("{name}", "absent");
        let whole = named.replace("{path}", "x").replace("{logpath}", "x");
        if matches!(self.action, "watch" | "watchlist") {
            whole + "?timeoutSeconds=1"
        } else {
            whole
        }
    }

    /// Whether the server knows it: an object that is missing is another matter.
    async fn is_served(&self, http: &Http) -> bool {
        let request = Request::builder().method(self.method.clone()).uri(self.uri());
        let patch = request.header("content-type", "application/merge-patch+json");
        let response = http.send(patch, "{}".into()).await;
        match response.status() {
            StatusCode::METHOD_NOT_ALLOWED => false,
            StatusCode::NOT_FOUND => names_an_object(response).await,
            code => code.as_u16() < 500 || self.action == "connect",
        }
    }
}

/// `v1` and `v2`, and any other word that is no version.
fn is_stable(word: &str) -> bool {
    let version = word[1..].starts_with(|c: char| c.is_ascii_digit());
    !version || word[1..].chars().all(|c| c.is_ascii_digit())
}

async fn names_an_object(response: http::Response<windlass_api::endpoints::Body>) -> bool {
    use http_body_util::BodyExt;
    let body = response.into_body().collect().await.expect("a whole answer").to_bytes();
    let status: Value = serde_json::from_slice(&body).unwrap_or_default();
    status["details"]["name"].is_string()
}

/// With all that only a whole cluster has: ways to its nodes, and keys.
async fn server() -> Http {
    let authority = Authority::ephemeral("ca", Timestamp::now()).expect("an authority");
    let own = authority.client("apiserver", &["system:masters"], Timestamp::now());
    let own = CertificateResolver::new(&own.expect("signed")).expect("usable");
    let nodes = NodeClient::new(&own, authority.certificate()).expect("a client");
    let (private, public) = token_key(None).expect("a key");
    let keys = TokenKeys::new("https://issuer.test", &private, &public).expect("keys");
    let keys = Arc::new(keys);
    let rbac = Arc::new(Rbac::default());
    let tokens = Arc::new(BearerTokens::new(Vec::new()));
    let reviews = Reviews { authorizer: Arc::new(AlwaysAllow), rbac, keys: keys.clone(), tokens };
    let builder = ApiServer::builder().openid(keys);
    let builder = reviews
        .creaters()
        .into_iter()
        .fold(builder, |builder, (gvr, name, creater)| builder.creater(gvr, name, creater));
    let builder = connects(nodes)
        .into_iter()
        .fold(builder, |builder, (gvr, name, connect)| builder.connect(gvr, name, connect));
    Http::with(builder).await
}

#[tokio::test]
async fn every_endpoint_is_served_or_left_out_for_a_reason() {
    let http = server().await;
    let (mut served, mut left_out, mut missing) = (0, BTreeMap::new(), Vec::new());
    for endpoint in ENDPOINTS.lines().skip(1).map(Endpoint::parse) {
        match (endpoint.is_served(&http).await, endpoint.left_out()) {
            (true, None) => served += 1,
            (false, Some(why)) => *left_out.entry(why).or_insert(0) += 1,
            (is_served, _) => missing.push((endpoint.method, endpoint.path, is_served)),
        }
    }
    println!("{served} endpoints are served; left out: {left_out:#?}");
    let lines: Vec<String> = missing.iter().map(|m| format!("{m:?}")).collect();
    assert!(lines.is_empty(), "not as said (true: served):\n{}", lines.join("\n"));
}
