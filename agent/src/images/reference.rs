//! Names of images.

use crate::runtime::{Error, Result};
use oci_client::Reference;

/// Reads a name as a container file has it: `busybox` means `docker.io/library/busybox:latest`.
pub(crate) fn parse(name: &str) -> Result<Reference> {
    Reference::try_from(name).map_err(|e| {
        Error::Invalid(format!(
            "couldn't parse image name \"{name}\": invalid reference format: {e}"
        ))
    })
}

/// The full name, with the tag `latest` when it has neither tag nor digest.
pub(crate) fn normalise(name: &str) -> Result<String> {
    parse(name).map(|r| r.whole())
}

/// The name with a manifest's digest in place of its tag: `docker.io/library/busybox@sha256:…`.
pub(crate) fn with_digest(reference: &Reference, digest: &str) -> String {
    format!("{}/{}@{digest}", reference.registry(), reference.repository())
}

/// Whether `name` is the id of an image (`sha256:…`, or 64 hexadecimal digits) and not a name.
pub(crate) fn as_id(name: &str) -> Option<String> {
    let hex = name.strip_prefix("sha256:").unwrap_or(name);
    (hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
        .then(|| format!("sha256:{}", hex.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_of_docker_hub() {
        for (short, full) in [
            ("busybox", "docker.io/library/busybox:latest"),
            ("busybox:1", "docker.io/library/busybox:1"),
            ("me/app", "docker.io/me/app:latest"),
            ("localhost:5000/app:v2", "localhost:5000/app:v2"),
        ] {
            assert_eq!(normalise(short).unwrap(), full);
        }
    }

    #[test]
    fn nonsense_is_invalid() {
        for name in ["", "busyBox", "a:b:c", "bad image", "x@sha256:12"] {
            assert!(matches!(parse(name), Err(Error::Invalid(_))), "{name}");
        }
    }

    #[test]
    fn ids_are_known_by_their_form() {
        let hex = "a".repeat(64);
        assert_eq!(as_id(&hex), Some(format!("sha256:{hex}")));
        assert_eq!(as_id(&format!("sha256:{hex}")), Some(format!("sha256:{hex}")));
        assert_eq!(as_id("busybox"), None);
    }
}
