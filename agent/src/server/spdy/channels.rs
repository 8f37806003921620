//! Exec and attach over SPDY: a stream for each of error, stdin, stdout, stderr and resize.

use super::connection::{Stream, Writer, serve};
use crate::server::exec::Streams;
use crate::server::session::{Input, Output};
use crate::server::upgrade::Raw;
use bytes::Bytes;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;

/// A client has so long to open its streams.
const PATIENCE: Duration = Duration::from_secs(30);

/// Speaks with the client until the session or the connection ends.
pub(in crate::server) async fn channels(
    raw: Raw,
    wanted: Streams,
    input: mpsc::Sender<Input>,
    output: mpsc::Receiver<Output>,
) {
    let mut opened = serve(raw);
    let collected = tokio::time::timeout(PATIENCE, collect(&mut opened, wanted)).await;
    let Ok(Some(mut streams)) = collected else { return };
    let mut take = |name: &str| streams.remove(name).map(Stream::split);
    let (stdin, resize) = (take("stdin"), take("resize"));
    let writer = |pair: Option<(mpsc::Receiver<Bytes>, Writer)>| pair.map(|(_, writer)| writer);
    let (stdout, stderr, error) =
        (writer(take("stdout")), writer(take("stderr")), writer(take("error")));
    let feeding = async {
        tokio::join!(
            feed_stdin(stdin.map(|(data, _)| data), &input),
            feed_resize(resize.map(|(data, _)| data), &input)
        );
        // No more streams are expected: this ends when the client is gone.
        while opened.recv().await.is_some() {}
    };
    tokio::select! {
        () = feeding => {}
        () = send(output, stdout, stderr, error) => {}
    }
}

async fn collect(
    opened: &mut mpsc::Receiver<Stream>,
    wanted: Streams,
) -> Option<HashMap<String, Stream>> {
    let expected =
        1 + [wanted.stdin, wanted.stdout, wanted.stderr, wanted.tty].iter().filter(|s| **s).count();
    let mut streams = HashMap::new();
    while streams.len() < expected {
        let stream = opened.recv().await?;
        let kind = stream.header("streamtype")?.to_owned();
        streams.insert(kind, stream);
    }
    Some(streams)
}

async fn feed_stdin(data: Option<mpsc::Receiver<Bytes>>, input: &mpsc::Sender<Input>) {
    let Some(mut data) = data else { return };
    while let Some(bytes) = data.recv().await {
        if input.send(Input::Stdin(bytes)).await.is_err() {
            return;
        }
    }
    // A session that is over needs no more input.
    input.send(Input::StdinClosed).await.ok();
}

async fn feed_resize(data: Option<mpsc::Receiver<Bytes>>, input: &mpsc::Sender<Input>) {
    let Some(mut data) = data else { return };
    while let Some(bytes) = data.recv().await {
        if let Some(size) = crate::server::websocket::size(&bytes)
            && input.send(size).await.is_err()
        {
            return;
        }
    }
}

async fn send(
    mut output: mpsc::Receiver<Output>,
    stdout: Option<Writer>,
    stderr: Option<Writer>,
    error: Option<Writer>,
) {
    while let Some(event) = output.recv().await {
        let (writer, data) = match event {
            Output::Stdout(data) => (&stdout, data),
            Output::Stderr(data) => (&stderr, data),
            Output::Status(status) => (&error, status.to_string().into()),
        };
        if let Some(writer) = writer
            && !writer.send(data).await
        {
            return;
        }
    }
    for writer in [stdout, stderr, error].into_iter().flatten() {
        writer.finish().await;
    }
}
