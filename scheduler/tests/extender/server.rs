//! An extender to test with: a server on this machine that answers JSON with JSON.

use parking_lot::Mutex;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use windlass_api::pki::Authority;

/// It ends with the test's runtime.
pub(crate) struct Server {
    scheme: &'static str,
    address: SocketAddr,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    asked: Mutex<Vec<(String, Value)>>,
    more: Notify,
}

type Answers = Arc<dyn Fn(&str, Value) -> Value + Send + Sync>;

impl Server {
    /// Answers what `answers` makes of the path and the body.
    pub(crate) async fn start(
        answers: impl Fn(&str, Value) -> Value + Send + Sync + 'static,
    ) -> Self {
        Self::serve("http", None, Arc::new(answers)).await
    }

    /// The same with TLS, under this name; with the authority to trust.
    pub(crate) async fn with_tls(
        name: &str,
        answers: impl Fn(&str, Value) -> Value + Send + Sync + 'static,
    ) -> (Self, String) {
        let now = windlass_core::clock::Env::system().clock.now();
        let authority = Authority::ephemeral("test", now).expect("an authority");
        let own = authority.server("extender", &[name.to_owned()], now).expect("a certificate");
        let config = windlass_api::pki::server_tls(&own, authority.certificate(), false)
            .expect("a configuration");
        let tls = TlsAcceptor::from(Arc::new(config));
        (
            Self::serve("https", Some(tls), Arc::new(answers)).await,
            authority.certificate().to_owned(),
        )
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.log.asked.lock().len()
    }

    /// What it was asked last at a path.
    pub(crate) fn last(&self, path: &str) -> Value {
        let asked = self.log.asked.lock();
        let (_, body) = asked.iter().rev().find(|(to, _)| to == path).expect("it was asked");
        body.clone()
    }

    /// Waits until it is asked at a path.
    pub(crate) async fn asked_for(&self, path: &str) {
        self.asked_often(path, 1).await;
    }

    /// Waits until it has been asked so often at a path.
    pub(crate) async fn asked_often(&self, path: &str, times: usize) {
        let asked = async {
            loop {
                let more = self.log.more.notified();
                if self.log.asked.lock().iter().filter(|(to, _)| to == path).count() >= times {
                    return;
                }
                more.await;
            }
        };
        tokio::time::timeout(super::DEADLINE, asked).await.expect("it is asked in time");
    }

    async fn serve(scheme: &'static str, tls: Option<TlsAcceptor>, answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let log: Arc<Log> = Arc::default();
        let of_server = log.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, answers, log) = (tls.clone(), answers.clone(), of_server.clone());
                tokio::spawn(async move {
                    let Some(tls) = tls else { return converse(stream, &answers, &log).await };
                    // Who does not trust it hangs up.
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, &answers, &log).await;
                    }
                });
            }
        });
        Self { scheme, address, log }
    }
}

async fn converse(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    answers: &Answers,
    log: &Log,
) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut path, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("post ") {
                path = rest.split(' ').next().expect("a path").to_owned();
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("a body");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let answer = answers(&path, body.clone()).to_string();
        log.asked.lock().push((path, body));
        log.more.notify_waiters();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
        stream.write_all(format!("{head}{answer}").as_bytes()).await.expect("who asks listens");
        stream.flush().await.expect("who asks listens");
    }
}
