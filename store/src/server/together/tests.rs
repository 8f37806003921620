use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// Counts the writes that get through.
struct Counted(DuplexStream, usize);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        self.1 += 1;
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn what_is_short_goes_out_in_one_write_with_the_flush() {
    let (ours, mut theirs) = duplex(1024);
    let mut socket = Together::new(Counted(ours, 0));
    for piece in [b"one ", b"two ", b"six "] {
        socket.write_all(piece).await.unwrap();
    }
    assert_eq!(socket.socket.1, 0);
    socket.flush().await.unwrap();
    assert_eq!(socket.socket.1, 1);
    let mut read = [0; 12];
    theirs.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"one two six ");
}

#[tokio::test]
async fn a_flush_lets_others_run_once() {
    let (ours, _theirs) = duplex(1024);
    let mut socket = Together::new(Counted(ours, 0));
    socket.write_all(b"x").await.unwrap();
    let mut flush = poll_flush_of(&mut socket);
    assert!(flush().is_pending());
    assert!(flush().is_ready());
}

fn poll_flush_of<'a>(socket: &'a mut Together<Counted>) -> impl FnMut() -> Poll<Result<()>> + 'a {
    move || {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        Pin::new(&mut *socket).poll_flush(&mut cx)
    }
}

#[tokio::test]
async fn order_is_kept_whatever_the_lengths_and_however_slow_the_reader() {
    let (ours, mut theirs) = duplex(100);
    let mut socket = Together::new(Counted(ours, 0));
    let pieces: Vec<Vec<u8>> =
        (0..200usize).map(|n| vec![n as u8; [1, 70, SHORT, SHORT + 1, 3 * SHORT][n % 5]]).collect();
    let expected = pieces.concat();
    let write = async move {
        for (n, piece) in pieces.iter().enumerate() {
            socket.write_all(piece).await.unwrap();
            if n % 7 == 0 {
                socket.flush().await.unwrap();
            }
        }
        socket.shutdown().await.unwrap();
    };
    let mut read = Vec::new();
    let (_, len) = tokio::join!(write, theirs.read_to_end(&mut read));
    assert_eq!(len.unwrap(), expected.len());
    assert!(read == expected);
}
