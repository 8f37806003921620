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
async fn frames_flushed_one_by_one_leave_with_the_next_read() {
    let (ours, mut theirs) = duplex(1024);
    let mut stream = Batching::new(Counted(ours, 0), true);
    for frame in [b"one ", b"two ", b"six "] {
        stream.write_all(frame).await.unwrap();
        stream.flush().await.unwrap();
    }
    assert_eq!(stream.stream.1, 0);
    theirs.write_all(b"next").await.unwrap();
    let mut read = [0; 4];
    stream.read_exact(&mut read).await.unwrap();
    assert_eq!(stream.stream.1, 1);
    let mut read = [0; 12];
    theirs.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"one two six ");
}

#[tokio::test]
async fn a_flush_that_was_put_off_wakes_its_task() {
    struct Woken(std::sync::atomic::AtomicBool);
    impl std::task::Wake for Woken {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let (ours, _theirs) = duplex(1024);
    let mut stream = Batching::new(ours, true);
    stream.write_all(b"x").await.unwrap();
    let woken = std::sync::Arc::new(Woken(false.into()));
    let waker = woken.clone().into();
    let flushed = Pin::new(&mut stream).poll_flush(&mut Context::from_waker(&waker));
    assert!(flushed.is_ready());
    assert!(woken.0.load(std::sync::atomic::Ordering::Relaxed));
}

#[tokio::test]
async fn without_batching_all_passes_at_once() {
    let (ours, mut theirs) = duplex(1024);
    let mut stream = Batching::new(Counted(ours, 0), false);
    stream.write_all(b"x").await.unwrap();
    assert_eq!(stream.stream.1, 1);
    let mut read = [0; 1];
    theirs.read_exact(&mut read).await.unwrap();
}

#[tokio::test]
async fn order_is_kept_whatever_the_lengths_and_however_slow_the_reader() {
    let (ours, mut theirs) = duplex(100);
    let mut stream = Batching::new(Counted(ours, 0), true);
    let pieces: Vec<Vec<u8>> =
        (0..100usize).map(|n| vec![n as u8; [1, 70, 5000, FULL][n % 4]]).collect();
    let expected = pieces.concat();
    let write = async move {
        for (n, piece) in pieces.iter().enumerate() {
            stream.write_all(piece).await.unwrap();
            if n % 7 == 0 {
                stream.flush().await.unwrap();
            }
        }
        stream.shutdown().await.unwrap();
    };
    let mut read = Vec::new();
    let (_, len) = tokio::join!(write, theirs.read_to_end(&mut read));
    assert_eq!(len.unwrap(), expected.len());
    assert!(read == expected);
}
