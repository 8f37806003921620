use super::*;

#[test]
fn only_a_status_is_taken_for_one() {
    let status = refusal(
        StatusCode::NOT_FOUND,
        br#"{"kind":"Status","status":"Failure","reason":"NotFound","message":"no","code":404}"#,
    );
    assert_eq!((status.reason, &*status.message, status.code), (Reason::NotFound, "no", 404));
    let proxy = refusal(StatusCode::BAD_GATEWAY, br#"{"error":"upstream"}"#);
    assert_eq!(proxy.code, 502);
    assert_eq!(proxy.message, r#"502 Bad Gateway: {"error":"upstream"}"#);
    assert_eq!(refusal(StatusCode::GONE, b"").reason, Reason::Gone);
}
