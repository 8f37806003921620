use crate::Http;
use async_trait::async_trait;
use http::{Request, StatusCode};
use serde_json::Value;
use std::sync::Arc;
use windlass_api::authentication::{Authenticator, User};
use windlass_api::authorization::{Attributes, Authorizer, Decision};
use windlass_api::server::ApiServer;
use windlass_core::meta::{Reason, Status};

/// Believes a name in the token.
struct Named;

#[async_trait]
impl Authenticator for Named {
    async fn authenticate(&self, request: &http::request::Parts) -> Result<Option<User>, Status> {
        let given = request.headers.get("authorization").and_then(|value| value.to_str().ok());
        match given.and_then(|value| value.strip_prefix("Bearer ")) {
            None => Ok(None),
            Some("rubbish") => Err(Status::failure(Reason::Unauthorized, "Unauthorized")),
            Some(name) => Ok(Some(User::new(name, []))),
        }
    }
}

/// `boss` may impersonate; whoever is of `readers` may read. Tells nobody else why not.
struct Readers;

#[async_trait]
impl Authorizer for Readers {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let reads = matches!(attributes.verb, "get" | "list" | "watch");
        if (attributes.verb == "impersonate" && attributes.user.name == "boss")
            || (reads && attributes.user.is_in("readers"))
        {
            return Decision::allow();
        }
        Decision::NoOpinion(String::new())
    }
}

async fn http() -> Http {
    let builder = ApiServer::builder();
    let builder = builder.authenticator(Arc::new(Named)).authorizer(Arc::new(Readers));
    Http { server: builder.build().await.expect("a server") }
}

async fn ask(http: &Http, headers: &[(&str, &str)]) -> (StatusCode, Value) {
    let mut request = Request::get("/api/v1/nodes");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let read = http.ask(request, "").await;
    (read.code, read.json())
}

#[tokio::test]
async fn users_are_recognized_or_anonymous() {
    let http = http().await;
    let (code, status) = ask(&http, &[]).await;
    assert_eq!(code, StatusCode::FORBIDDEN);
    let expected = "nodes is forbidden: User \"system:anonymous\" cannot list resource \"nodes\" in API group \"\" at the cluster scope";
    assert_eq!(status["message"], expected);
    assert_eq!(
        ask(&http, &[("authorization", "Bearer rubbish")]).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(ask(&http, &[("authorization", "Bearer jane")]).await.0, StatusCode::FORBIDDEN);
    let read = http.get("/healthz").await;
    assert_eq!(read.code, StatusCode::FORBIDDEN);
    assert_eq!(
        read.json()["message"],
        "forbidden: User \"system:anonymous\" cannot get path \"/healthz\""
    );
}

#[tokio::test]
async fn who_may_can_be_another() {
    let http = self::http().await;
    let jane = ("impersonate-user", "jane");
    let readers = ("impersonate-group", "readers");
    let boss = ("authorization", "Bearer boss");
    assert_eq!(ask(&http, &[boss, jane, readers]).await.0, StatusCode::OK);
    assert_eq!(ask(&http, &[boss, jane]).await.0, StatusCode::FORBIDDEN);
    let (code, status) = ask(&http, &[("authorization", "Bearer joe"), jane, readers]).await;
    assert_eq!(code, StatusCode::FORBIDDEN);
    let expected = "users \"jane\" is forbidden: User \"joe\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope";
    assert_eq!(status["message"], expected);
    assert_eq!(ask(&http, &[boss, readers]).await.0, StatusCode::BAD_REQUEST);
    // A name that can't be read must not leave the boss to do it himself.
    let mut request = Request::get("/api/v1/nodes").header(boss.0, boss.1);
    let garbled = ::http::HeaderValue::from_bytes(&[0xff, 0xfe]).expect("a header may hold this");
    request = request.header(jane.0, garbled);
    assert_eq!(http.ask(request, "").await.code, StatusCode::BAD_REQUEST);
}
