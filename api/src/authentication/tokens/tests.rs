use super::*;
use crate::local::LocalClient;
use crate::server::ApiServer;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use windlass_core::client::{ClientExt, Key};
use windlass_core::scheme;

async fn whose(tokens: &dyn TokenAuthenticator, token: &str) -> Option<User> {
    tokens.authenticate(token, &[]).await.ok().flatten().map(|known| known.user)
}

#[tokio::test]
async fn a_file_names_users() {
    let text = "# comment\n\nt1,ann,7,\"devs,ops\"\nt2, bob ,8\n\"t,3\",eve,9,one\n";
    let file = TokenFile::parse(text).expect("it is right");
    let ann = whose(&file, "t1").await.expect("known");
    assert_eq!((ann.name.as_str(), ann.uid.as_str()), ("ann", "7"));
    assert_eq!(ann.groups, ["devs", "ops", "system:authenticated"]);
    assert_eq!(whose(&file, "t2").await.expect("known").name, "bob");
    assert_eq!(whose(&file, "t,3").await.expect("known").groups[0], "one");
    assert_eq!(whose(&file, "t").await, None);
    for (text, error) in [
        ("a,b", TokenFileError::Fields(1)),
        ("\n,b,c", TokenFileError::Field(2)),
        ("a,,c", TokenFileError::Field(1)),
        ("\"a,b,c", TokenFileError::Field(1)),
        ("a,b,c\na,d,e", TokenFileError::Twice(2)),
    ] {
        assert_eq!(TokenFile::parse(text).err(), Some(error), "{text}");
    }
}

#[tokio::test]
async fn a_bootstrap_token_is_its_secret() {
    let server = ApiServer::builder().build().await.expect("a server");
    let client = LocalClient::new(server.clone(), User::admin());
    let namespaces = Key::cluster(scheme::NAMESPACES, "");
    client
        .create_from(&namespaces, &json!({"metadata": {"name": "kube-system"}}))
        .await
        .expect("made");
    let make = async |id: &str, more: Value| {
        let mut data = json!({"token-id": id, "token-secret": "0123456789abcdef",
            "usage-bootstrap-authentication": "true"});
        for (key, value) in more.as_object().expect("a map") {
            data[key] = value.clone();
        }
        let secret = json!({"metadata": {"name": format!("bootstrap-token-{id}")},
            "type": "bootstrap.kubernetes.io/token", "stringData": data});
        client
            .create_from(&Key::new(scheme::SECRETS, "kube-system", ""), &secret)
            .await
            .expect("made");
    };
    let later = (server.env().clock.now() + jiff::SignedDuration::from_hours(1)).to_string();
    make("plain0", json!({})).await;
    make("groups", json!({"auth-extra-groups": "system:bootstrappers:a,system:bootstrappers:b-1", "expiration": later})).await;
    make("master", json!({"auth-extra-groups": "system:masters"})).await;
    make("passed", json!({"expiration": "2020-01-01T00:00:00Z"})).await;
    make("rubbis", json!({"expiration": "soon"})).await;
    make("signer", json!({"usage-bootstrap-authentication": "false"})).await;
    make("others", json!({"token-id": "plain0"})).await;
    let tokens =
        BootstrapTokens::new(Arc::new(server.objects().clone()), server.env().clock.clone());
    let known = whose(&tokens, "plain0.0123456789abcdef").await.expect("known");
    assert_eq!(known.name, "system:bootstrap:plain0");
    assert_eq!(known.groups, ["system:bootstrappers", "system:authenticated"]);
    let known = whose(&tokens, "groups.0123456789abcdef").await.expect("known");
    assert_eq!(known.groups[1..3], ["system:bootstrappers:a", "system:bootstrappers:b-1"]);
    for (id, secret) in [
        ("plain0", "0123456789abcdeX"),
        ("plain0", "fedcba9876543210"),
        ("absent", "0123456789abcdef"),
        ("master", "0123456789abcdef"),
        ("passed", "0123456789abcdef"),
        ("rubbis", "0123456789abcdef"),
        ("signer", "0123456789abcdef"),
        ("others", "0123456789abcdef"),
    ] {
        assert_eq!(whose(&tokens, &format!("{id}.{secret}")).await, None, "{id}");
    }
    let other = tokens.authenticate("ey.some.jwt", &[]).await;
    assert_eq!(other.expect("not ours"), None);
}

/// Knows one token, refuses another, and counts how often it is asked.
#[derive(Default)]
struct One(AtomicUsize);

#[async_trait]
impl TokenAuthenticator for Arc<One> {
    async fn authenticate(&self, token: &str, _: &[&str]) -> Result<Option<Recognized>, Status> {
        self.0.fetch_add(1, Ordering::Relaxed);
        match token {
            "bad" => Err(unauthorized()),
            "broken" => Err(Status::internal("away")),
            "ann" => Ok(Some(Recognized { user: User::new("ann", []), audiences: vec![] })),
            _ => Ok(None),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn answers_are_remembered_for_a_while_and_errors_are_not() {
    let one = Arc::new(One::default());
    let cached = Cached::new(one.clone(), Duration::from_secs(60), Duration::from_secs(10));
    for (wait, token, asked) in [
        (0, "ann", 1),
        (59, "ann", 1),
        (2, "ann", 2),
        (0, "x", 3),
        (9, "x", 3),
        (2, "x", 4),
        (0, "bad", 5),
        (9, "bad", 5),
        (2, "bad", 6),
        (0, "broken", 7),
        (0, "broken", 8),
    ] {
        tokio::time::advance(Duration::from_secs(wait)).await;
        assert_eq!(whose(&cached, token).await.is_some(), token == "ann");
        assert_eq!(one.0.load(Ordering::Relaxed), asked, "{token} after {wait} s");
    }
}

#[tokio::test]
async fn kinds_are_asked_one_after_the_other() {
    let tokens = BearerTokens::new(vec!["us".into()]);
    tokens.add(Arc::new(Arc::new(One::default())));
    tokens.add(Arc::new(TokenFile::parse("bad,bob,1\nfine,eve,2").expect("right")));
    let ask = async |token: &str, audiences: &[&str]| {
        let known = tokens.recognize(token, audiences).await;
        known.map(|known| known.map(|known| (known.user.name, known.audiences.join(","))))
    };
    let pair = |name: &str| Ok(Some((name.to_owned(), "us".to_owned())));
    assert_eq!(ask("ann", &[]).await, pair("ann"));
    assert_eq!(ask("bad", &[]).await, pair("bob"), "another kind knows it");
    assert_eq!(ask("fine", &["them", "us"]).await, pair("eve"));
    assert_eq!(ask("fine", &["them"]).await, Ok(None), "meant for the server");
    assert_eq!(ask("rubbish", &[]).await, Ok(None));
    assert_eq!(ask(&"x".repeat(LONGEST + 1), &[]).await, Err(unauthorized()), "too long");
    let request = |header: &str| {
        let request = http::Request::builder().header("authorization", header).body(());
        request.expect("a request").into_parts().0
    };
    for (header, expected) in [
        ("Bearer ann", Ok(true)),
        ("bearer  ann ", Ok(true)),
        ("Basic ann", Ok(false)),
        ("Bearer ", Ok(false)),
        ("Bearer rubbish", Ok(false)),
    ] {
        let known = Authenticator::authenticate(&tokens, &request(header)).await;
        assert_eq!(known.map(|user| user.is_some()), expected, "{header}");
    }
}
