//! Messages over real sockets.

use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME};
use hickory_proto::rr::{RData, Record};
use prometheus_client::encoding::text::encode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::*;
use crate::dns::upstream::{Forward, Servers};

const DEADLINE: Duration = Duration::from_secs(20);

/// A server on the loopback interface; it stops when dropped.
pub(super) struct Served {
    pub(super) address: SocketAddr,
    resolver: Arc<Resolver>,
    registry: Registry,
    _tasks: JoinSet<()>,
}

impl Served {
    fn metrics(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text
    }

    /// How often other servers were asked.
    fn upstream_questions(&self) -> u32 {
        let text = self.metrics();
        let mut counts =
            text.lines().filter_map(|line| line.strip_prefix("coredns_forward_requests_total "));
        counts.next().unwrap().parse().unwrap()
    }
}

pub(super) async fn serve(catalog: Catalog, servers: Vec<SocketAddr>) -> Served {
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let sockets = Sockets::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = sockets.address().unwrap();
    let forward = Forward { servers: Servers::Fixed(servers), stubs: Vec::new() };
    let random = Env::simulated(7).random;
    let upstream = Upstream::new(forward, vec![address], random, metrics.clone());
    let (catalog, upstream) = (RwLock::new(catalog), Arc::new(upstream));
    let resolver = Arc::new(Resolver { zone: zone(), catalog, upstream });
    let server = Arc::new(Server { resolver: resolver.clone(), metrics });
    let mut tasks = JoinSet::new();
    tasks.spawn(server.run(sockets));
    Served { address, resolver, registry, _tasks: tasks }
}

pub(super) fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(77, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(named(name), kind));
    message
}

async fn ask_raw(server: SocketAddr, bytes: &[u8]) -> Message {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(bytes, server).await.unwrap();
    let mut buffer = [0; 4096];
    let length = timeout(DEADLINE, socket.recv(&mut buffer)).await.unwrap().unwrap();
    Message::from_vec(&buffer[..length]).unwrap()
}

async fn ask(server: SocketAddr, message: &Message) -> Message {
    ask_raw(server, &message.to_vec().unwrap()).await
}

async fn ask_by_stream(server: SocketAddr, messages: &[Message]) -> Vec<Message> {
    let mut stream = TcpStream::connect(server).await.unwrap();
    for message in messages {
        let bytes = message.to_vec().unwrap();
        stream.write_all(&(bytes.len() as u16).to_be_bytes()).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
    }
    let mut answers = Vec::new();
    for _ in messages {
        let mut bytes = vec![0; stream.read_u16().await.unwrap().into()];
        stream.read_exact(&mut bytes).await.unwrap();
        answers.push(Message::from_vec(&bytes).unwrap());
    }
    answers
}

/// Another server: knows `example.org`, and tells how often it was asked.
async fn other_server(served: usize) -> (SocketAddr, tokio::task::JoinHandle<usize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut buffer = [0; 4096];
        for _ in 0..served {
            let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
            let question = Message::from_vec(&buffer[..length]).unwrap();
            let mut answer = question.clone().into_response();
            answer.edns = None;
            let name = question.queries[0].name.clone();
            if name == named("www.example.org.") {
                let alias = CNAME(named("example.org."));
                answer.add_answer(Record::from_rdata(name, 60, RData::CNAME(alias)));
            }
            let data = RData::A(A([192, 0, 2, 1].into()));
            answer.add_answer(Record::from_rdata(named("example.org."), 60, data));
            // A forged answer goes first: another id.
            let mut forged = answer.clone();
            forged.metadata.id ^= 1;
            socket.send_to(&forged.to_vec().unwrap(), client).await.unwrap();
            socket.send_to(&answer.to_vec().unwrap(), client).await.unwrap();
        }
        served
    });
    (address, task)
}

#[tokio::test]
async fn datagrams_and_streams() {
    let served = serve(catalog(), Vec::new()).await;
    let message = question("web.shop.svc.cluster.local.", RecordType::A);
    let answer = ask(served.address, &message).await;
    assert_eq!(answer.metadata.id, 77);
    assert!(answer.metadata.authoritative && answer.metadata.recursion_available);
    assert_eq!(answer.queries, message.queries);
    assert_eq!(answer.answers[0].data, RData::A(A([10, 96, 1, 1].into())));
    let absent = question("none.shop.svc.cluster.local.", RecordType::A);
    let answers = ask_by_stream(served.address, &[message, absent]).await;
    assert_eq!(answers[0].answers.len(), 1);
    assert_eq!(answers[1].metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(answers[1].authorities[0].record_type(), RecordType::SOA);
    let text = served.metrics();
    assert!(text.contains(r#"coredns_dns_requests_total{proto="udp"} 1"#), "{text}");
    assert!(text.contains(r#"coredns_dns_requests_total{proto="tcp"} 2"#), "{text}");
}

#[tokio::test]
async fn what_does_not_fit_is_cut_and_asked_again_by_stream() {
    let served = serve(catalog(), Vec::new()).await;
    let many: Vec<_> = (0..200).map(|n| json!({"addresses": [format!("10.244.1.{n}")]})).collect();
    served.resolver.catalog.write().slice_applied(slice("db-1", "db", json!(many)));
    let mut message = question("db.shop.svc.cluster.local.", RecordType::A);
    let answer = ask(served.address, &message).await;
    assert!(answer.metadata.truncation && answer.answers.len() < 200);
    assert!(answer.to_vec().unwrap().len() <= 512);
    let mut edns = Edns::new();
    edns.set_max_payload(60_000);
    message.set_edns(edns);
    let wide = ask(served.address, &message).await;
    assert!(wide.metadata.truncation && wide.edns.is_some());
    assert!(wide.answers.len() > answer.answers.len());
    let whole = ask_by_stream(served.address, &[message]).await;
    assert_eq!(whole[0].answers.len(), 200);
    assert!(!whole[0].metadata.truncation);
}

#[tokio::test]
async fn other_names_are_asked_of_others_once() {
    let (other, asked) = other_server(2).await;
    let served = serve(catalog(), vec![other]).await;
    for _ in 0..3 {
        let answer = ask(served.address, &question("www.example.org.", RecordType::A)).await;
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
        assert_eq!(answer.answers.len(), 2);
        assert!(!answer.metadata.authoritative);
    }
    let far = ask(served.address, &question("far.shop.svc.cluster.local.", RecordType::A)).await;
    let kinds: Vec<_> = far.answers.iter().map(Record::record_type).collect();
    assert_eq!(kinds, [RecordType::CNAME, RecordType::A]);
    assert_eq!(timeout(DEADLINE, asked).await.unwrap().unwrap(), 2);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_asked_last_for_a_while() {
    let (live, _asked) = other_server(5).await;
    let dead = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let served = serve(catalog(), vec![dead, live]).await;
    let questions = async |name: &str| {
        let answer = ask(served.address, &question(name, RecordType::A)).await;
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError, "{name}");
        served.upstream_questions()
    };
    assert_eq!(questions("a.example.org.").await, 2, "both");
    assert_eq!(questions("b.example.org.").await, 3, "the live one alone");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    assert_eq!(questions("c.example.org.").await, 5, "both again");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_asked_when_there_is_no_other() {
    let dead = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let served = serve(catalog(), vec![dead]).await;
    for number in 1..3 {
        let message = question("example.org.", RecordType::A);
        let answer = ask(served.address, &message).await;
        assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
        assert_eq!(served.upstream_questions(), number);
    }
}

#[tokio::test]
async fn an_alias_within_the_cluster_is_followed() {
    let served = serve(catalog(), Vec::new()).await;
    let answer = ask(served.address, &question("out.shop.svc.cluster.local.", RecordType::A)).await;
    let kinds: Vec<_> = answer.answers.iter().map(Record::record_type).collect();
    assert_eq!(kinds, [RecordType::CNAME, RecordType::A]);
    served.resolver.catalog.write().service_applied(service(
        "loop",
        json!({"type": "ExternalName", "externalName": "loop.shop.svc.cluster.local"}),
    ));
    let answer =
        ask(served.address, &question("loop.shop.svc.cluster.local.", RecordType::A)).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
}

#[tokio::test]
async fn nobody_to_ask_is_a_failure_not_a_wait() {
    let served = serve(catalog(), Vec::new()).await;
    let answer = ask(served.address, &question("example.org.", RecordType::A)).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
    let mut message = question("example.org.", RecordType::A);
    message.metadata.recursion_desired = false;
    let answer = ask(served.address, &message).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::Refused);
}

#[tokio::test]
async fn clumsy_questions_get_an_answer() {
    let served = serve(catalog(), Vec::new()).await;
    let mut update = question("web.shop.svc.cluster.local.", RecordType::A);
    update.metadata.op_code = OpCode::Update;
    let mut two = question("web.shop.svc.cluster.local.", RecordType::A);
    two.add_query(two.queries[0].clone());
    let transfer = question("cluster.local.", RecordType::AXFR);
    for (message, code) in [
        (update, ResponseCode::NotImp),
        (two, ResponseCode::FormErr),
        (transfer, ResponseCode::Refused),
    ] {
        assert_eq!(ask(served.address, &message).await.metadata.response_code, code);
    }
    // A header that promises a question, and none there.
    let answer = ask_raw(served.address, &[0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    assert_eq!((answer.metadata.id, answer.metadata.response_code), (9, ResponseCode::FormErr));
}

proptest::proptest! {
    /// Whatever arrives: no panic, and no answer to an answer.
    #[test]
    fn hostile_bytes(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let metrics = Metrics::new(&mut Registry::default());
        let forward = Forward { servers: Servers::Fixed(Vec::new()), stubs: Vec::new() };
        let upstream = Upstream::new(forward, Vec::new(), Env::simulated(1).random, metrics);
        let resolver = Resolver { zone: zone(), catalog: RwLock::new(catalog()), upstream: Arc::new(upstream) };
        let decision = resolver.decide(&bytes);
        let silent = matches!(decision.verdict, resolver::Verdict::Silence);
        proptest::prop_assert!(silent || (bytes.len() >= 12 && bytes[2] & 0x80 == 0));
    }

    /// The same of messages with a few bytes changed: those come further.
    #[test]
    fn hostile_changes(at in 0_usize..60, to in proptest::num::u8::ANY, cut in 12_usize..60) {
        let metrics = Metrics::new(&mut Registry::default());
        let forward = Forward { servers: Servers::Fixed(Vec::new()), stubs: Vec::new() };
        let upstream = Upstream::new(forward, Vec::new(), Env::simulated(1).random, metrics);
        let resolver = Resolver { zone: zone(), catalog: RwLock::new(catalog()), upstream: Arc::new(upstream) };
        let mut bytes = question("_http._tcp.db.shop.svc.cluster.local.", RecordType::SRV).to_vec().unwrap();
        let at = at % bytes.len();
        bytes[at] = to;
        bytes.truncate(cut.max(at + 1));
        if let resolver::Verdict::Answer(answer) = resolver.decide(&bytes).verdict {
            proptest::prop_assert!(resolver::encode(&answer, 512).is_some_and(|bytes| bytes.len() <= 512));
        }
    }
}
