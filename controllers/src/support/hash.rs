//! Hashes in names and labels: stable over processes and versions (FNV-1a, 32 bits).

use serde::Serialize;
use windlass_core::apis::core::v1::PodTemplateSpec;

const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// FNV-1a (RFC 9923).
pub(crate) fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// A number in characters that spell no words.
pub(crate) fn encode(number: u32) -> String {
    let letter = |digit: u8| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()]);
    number.to_string().bytes().map(letter).collect()
}

/// The hash of a value's JSON, with the number of collisions there were.
pub(crate) fn of<T: Serialize>(value: &T, collisions: i32) -> String {
    // Typed kinds have string keys and no failing fields, so they always serialize.
    let mut json = serde_json::to_vec(value).expect("a typed kind serializes");
    if collisions > 0 {
        json.extend_from_slice(&collisions.to_le_bytes());
    }
    encode(fnv(&json))
}

/// The hash of a pod template.
pub(crate) fn of_template(template: &PodTemplateSpec, collisions: Option<i32>) -> String {
    of(template, collisions.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // The test vectors of RFC 9923.
        for (text, hash) in [("", 0x811c_9dc5), ("a", 0xe40c_292c), ("foobar", 0xbf9c_f968)] {
            assert_eq!(fnv(text.as_bytes()), hash, "{text}");
        }
    }

    #[test]
    fn encoded_hashes_are_labels() {
        let template = PodTemplateSpec::default();
        let (first, second) = (of_template(&template, None), of_template(&template, Some(1)));
        assert_ne!(first, second);
        assert!(first.len() <= 10 && first.bytes().all(|byte| ALPHABET.contains(&byte)), "{first}");
    }
}
