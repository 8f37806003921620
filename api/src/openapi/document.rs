//! A finished document.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use flate2::{
    Compression, Crc,
    read::GzDecoder,
    write::{DeflateEncoder, GzEncoder},
};
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

/// Part of a document, compressed. Pieces that stand one behind the other are a document.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    deflated: Bytes,
    crc: Arc<Crc>,
    digest: [u8; 32],
}

// === impl Piece ===

impl Piece {
    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.crc.amount() == 0
    }

    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        // A flush ends on a byte, and with nothing that says it is the end.
        let written = encoder.write_all(bytes).and_then(|()| encoder.flush());
        written.expect("a vector takes all writes");
        let mut crc = Crc::new();
        crc.update(bytes);
        Self {
            deflated: encoder.get_ref().clone().into(),
            crc: Arc::new(crc),
            digest: Sha256::digest(bytes).into(),
        }
    }
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

    /// A document from its parts, which are not compressed again.
    pub(super) fn joined(content_type: &'static str, pieces: &[Piece]) -> Self {
        // RFC 1952: magic, deflate, no flags, no time, no extra flags, unknown system.
        let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        let (mut digest, mut crc) = (Sha256::new(), Crc::new());
        for piece in pieces {
            gzip.extend_from_slice(&piece.deflated);
            digest.update(piece.digest);
            crc.combine(&piece.crc);
        }
        // The last block, with nothing in it; then checksum and length.
        gzip.extend_from_slice(&[3, 0]);
        gzip.extend_from_slice(&crc.sum().to_le_bytes());
        gzip.extend_from_slice(&crc.amount().to_le_bytes());
        Self { gzip: gzip.into(), etag: format!("\"{:X}\"", digest.finalize()), content_type }
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
