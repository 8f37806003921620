mod shared;

use super::*;
use crate::{Error, Memory, Op, Precondition};
use bytes::Bytes;
use shared::Shared;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

const OLD: &str = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "new:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

/// Counts, from 1.
#[derive(Default)]
struct Counting(AtomicU8);

impl Nonces for Counting {
    fn next(&self) -> std::io::Result<[u8; 12]> {
        Ok([self.0.fetch_add(1, Ordering::Relaxed) + 1; 12])
    }
}

fn keys(lines: &[&str]) -> KeyRing {
    KeyRing::parse(&lines.join("\n")).unwrap()
}

fn store(lines: &[&str]) -> Encrypted<Shared> {
    over(&Shared::default(), lines)
}

fn over(inner: &Shared, lines: &[&str]) -> Encrypted<Shared> {
    Encrypted::new(inner.clone(), keys(lines))
}

async fn put(store: &impl Commit, key: &'static str, value: &'static str) -> Revision {
    store.commit(Txn::new().put(key, value)).await.unwrap().revision
}

async fn raw(store: &Encrypted<Shared>, key: &str) -> Bytes {
    store.inner().get(key.as_bytes(), None).await.unwrap().unwrap().value
}

async fn value(store: &impl Read, key: &str) -> Result<String> {
    let kv = store.get(key.as_bytes(), None).await?.unwrap();
    Ok(String::from_utf8(kv.value.to_vec()).unwrap())
}

fn is_sealed<T>(result: Result<T>, name: &str, why: &str) -> bool {
    let Err(error) = result else { return false };
    assert!(error.to_string().contains(why), "{error}");
    matches!(error, Error::Sealed { key, .. } if key == name)
}

/// The stored form, byte by byte: values written by one version are read by the next.
#[tokio::test]
async fn the_stored_form_is_fixed() {
    let memory = Shared::default();
    let counting = Arc::new(Counting::default());
    let store = Encrypted::with_nonces(memory, keys(&[OLD]), counting);
    put(&store, "a", "hunter2").await;
    let raw = raw(&store, "a").await;
    assert_eq!(&raw[..9], b"\0wse\x01\x03old");
    assert_eq!(raw[9..21], [1; 12]);
    // Computed with OpenSSL.
    let sealed = "1fb68b410df75acc5f0cf88139e449986ad147eb6337ff";
    let hex: String = raw[21..].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, sealed);
    assert_eq!(value(&store, "a").await.unwrap(), "hunter2");
}

/// A value opens under its key only, as it was written only, with its key of the ring only. The error
/// names the key and says nothing of the value; other keys go on working.
#[tokio::test]
async fn what_was_changed_does_not_open() {
    let store = store(&[OLD]);
    put(&store, "a", "hunter2").await;
    put(&store, "b", "hunter3").await;
    let sealed = raw(&store, "a").await;
    let write = async |key: &'static str, value: Vec<u8>| {
        store.inner().commit(Txn::new().put(key, value)).await.unwrap();
    };
    for byte in 0..sealed.len() {
        let mut changed = sealed.to_vec();
        changed[byte] ^= 0x04;
        write("a", changed).await;
        let result = value(&store, "a").await;
        let text = format!("{result:?}");
        assert!(is_sealed(result, "a", "") && !text.contains("hunter"), "byte {byte}: {text}");
    }
    for len in 0..sealed.len() {
        write("a", sealed[..len].to_vec()).await;
        assert!(is_sealed(value(&store, "a").await, "a", ""), "cut to {len}");
    }
    write("moved", sealed.to_vec()).await;
    assert!(is_sealed(value(&store, "moved").await, "moved", "changed"));
    let plain = store.range(&KeyRange::all(), 0, None).await;
    assert!(is_sealed(plain, "a", ""));
    assert_eq!(value(&store, "b").await.unwrap(), "hunter3");
    let other = over(store.inner(), &[NEW]);
    assert!(is_sealed(value(&other, "b").await, "b", "no key \"old\""));
    let wrong = over(store.inner(), &[&NEW.replace("new", "old")]);
    assert!(is_sealed(value(&wrong, "b").await, "b", "key \"old\""));
    write("a", sealed.to_vec()).await;
    assert_eq!(value(&store, "a").await.unwrap(), "hunter2");
}

/// A value that does not open can be written over; the answer says that this happened.
#[tokio::test]
async fn a_damaged_value_can_be_replaced() {
    let store = store(&[OLD]);
    store.inner().commit(Txn::new().put("a", "plain")).await.unwrap();
    let unread = Txn::new().when(Precondition::Value("a".into(), "plain".into())).put("a", "x");
    assert!(is_sealed(store.commit(unread).await, "a", "not sealed"));
    let replaced = store.commit(Txn::new().put("a", "new")).await;
    assert!(matches!(replaced, Err(Error::Unavailable(_))), "{replaced:?}");
    assert_eq!(value(&store, "a").await.unwrap(), "new");
}

/// Plain values are read when that is allowed, and only then.
#[tokio::test]
async fn plain_values_are_an_option() {
    let memory = Shared::default();
    put(&memory, "a", "plain").await;
    assert!(is_sealed(value(&over(&memory, &[OLD]), "a").await, "a", "not sealed"));
    let store = over(&memory, &[OLD]).allow_plain();
    assert_eq!(value(&store, "a").await.unwrap(), "plain");
    assert_eq!(store.rotate(|_| {}).await.unwrap().resealed, 1);
    assert_eq!(value(&over(&memory, &[OLD]), "a").await.unwrap(), "plain");
    assert!(!String::from_utf8_lossy(&raw(&store, "a").await).contains("plain"));
}

/// A watch whose events don't open is told so and ends; others go on.
#[tokio::test]
async fn a_watch_ends_at_what_does_not_open() {
    let store = store(&[OLD]);
    let mut all = store.watch(KeyRange::all(), 1).await.unwrap();
    let mut b = store.watch(KeyRange::key("b"), 1).await.unwrap();
    put(&store, "a", "1").await;
    store.inner().commit(Txn::new().put("a", "plain")).await.unwrap();
    put(&store, "b", "2").await;
    assert_eq!(all.next().await.unwrap().unwrap().revision, 2);
    assert!(is_sealed(all.next().await.unwrap(), "a", "not sealed"));
    assert!(all.next().await.is_none());
    assert_eq!(b.next().await.unwrap().unwrap().revision, 4);
}

/// All who watch a commit get the same opened events: they are opened once.
#[tokio::test]
async fn events_are_opened_once() {
    let store = store(&[OLD]);
    let mut first = store.watch(KeyRange::all(), 1).await.unwrap();
    let mut second = store.watch(KeyRange::prefix("a"), 1).await.unwrap();
    for _ in 0..3 {
        put(&store, "a", "1").await;
        let batches = [&mut first, &mut second].map(|stream| stream.next());
        let batches = futures::future::join_all(batches).await;
        let events: Vec<_> = batches.into_iter().map(|b| b.unwrap().unwrap().events).collect();
        assert!(Arc::ptr_eq(&events[0], &events[1]));
    }
}

/// After a rotation nothing needs the old key, also not what watchers still get; a lease stays.
#[tokio::test]
async fn a_rotation_frees_the_old_key() {
    let memory = Shared::default();
    let store = over(&memory, &[OLD]);
    let lease = store.grant(Duration::from_secs(100), None).await.unwrap().id;
    let fill = (0..600).fold(Txn::new(), |txn, i| txn.put(format!("k/{i:03}"), i.to_string()));
    store.commit(fill.put_leased("leased", "x", lease)).await.unwrap();
    let both = over(&memory, &[NEW, OLD]);
    put(&both, "k/000", "0").await;
    let mut told = Vec::new();
    let rotation = both.rotate(|rotation| told.push(rotation.seen)).await.unwrap();
    assert_eq!((rotation.seen, rotation.resealed), (601, 600));
    assert_eq!(told, [256, 512, 601]);
    let new = over(&memory, &[NEW]);
    let all = new.range(&KeyRange::prefix("k/"), 0, None).await.unwrap();
    let values = all.items.iter().map(|kv| std::str::from_utf8(&kv.value).unwrap().to_owned());
    assert!(values.eq((0..600).map(|i| i.to_string())));
    assert_eq!(new.get(b"leased", None).await.unwrap().unwrap().lease, Some(lease));
    let refused = new.watch(KeyRange::all(), 1).await.err();
    let Some(Error::Compacted { compacted }) = refused else { panic!("{refused:?}") };
    let mut watch = new.watch(KeyRange::all(), compacted).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().revision, compacted + 1);
    assert_eq!(both.rotate(|_| {}).await.unwrap().resealed, 0);
}

/// Others who write during a rotation lose nothing by it, and it ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_runs_beside_writers() {
    let memory = Shared::default();
    let fill = (0..600).fold(Txn::new(), |txn, i| txn.put(format!("k/{i:03}"), "0"));
    over(&memory, &[OLD]).commit(fill).await.unwrap();
    let both = Arc::new(over(&memory, &[NEW, OLD]));
    let writer = both.clone();
    let writing = tokio::spawn(async move {
        for i in 0..2000 {
            let key = format!("k/{:03}", i % 600);
            writer.commit(Txn::new().put(key, i.to_string())).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    both.rotate(|_| {}).await.unwrap();
    writing.await.unwrap();
    let all = over(&memory, &[NEW]).range(&KeyRange::all(), 0, None).await.unwrap().items;
    let found =
        all.iter().map(|kv| std::str::from_utf8(&kv.value).unwrap().parse::<u64>().unwrap());
    let expected = (0..600).map(|key| if key < 200 { key + 1800 } else { key + 1200 });
    assert!(found.eq(expected.collect::<Vec<_>>()));
}

/// The same value written again between comparing and committing is the same value; the first precondition that
/// does not hold is named; and trying ends.
#[tokio::test]
async fn values_are_compared() {
    let memory = Shared::default();
    put(&over(&memory, &[OLD]), "a", "1").await;
    let restless = |times| Encrypted::new(memory.clone().restless("a", times), keys(&[OLD]));
    let holds = || Precondition::Value("a".into(), "1".into());
    restless(3).commit(Txn::new().when(holds()).put("b", "2")).await.unwrap();
    let never = restless(usize::MAX).commit(Txn::new().when(holds()).put("b", "3")).await;
    assert!(matches!(never, Err(Error::Precondition { index: 0 })), "{never:?}");
    let fails = || Precondition::Value("a".into(), "2".into());
    for (first, index) in
        [(Precondition::Exists("a".into()), 1), (Precondition::Absent("a".into()), 0)]
    {
        let txn = Txn::new().when(first).when(fails()).when(holds()).put("b", "4");
        let refused = restless(0).commit(txn).await;
        assert!(
            matches!(refused, Err(Error::Precondition { index: i }) if i == index),
            "{refused:?}"
        );
    }
    assert_eq!(value(&over(&memory, &[OLD]), "b").await.unwrap(), "2");
}

/// What can't be a key ring is refused with its line, and no key is ever printed.
#[test]
fn key_rings_are_checked() {
    let ring = keys(&["# ours", "", NEW, &format!("  {OLD}  ")]);
    assert_eq!(format!("{ring:?}"), r#"["new", "old"]"#);
    let wrong = [
        (String::new(), "there is no key"),
        ("# nothing".into(), "there is no key"),
        (format!("{OLD}\n{OLD}"), "line 2: the name was used before"),
        ("secretsecret".into(), "line 1: it is not NAME:BASE64"),
        (":AAAA".into(), "line 1: a name has"),
        (OLD.replace("old", &"x".repeat(65)), "line 1: a name has"),
        (OLD.replace("old", "o d"), "line 1: a name has"),
        ("a:secretsecret".into(), "line 1: the key is not base64 of 32 bytes"),
        ("a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g".into(), "32 bytes"),
        ("a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCU=".into(), "32 bytes"),
    ];
    for (text, why) in wrong {
        let error = KeyRing::parse(&text).unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains("secret"), "{text}: {error}");
    }
}

#[test]
fn a_key_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, OLD).unwrap();
    for (mode, allowed) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&file, permissions).unwrap();
        let ring = KeyRing::read(file.path());
        assert_eq!(ring.is_ok(), allowed, "{mode:o}: {ring:?}");
        assert!(allowed || matches!(ring, Err(KeyRingError::Mode { .. })));
    }
    let missing = KeyRing::read(std::path::Path::new("/nonexistent/keys"));
    assert!(matches!(missing, Err(KeyRingError::Io(_))));
}

/// A nonce that can't be had is an error, not a value without one.
#[tokio::test]
async fn without_a_nonce_nothing_is_written() {
    struct Dry;
    impl Nonces for Dry {
        fn next(&self) -> std::io::Result<[u8; 12]> {
            Err(std::io::Error::other("no randomness"))
        }
    }
    let store = Encrypted::with_nonces(Memory::new(), keys(&[OLD]), Arc::new(Dry));
    let op = Op::Put { key: "a".into(), value: "1".into(), lease: None };
    let refused = store.commit(Txn { ops: vec![op], ..Txn::new() }).await;
    assert!(matches!(refused, Err(Error::Io { .. })), "{refused:?}");
    assert_eq!(store.current_revision().await.unwrap(), 1);
}
