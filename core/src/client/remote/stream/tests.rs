use super::*;
use std::time::Duration;

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn line(kind: &str, name: &str) -> String {
    let object = serde_json::json!({"metadata": {"name": name, "resourceVersion": "3"}});
    format!("{}\n", serde_json::json!({"type": kind, "object": object}))
}

fn body(
    pieces: Vec<Bytes>,
) -> impl HttpBody<Data = Bytes, Error: std::error::Error> + Send + Unpin {
    let frames = stream::iter(pieces)
        .map(|piece| Ok::<_, std::convert::Infallible>(http_body::Frame::data(piece)));
    http_body_util::StreamBody::new(frames)
}

#[tokio::test]
async fn lines_may_come_in_any_pieces() {
    let text = line("ADDED", "a") + &line("DELETED", "b") + &line("ADDED", &"x".repeat(5000));
    for size in [1, 7, 64, 100_000] {
        let pieces = text.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
        let batches: Vec<_> = follow(body(pieces), deadline()).collect().await;
        let events = batches.into_iter().flat_map(|batch| batch.expect("events"));
        let kinds: Vec<_> = events
            .map(|event| match event {
                WatchEvent::Added(object) => ("+", object.name().len()),
                WatchEvent::Deleted(object) => ("-", object.name().len()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(kinds, [("+", 1), ("-", 1), ("+", 5000)], "pieces of {size}");
    }
}

#[tokio::test]
async fn what_came_before_an_error_is_told_before_it() {
    let gone = serde_json::json!({"type": "ERROR", "object": Status::expired("too old")});
    let text = line("ADDED", "a") + &format!("{gone}\n") + &line("ADDED", "b");
    let all: Vec<_> = follow(body(vec![text.into()]), deadline()).collect().await;
    assert_eq!(all.len(), 2);
    assert!(matches!(&all[0], Ok(batch) if batch.len() == 1));
    assert!(matches!(&all[1], Err(error) if error.is_expired()));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_went_silent_is_given_up() {
    let frames = stream::pending::<Result<http_body::Frame<Bytes>, std::convert::Infallible>>();
    let silent = http_body_util::StreamBody::new(frames);
    let all: Vec<_> = follow(silent, deadline()).collect().await;
    assert!(matches!(&all[..], [Err(Error::Transport(_))]), "{all:?}");
}
