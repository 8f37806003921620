//! `windlass logs`

use super::connect::{Connect, plain};
use clap::Args;
use futures::AsyncReadExt;
use http::Request;
use std::io::Write;
use windlass_core::client::Key;
use windlass_core::component::BoxError;
use windlass_core::request::{key_path, with_query};
use windlass_core::scheme;

/// Show what a container wrote
#[derive(Args)]
#[command(
    after_help = "Examples:\n  windlass logs web-1\n  windlass logs web-1 -c proxy -f --tail 10"
)]
pub(super) struct Logs {
    /// The pod
    pod: String,
    /// The container, if the pod has several
    #[arg(short, long)]
    container: Option<String>,
    /// Go on as more is written
    #[arg(short, long)]
    follow: bool,
    /// Of the container's earlier life
    #[arg(short, long)]
    previous: bool,
    /// Only the last lines
    #[arg(long)]
    tail: Option<u64>,
    #[command(flatten)]
    connect: Connect,
}

impl Logs {
    pub(super) async fn run(self) -> Result<(), BoxError> {
        let connection = self.connect.open().await?;
        let key = Key::new(scheme::PODS, &connection.namespace, &self.pod).subresource("log");
        let request = Request::get(with_query(&key_path(&key), &self.query())).body(Vec::new())?;
        let mut stream = Box::pin(connection.kube.request_stream(request).await.map_err(plain)?);
        let mut buffer = vec![0; 16 << 10];
        loop {
            match stream.read(&mut buffer).await? {
                0 => return Ok(()),
                read => std::io::stdout().write_all(&buffer[..read])?,
            }
        }
    }

    fn query(&self) -> Vec<(String, String)> {
        let mut query = Vec::new();
        let mut add = |name: &str, value: Option<String>| {
            query.extend(value.map(|value| (name.to_owned(), value)));
        };
        add("container", self.container.clone());
        add("follow", self.follow.then(|| "true".into()));
        add("previous", self.previous.then(|| "true".into()));
        add("tailLines", self.tail.map(|lines| lines.to_string()));
        query
    }
}
