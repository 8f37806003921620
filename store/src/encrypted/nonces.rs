//! Numbers used once.

use aes_gcm::aead::OsRng;
use aes_gcm::aead::rand_core::RngCore;

/// Where nonces come from. Many tasks ask at once.
pub trait Nonces: Send + Sync {
    /// Twelve bytes that never came before and can't be guessed to come again.
    ///
    /// # Errors
    /// When there is no chance to be had; nothing is sealed then.
    fn next(&self) -> std::io::Result<[u8; 12]>;
}

/// Nonces from the operating system's random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNonces;

impl Nonces for SystemNonces {
    fn next(&self) -> std::io::Result<[u8; 12]> {
        let mut nonce = [0; 12];
        OsRng
            .try_fill_bytes(&mut nonce)
            .map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(nonce)
    }
}
