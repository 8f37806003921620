use super::*;
use serde_json::json;

#[test]
fn reasons_nobody_here_knows_are_kept() {
    let wire = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "no", "reason": "PolicyViolation", "code": 418});
    let status: Status = serde_json::from_value(wire.clone()).expect("a Status");
    assert_eq!(status.reason, Reason::Other("PolicyViolation".into()));
    assert_eq!(serde_json::to_value(&status).expect("JSON"), wire);
}

#[test]
fn every_known_word_is_read_and_written_alike() {
    for word in ["NotFound", "ServerTimeout", "StoreReadError", "Expired", ""] {
        let reason = Reason::from_word(word);
        assert!(!matches!(reason, Reason::Other(_)), "{word}");
        assert_eq!(reason.as_str(), word);
    }
}

#[test]
fn failures_look_as_the_api_server_writes_them() {
    let status = serde_json::to_value(Status::internal("disk on fire")).expect("JSON");
    let expected = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "Internal error occurred: disk on fire", "reason": "InternalError",
        "details": {"causes": [{"message": "disk on fire"}]}, "code": 500});
    assert_eq!(status, expected);
    assert_eq!(Status::failure(Reason::ServerTimeout, "").code, 500);
    assert_eq!(Status::failure(Reason::Timeout, "").code, 504);
}
