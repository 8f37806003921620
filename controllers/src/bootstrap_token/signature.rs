//! Detached signatures (RFC 7515, appendix F) with a token's secret as the key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;

/// The signature of a text, without the text: `HEADER..SIGNATURE`.
pub(super) fn detached(text: &str, id: &str, secret: &str) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = encode(json!({"alg": "HS256", "kid": id}).to_string().as_bytes());
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{header}.{}", encode(text.as_bytes())).as_bytes());
    format!("{header}..{}", encode(&mac.finalize().into_bytes()))
}
