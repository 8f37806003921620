//! An agent that knows by heart what it answers.

use crate::{Answer, text};
use bytes::Bytes;
use http::header::{CONNECTION, UPGRADE};
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use windlass_api::pki::{Authority, server_tls};

/// What was asked: method, path with query, headers.
pub(crate) type Asked = Request<()>;

pub(crate) struct Agent {
    pub(crate) address: SocketAddr,
    pub(crate) asked: mpsc::UnboundedReceiver<Asked>,
    /// The lines of a log that is followed.
    pub(crate) log: Arc<Mutex<Option<mpsc::Sender<Bytes>>>>,
    _running: DropGuard,
}

impl Agent {
    /// Shows a certificate of `own`, and takes clients of `others` only.
    pub(crate) async fn start(own: &Authority, others: &Authority) -> Self {
        let hosts = ["127.0.0.1".to_owned()];
        let certificate = own.server("node", &hosts, Timestamp::now()).expect("signed");
        let tls = server_tls(&certificate, others.certificate(), true).expect("TLS");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (tell, asked) = mpsc::unbounded_channel();
        let log = Arc::new(Mutex::new(None));
        let running = CancellationToken::new();
        let accept = accept(listener, TlsAcceptor::from(Arc::new(tls)), tell, log.clone());
        tokio::spawn(running.clone().run_until_cancelled_owned(accept));
        Self { address, asked, log, _running: running.drop_guard() }
    }
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    tell: mpsc::UnboundedSender<Asked>,
    log: Arc<Mutex<Option<mpsc::Sender<Bytes>>>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, tell, log) = (tls.clone(), tell.clone(), log.clone());
        tokio::spawn(async move {
            // A client that is not let in is none.
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(move |request: Request<Incoming>| {
                let (head, body) = request.into_parts();
                tell.send(Request::from_parts(head.clone(), ())).ok();
                let answer = answer(Request::from_parts(head, body), &log);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            connection.with_upgrades().await.ok();
        });
    }
}

fn answer(request: Request<Incoming>, log: &Mutex<Option<mpsc::Sender<Bytes>>>) -> Answer {
    match request.uri().path() {
        "/containerLogs/default/main/main" => text(200, "one\ntwo\n"),
        "/containerLogs/default/main/follow" => {
            let (lines, body) = mpsc::channel(1);
            *log.lock() = Some(lines);
            let body = futures::stream::unfold(body, |mut body| async move {
                Some((Ok(Frame::data(body.recv().await?)), body))
            });
            http::Response::new(StreamBody::new(body).boxed_unsync())
        }
        "/containerLogs/default/main/waiting" => {
            let why =
                "container \"waiting\" in pod \"main\" is waiting to start: ContainerCreating";
            text(400, why)
        }
        "/exec/default/main/main" | "/attach/default/main/main" | "/portForward/default/main" => {
            echo(request)
        }
        "/metrics" => text(200, "up 1\n"),
        _ => text(404, "404 page not found\n"),
    }
}

/// Says hello in capitals, then whatever it is told, in capitals; says goodbye at a dot.
pub(crate) fn echo(mut request: Request<Incoming>) -> Answer {
    let headers = request.headers().clone();
    let Some(protocol) = headers.get(UPGRADE) else {
        return text(400, "you must specify an upgrade");
    };
    let client = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut client = TokioIo::new(client.await.expect("the server upgrades"));
        client.write_all(b"HELLO ").await.expect("somebody listens");
        let mut bytes = [0; 1024];
        while let Ok(count @ 1..) = client.read(&mut bytes).await {
            bytes[..count].make_ascii_uppercase();
            client.write_all(&bytes[..count]).await.expect("somebody listens");
            if bytes[..count].contains(&b'.') {
                break;
            }
        }
        client.shutdown().await.ok();
    });
    let mut response = text(101, "");
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, "Upgrade".parse().expect("a value"));
    response.headers_mut().insert(UPGRADE, protocol.clone());
    for name in ["sec-websocket-protocol", "x-stream-protocol-version"] {
        if let Some(value) = headers.get(name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}
