use super::*;

fn kv(key: &str, at: i64, version: i64) -> PbKeyValue {
    let key = key.as_bytes().to_vec();
    PbKeyValue { key, create_revision: at, mod_revision: at, version, ..PbKeyValue::default() }
}

fn put(key: &str, at: i64) -> PbEvent {
    PbEvent { r#type: 0, kv: Some(kv(key, at, 1)), prev_kv: None }
}

fn delete(key: &str, at: i64) -> PbEvent {
    PbEvent { r#type: DELETE, kv: Some(kv(key, at, 0)), prev_kv: Some(kv(key, at - 1, 1)) }
}

/// Revisions, and the keys of their events.
fn short(batches: &[Batch]) -> Vec<(Revision, String)> {
    let keys = |batch: &Batch| {
        let keys =
            batch.events.iter().map(|event| String::from_utf8_lossy(event.key()).into_owned());
        keys.collect::<String>()
    };
    batches.iter().map(|batch| (batch.revision, keys(batch))).collect()
}

#[test]
fn a_response_is_cut_into_revisions() {
    let mut assembler = Assembler::after(4);
    let batches = assembler.take(vec![put("a", 5), put("b", 5), delete("a", 6)], false).unwrap();
    assert_eq!(short(&batches), [(5, "ab".into()), (6, "a".into())]);
}

#[test]
fn a_revision_in_fragments_is_held_until_it_is_whole() {
    let mut assembler = Assembler::after(4);
    let first = assembler.take(vec![put("a", 5), put("b", 6)], true).unwrap();
    assert_eq!(short(&first), [(5, "a".into())]);
    assert!(assembler.take(vec![put("c", 6)], true).unwrap().is_empty());
    assert!(assembler.take(vec![], true).unwrap().is_empty());
    let last = assembler.take(vec![delete("d", 6)], false).unwrap();
    assert_eq!(short(&last), [(6, "bcd".into())]);
}

#[test]
fn what_was_given_out_does_not_come_again() {
    let mut assembler = Assembler::after(4);
    assembler.take(vec![put("a", 5)], false).unwrap();
    let batches = assembler.take(vec![put("a", 4), put("a", 5), put("b", 6)], false).unwrap();
    assert_eq!(short(&batches), [(6, "b".into())]);
}

#[test]
fn a_missing_revision_is_an_overrun() {
    let mut assembler = Assembler::after(4);
    let error = assembler.take(vec![put("a", 6)], false).unwrap_err();
    assert!(matches!(error, Error::Overrun { at: 4 }), "{error}");
    let mut assembler = Assembler::after(4);
    let error = assembler.take(vec![put("a", 5), put("a", 7), put("a", 8)], true).unwrap_err();
    assert!(matches!(error, Error::Overrun { at: 5 }), "{error}");
}

#[test]
fn an_event_without_its_past_is_compacted() {
    let removed = PbEvent { prev_kv: None, ..delete("a", 5) };
    let changed = PbEvent { kv: Some(kv("a", 5, 2)), ..put("a", 5) };
    for event in [removed, changed] {
        let error = Assembler::after(4).take(vec![event], false).unwrap_err();
        assert!(matches!(error, Error::Compacted { compacted: 4 }), "{error}");
    }
}
