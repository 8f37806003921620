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

#[test]
fn a_path_that_is_not_found_is_no_object() {
    let path = Error::from(refusal(StatusCode::NOT_FOUND, b"404 page not found\n"));
    assert!(path.is_not_found() && !path.names("a"));
    let object = Error::from(Status::not_found("", "pods", "a"));
    assert!(object.is_not_found() && object.names("a") && !object.names("b"));
}
