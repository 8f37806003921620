use super::*;
use std::io::Write;
use std::time::Duration;
use tokio::sync::oneshot;

fn append(path: &Path, text: &str) {
    let file = std::fs::File::options().append(true).create(true).open(path);
    writeln!(file.expect("it opens"), "1970-01-01T00:00:00Z stdout F {text}").expect("written");
}

/// What comes until so many bytes are there, or the end.
async fn read(stream: &mut mpsc::Receiver<io::Result<Bytes>>, bytes: usize) -> String {
    let mut read = Vec::new();
    while read.len() < bytes {
        let next = tokio::time::timeout(Duration::from_secs(10), stream.recv()).await;
        match next.expect("it comes in time") {
            Some(chunk) => read.extend_from_slice(&chunk.expect("no error")),
            None => break,
        }
    }
    String::from_utf8(read).expect("text")
}

#[tokio::test]
async fn a_log_that_is_put_aside_is_followed_into_the_next() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("0.log");
    append(&path, "one");
    let options = LogOptions { follow: true, ..LogOptions::default() };
    let (sender, mut stream) = mpsc::channel(4);
    let (end, ended) = oneshot::channel::<()>();
    let over = async move { ended.await.unwrap_or_default() };
    let following = tokio::spawn(super::stream(path.clone(), options, over, sender));
    assert_eq!(read(&mut stream, 4).await, "one\n");
    append(&path, "two");
    std::fs::rename(&path, dir.path().join("0.log.1")).expect("put aside");
    append(&path, "three");
    assert_eq!(read(&mut stream, 10).await, "two\nthree\n");
    append(&path, "four");
    std::fs::rename(&path, dir.path().join("0.log.2")).expect("put aside");
    append(&path, "five");
    end.send(()).expect("it follows");
    assert_eq!(read(&mut stream, usize::MAX).await, "four\nfive\n");
    following.await.expect("no panic");
}
