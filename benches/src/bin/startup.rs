//! How long a cluster takes from exec to `/readyz`: `startup PROGRAM KUBECONFIG [ARGUMENT…]`.
//! Starts `PROGRAM ARGUMENT…`, asks until it says ok, prints milliseconds, and stops it again.

use http::Request;
use std::error::Error;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: startup PROGRAM KUBECONFIG [ARGUMENT…]";
    let (program, kubeconfig) = (arguments.next().ok_or(usage)?, arguments.next().ok_or(usage)?);
    let file = kube::config::Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(file, &Default::default()).await?;
    let start = Instant::now();
    let mut child = Command::new(program).args(arguments).stdout(Stdio::null()).spawn()?;
    let ready = tokio::time::timeout(Duration::from_secs(60), ready(&config)).await;
    let passed = start.elapsed();
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
    child.wait()?;
    ready?;
    println!("{:.1} ms", passed.as_secs_f64() * 1000.0);
    Ok(())
}

async fn ready(config: &kube::Config) {
    loop {
        // A new client each time: a connection that was refused is not tried again at once.
        if let Ok(client) = kube::Client::try_from(config.clone())
            && let Ok(request) = Request::get("/readyz").body(Vec::new())
            && client.request_text(request).await.is_ok()
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
