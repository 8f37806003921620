//! Controllers sign with the API server's key.

use serde_json::Value;
use std::sync::Arc;
use windlass_api::authentication::TokenKeys;
use windlass_controllers::TokenSigner;
use windlass_core::component::BoxError;

/// Signs what controllers put into Secrets.
pub(crate) struct Signer(pub(crate) Arc<TokenKeys>);

impl TokenSigner for Signer {
    fn sign(&self, claims: &Value) -> Result<String, BoxError> {
        Ok(self.0.sign(claims)?)
    }
}
