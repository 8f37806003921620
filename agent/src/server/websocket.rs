//! WebSockets: channels for exec and attach (`v4.channel.k8s.io`, `v5.channel.k8s.io`), and a tunnel for bytes.

use super::session::{Input, Output};
use super::upgrade::Raw;
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// The subprotocols of exec and attach, the best first.
pub(super) const CHANNELS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
/// Closes the channel that its second byte names (v5).
const CLOSE: u8 = 255;

/// A message is at most so long.
const MESSAGE_LIMIT: usize = 4 << 20;
/// So much waits in a tunnel.
const TUNNEL: usize = 256 * 1024;

type Socket = WebSocketStream<Raw>;

async fn socket(raw: Raw) -> Socket {
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_LIMIT));
    WebSocketStream::from_raw_socket(raw, Role::Server, Some(config)).await
}

/// Speaks the channel protocol until the session or the connection ends.
pub(super) async fn channels(
    raw: Raw,
    protocol: &str,
    input: mpsc::Sender<Input>,
    output: mpsc::Receiver<Output>,
) {
    let closes = protocol == CHANNELS[0];
    let (sink, source) = socket(raw).await.split();
    let (replies, pongs) = mpsc::channel(8);
    tokio::select! {
        () = read(source, closes, input, replies) => {}
        () = write(sink, output, pongs) => {}
    }
}

/// Returns when the client is gone.
async fn read(
    mut source: SplitStream<Socket>,
    closes: bool,
    input: mpsc::Sender<Input>,
    replies: mpsc::Sender<Message>,
) {
    while let Some(Ok(message)) = source.next().await {
        let data = match message {
            Message::Binary(data) => data,
            Message::Close(_) => return,
            Message::Ping(_) => {
                // The library has put the answer in line; a write sends it.
                if replies.send(Message::Pong(Bytes::new())).await.is_err() {
                    return;
                }
                continue;
            }
            _ => continue,
        };
        let event = match data.first() {
            Some(&STDIN) => Some(Input::Stdin(data.slice(1..))),
            Some(&RESIZE) => size(&data[1..]),
            Some(&CLOSE) if closes && data.get(1) == Some(&STDIN) => Some(Input::StdinClosed),
            _ => None,
        };
        if let Some(event) = event
            && input.send(event).await.is_err()
        {
            // The session has ended; its status is on the way. What comes meanwhile is for nobody.
            std::future::pending::<()>().await;
        }
    }
}

pub(super) fn size(json: &[u8]) -> Option<Input> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Size {
        width: u16,
        height: u16,
    }
    let size: Size = serde_json::from_slice(json).ok()?;
    Some(Input::Resize(size.width, size.height))
}

async fn write(
    mut sink: SplitSink<Socket, Message>,
    mut output: mpsc::Receiver<Output>,
    mut pongs: mpsc::Receiver<Message>,
) {
    // Nothing is sent before there is output: the answer to the upgrade says that the connection stands,
    // and client-go may not have made its streams yet; it complains of a message it reads before it has.
    loop {
        let next = tokio::select! {
            event = output.recv() => match event {
                Some(Output::Stdout(data)) => frame(STDOUT, &data),
                Some(Output::Stderr(data)) => frame(STDERR, &data),
                Some(Output::Status(status)) => {
                    let last = frame(ERROR, status.to_string().as_bytes());
                    return close(sink, last).await;
                }
                None => return,
            },
            Some(_) = pongs.recv() => {
                if sink.flush().await.is_err() {
                    return;
                }
                continue;
            }
        };
        if sink.send(next).await.is_err() {
            return;
        }
    }
}

async fn close(mut sink: SplitSink<Socket, Message>, last: Message) {
    let done = async {
        sink.send(last).await?;
        sink.send(goodbye()).await?;
        sink.close().await
    };
    if let Err(error) = done.await {
        tracing::debug!(%error, "client was gone before the end");
    }
}

/// Clients take an end without a code for a failure.
fn goodbye() -> Message {
    Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() }))
}

fn frame(channel: u8, data: &[u8]) -> Message {
    let mut frame = BytesMut::with_capacity(1 + data.len());
    frame.put_u8(channel);
    frame.put_slice(data);
    Message::Binary(frame.freeze())
}

/// A stream of bytes through the binary messages of a WebSocket.
pub(super) async fn tunnel(raw: Raw) -> DuplexStream {
    let (near, far) = tokio::io::duplex(TUNNEL);
    let (mut sink, mut source) = socket(raw).await.split();
    let (mut reader, mut writer) = tokio::io::split(far);
    tokio::spawn(async move {
        let inward = async {
            while let Some(Ok(message)) = source.next().await {
                match message {
                    Message::Binary(data) if writer.write_all(&data).await.is_err() => return,
                    Message::Close(_) => return,
                    _ => {}
                }
            }
        };
        let outward = async {
            let mut buffer = BytesMut::new();
            loop {
                buffer.reserve(32 * 1024);
                match reader.read_buf(&mut buffer).await {
                    Ok(read) if read > 0 => {}
                    _ => break,
                }
                if sink.send(Message::Binary(buffer.split().freeze())).await.is_err() {
                    return;
                }
            }
            if let Err(error) = sink.send(goodbye()).await {
                tracing::debug!(%error, "client was gone before the end");
            }
        };
        tokio::select! {
            () = inward => {}
            () = outward => {}
        }
    });
    near
}
