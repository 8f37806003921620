//! The fuzz targets of `api/fuzz` on a stable compiler: bytes that are nearly right, changed at random from a fixed
//! seed, for some seconds. `WINDLASS_FUZZ_SECONDS` lets it run longer. And the whole way in: bodies like these, posted.

#[path = "../../fuzz/targets.rs"]
mod targets;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tower::ServiceExt;
use windlass_api::schema::protobuf;
use windlass_api::server::ApiServer;
use windlass_core::scheme::GroupVersionKind;

/// No input may take longer, in a slow build too.
const LONG: Duration = Duration::from_secs(5);

fn time() -> Duration {
    let given = std::env::var("WINDLASS_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(given.unwrap_or(4))
}

/// Runs a target on all seeds, then on changed ones until the time is over.
fn run(target: fn(&[u8]), seeds: &[Vec<u8>]) {
    let mut random = SmallRng::seed_from_u64(7);
    let (start, mut count) = (Instant::now(), 0_u64);
    let mut check = |input: &[u8]| {
        let before = Instant::now();
        target(input);
        assert!(before.elapsed() < LONG, "{:?} takes too long", String::from_utf8_lossy(input));
        count += 1;
    };
    seeds.iter().for_each(|seed| check(seed));
    while start.elapsed() < time() {
        check(&changed(&mut random, seeds));
    }
    println!("{count} inputs");
}

/// One of the seeds with some changes, or two of them put together.
fn changed(random: &mut SmallRng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=bytes.len());
        let end = at + random.random_range(0..=(bytes.len() - at).min(16));
        match random.random_range(0..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = random.random(),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let copy = bytes[at..end].repeat(random.random_range(1..20));
                bytes.splice(at..at, copy);
            }
            4 => {
                let other = &seeds[random.random_range(0..seeds.len())];
                let from = random.random_range(0..=other.len());
                bytes.splice(at..end, other[from..].iter().copied());
            }
            5 => {
                let words: [&[u8]; 8] = [
                    b"null",
                    b"-1",
                    b"1e999",
                    b"\"\"",
                    b"\xff\xfe",
                    b"{}",
                    b"[]",
                    b"9223372036854775808",
                ];
                bytes.splice(at..end, words[random.random_range(0..words.len())].iter().copied());
            }
            _ => bytes.truncate(at),
        }
        bytes.truncate(1 << 16);
    }
    bytes
}

fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Patches that are right, and some that are meant ill.
fn patch_seeds() -> Vec<Vec<u8>> {
    let mut seeds = texts(&[
        r#"[{"op":"add","path":"/spec/containers/-","value":{"name":"e","image":"k"}},{"op":"test","path":"/kind","value":"Pod"}]"#,
        r#"[{"op":"copy","from":"/spec","path":"/spec/x"},{"op":"copy","from":"/spec","path":"/spec/y"},{"op":"move","from":"/spec","path":"/z"}]"#,
        r#"[{"op":"replace","path":"/metadata/labels/a~1b~0c","value":1e308},{"op":"remove","path":"/metadata"}]"#,
        r#"{"metadata":{"labels":{"a":null,"c":"d"},"$deleteFromPrimitiveList/finalizers":["x"]},"spec":{"nodeSelector":null}}"#,
        r#"{"spec":{"containers":[{"name":"c","$patch":"delete"},{"name":"n","image":"i"}],"$setElementOrder/containers":[{"name":"d"},{"name":"n"}]}}"#,
        r#"{"spec":{"$retainKeys":["containers"],"containers":[{"$patch":"replace"},{"name":"q"}],"$patch":"merge"}}"#,
        r#"{"a":1,"a":2}"#,
    ]);
    seeds.push([b"[".repeat(5000), b"]".repeat(5000)].concat());
    seeds.push(format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200)).into_bytes());
    let double = r#"{"op":"copy","from":"/spec","path":"/spec/x"},"#;
    seeds.push(
        format!("[{}{{\"op\":\"test\",\"path\":\"/a\",\"value\":1}}]", double.repeat(200))
            .into_bytes(),
    );
    seeds
}

#[test]
fn patches() {
    run(targets::patches, &patch_seeds());
}

#[test]
fn selectors() {
    run(
        targets::selectors,
        &texts(&[
            "a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2",
            "metadata.name=x,spec.nodeName!=y,status.phase==Running",
            "a in (",
            "((((",
            "a notin (b,,c)",
            "!!a",
            ">1",
            "1h30m5s",
            "9e9h",
        ]),
    );
}

#[test]
fn protobuf() {
    let pod = GroupVersionKind::new("", "v1", "Pod");
    let object = serde_json::json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "labels": {"a": "b"}, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1500m"}}, "livenessProbe":
            {"httpGet": {"port": "http", "path": "/"}}}], "terminationGracePeriodSeconds": -1}});
    let whole = protobuf::encode(&pod, &object).expect("a pod");
    let raw = protobuf::open(&whole).expect("an envelope").raw.to_vec();
    let secret = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "AAEC"}});
    let secret =
        protobuf::encode(&GroupVersionKind::new("", "v1", "Secret"), &secret).expect("a secret");
    let deep = [0x0a, 0x7f].repeat(500);
    run(targets::protobuf, &[whole, raw, secret, deep, vec![0xff; 64], Vec::new()]);
}

#[test]
fn requests() {
    run(
        targets::requests,
        &texts(&[
            "GET /api/v1/namespaces/a/pods/b/log limit=5&continue=x&labelSelector=a%3Db",
            "POST /apis/apps/v1/namespaces/a/deployments dryRun=All&fieldManager=x&fieldValidation=Strict",
            "DELETE /api/v1/watch/namespaces/%2e%2e/pods/a%2Fb timeoutSeconds=-1&resourceVersion=99999999999999999999",
            "{\"gracePeriodSeconds\":1e99,\"preconditions\":{\"uid\":1}}",
            "GET // watch",
            "\u{0} %%% &&==",
        ]),
    );
}

#[test]
fn cel() {
    let lines = include_str!("../../src/cel/tests/true.txt").lines();
    let pod = [
        "self.spec.containers.all(c, c.image.matches('^[a-z]+$') && c.name != 'x')",
        "self.spec.containers.map(c, c.ports.map(p, p.containerPort)).flatten().sum() > 80",
        "self.spec.containers.exists(c, c.name.matches(c.image + '{1000}'))",
        "self.metadata.labels.transformMap(k, v, k + v) == self.metadata.labels",
        "[[1, 2], [2, 1]].map(a, a.map(b, [a, b, self]).distinct()) == [[], []]",
        "'%s %d %.3e'.format([self, 1, 1e300]).size() > 10",
        "lists.range(100000).map(x, string(x)).join(',').split(',').size() == 100000",
    ];
    let seeds: Vec<&str> = lines.filter(|line| !line.is_empty()).chain(pod).collect();
    run(targets::cel, &texts(&seeds));
}

/// Whatever is sent: an answer with a code below 500, and the server goes on.
#[tokio::test]
async fn the_whole_way_in() {
    let server = ApiServer::builder().build().await.expect("a server");
    let mut seeds = patch_seeds();
    seeds.extend(texts(&[
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","annotations":{"x":"y"}},"data":{"k":"v"}}"#,
        r#"{"metadata":{"name":"n","generateName":"g","finalizers":["a/b"],"ownerReferences":[{"uid":"u"}]},"spec":{}}"#,
        "apiVersion: v1\nkind: ConfigMap\nmetadata: &a\n  name: x\ndata: {k: \"v\", l: *a}\n",
        "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c]\ne: [*d,*d,*d,*d]\n",
        r#"{"metadata":{"name":"big"},"data":{"k":"\ud800"}}"#,
        r#"{"metadata":{"name":"n","resourceVersion":123,"labels":[]},"spec":{"replicas":1e999}}"#,
    ]));
    let (mut random, start, mut count) = (SmallRng::seed_from_u64(7), Instant::now(), 0);
    let paths = [
        "/api/v1/nodes",
        "/api/v1/namespaces",
        "/api/v1/namespaces/x",
        "/apis/apps/v1/namespaces/default/deployments",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    ];
    let types = [
        "application/json",
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
        "text/\u{e9}",
    ];
    let methods = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    while start.elapsed() < time() {
        let body = changed(&mut random, &seeds);
        let path = paths[random.random_range(0..paths.len())];
        let request = Request::builder()
            .method(methods[random.random_range(0..methods.len())].clone())
            .uri(format!("{path}?fieldManager=f&force={}", random.random_range(0..2)))
            .header("content-type", types[random.random_range(0..types.len())]);
        check(&server, request, &body).await;
        count += 1;
    }
    println!("{count} requests");
}

async fn check(server: &Arc<ApiServer>, request: http::request::Builder, body: &[u8]) {
    let shown = format!("{request:?} {:?}", String::from_utf8_lossy(body));
    let before = Instant::now();
    let request = request.body(Full::new(Bytes::copy_from_slice(body))).expect("a request");
    let response = server.service().oneshot(request).await.expect("it never fails");
    let code = response.status().as_u16();
    let answer = response.into_body().collect().await.expect("a whole answer").to_bytes();
    assert!(code < 500, "{code} {} {shown}", String::from_utf8_lossy(&answer));
    assert!(before.elapsed() < LONG, "it takes too long: {shown}");
}
