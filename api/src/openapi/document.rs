//! A finished document.

use std::io::{self, Read as _, Write as _};

use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The media types by which clients ask for the protobuf form of `/openapi/v2`. The first is the one it
/// is sent as; client-go asks for the second.
pub const V2_PROTOBUF: [&str; 2] = [
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
];

/// A document, compressed, with what HTTP caching needs.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its bytes, in gzip.
    pub gzip: Bytes,
    /// Its entity tag, with quotes.
    pub etag: String,
    /// Its media type.
    pub content_type: &'static str,
}

// === impl Document ===

impl Document {
    pub(super) fn json(document: &Value) -> Self {
        Self::new("application/json", document.to_string().as_bytes())
    }

    pub(super) fn new(content_type: &'static str, bytes: &[u8]) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
        Self {
            gzip: written.expect("a vector takes all writes").into(),
            etag: format!("\"{:X}\"", Sha256::digest(bytes)),
            content_type,
        }
    }

    /// The tag without quotes: what stands behind `?hash=` in the index.
    #[must_use]
    pub fn hash(&self) -> &str {
        self.etag.trim_matches('"')
    }

    /// Its bytes uncompressed, for a client that does not take gzip.
    ///
    /// # Errors
    /// If the compressed bytes are damaged.
    pub fn plain(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        GzDecoder::new(&*self.gzip).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
